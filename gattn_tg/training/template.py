"""A commented configuration of any kind of model, which can be trained as it is on the bundled practice data."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from gattn_tg import strict
from gattn_tg.data.genomes.bundled import example_configs
from gattn_tg.errors import an
from gattn_tg.models.kinds import KINDS, kind_of
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.settings import TrainSettings
from gattn_tg.training.tasks.registry import task_class, tasks_of
from gattn_tg.training.toml_keys import Key, keys_of, toml_value

WIDTH = 110  # characters of a comment line


def example_of(kind: str, task: str = "") -> TrainConfig:
    """The example configuration of a kind of model.

    Args:
        kind: A key of `models.kinds.KINDS`.
        task: Which of the tasks of the kind; "" takes its first.

    Raises:
        ConfigError: There is no such kind, or it has no such task.
    """
    strict.require_one_of(kind, KINDS, "kind of model")
    wanted = task_class(kind, task)
    found = (config for config in map(TrainConfig.from_toml, example_configs()) if config.kind == kind)
    return next(config for config in found if task_class(kind, config.task if tasks_of(kind) else "") is wanted)


def model_keys(kind: str, preset: str = "", changes: Mapping[str, Any] | None = None) -> list[Key]:
    """The keys of the [model] table of a kind, beside `kind` and `preset`.

    Args:
        kind: A key of `models.kinds.KINDS`.
        preset: Sizes that take the place of the defaults; "" takes none.
        changes: Values that take the place of both.

    Raises:
        ConfigError: There is no such preset.
    """
    config = kind_of(kind, "template").config
    if preset:
        strict.require_one_of(preset, config.presets, f"preset of {an(kind)}")
    values = {**(config.presets[preset] if preset else {}), **(changes or {})}
    return [key for key in keys_of(config, values) if key.name not in (*task_class(kind).derived, *config.derived)]


def template(kind: str, preset: str = "", task: str = "") -> str:
    """A TOML file with every key, its value and what it means.

    Values are those of the example configuration of this kind; data that it names is given by absolute paths.

    Args:
        kind: A key of `models.kinds.KINDS`.
        preset: Sizes of the model: tiny, small, base, or long where there is one; "" takes those of the example.
        task: Which of the tasks of the kind; "" takes its first.

    Raises:
        ConfigError: There is no such kind, preset or task.
    """
    example = example_of(kind, task)
    learnt = task_class(kind, task)
    written = dict(example.model)
    chosen = str(written.pop("preset", ""))
    if preset:
        chosen, sized = preset, {name for sizes in kind_of(kind, "template").config.presets.values() for name in sizes}
        written = {name: value for name, value in written.items() if name not in sized}
    data = {name: _located(example, value) for name, value in example.data.items()}
    metrics = ", ".join(learnt.judged_by)
    train = [
        Key(key.name, key.kind, key.default, f"{key.comment} One of {metrics}.") if key.name == "monitor" else key
        for key in keys_of(TrainSettings, asdict(example.train))
    ]
    said = f"{kind} of {task}" if task else kind
    head = (
        f"Configuration of a {said}, written by `gattn init {kind}`. Every key is here with its meaning; a key that is "
        "removed takes the default of the package. Train it with `gattn train FILE.toml`."
    )
    return "\n".join([
        _comment(head), "",
        "[data]", _comment("This data travels with gattn_tg, for practice. Put your own files here."), "",
        *map(_written, keys_of(learnt.data_table, data)),
        "[model]", _comment("The kind of model."), f"kind = {toml_value(kind)}", "", *_sizes(chosen),
        *map(_written, model_keys(kind, chosen, written)),
        "[train]", *map(_written, train),
    ]).rstrip() + "\n"  # fmt: skip


def _sizes(preset: str) -> list[str]:
    return [_comment(f"The sizes below are those of the preset {preset}."), ""] if preset else []


def _located(example: TrainConfig, value: Any) -> Any:
    """A value of [data]; names of files become absolute paths."""
    if isinstance(value, list):
        return [_located(example, v) for v in value]
    is_file = isinstance(value, str) and value != "" and example.resolve(value).is_file()
    return str(example.resolve(value).resolve()) if is_file else value


def _written(key: Key) -> str:
    value = "" if key.default is None else key.default
    kind = f"  # {key.kind}" if value == "[]" else ""
    return f"{_comment(key.comment)}\n{key.name} = {value}{kind}\n"


def _comment(text: str) -> str:
    return "\n".join(textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# "))
