"""`gattn init`: every key of every kind with its meaning, read from the dataclasses, in a file that can be trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from gattn_tg.cli.main import main
from gattn_tg.errors import ConfigError
from gattn_tg.models.kinds import KINDS
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.settings import TrainSettings
from gattn_tg.training.tasks.registry import task_class, task_of, tasks_of
from gattn_tg.training.template import example_of, model_keys, template
from gattn_tg.training.toml_keys import keys_of, toml_value


@dataclass(frozen=True)
class Above:
    """A table.

    Args:
        name: what it is
            called.
    """

    name: str


@dataclass(frozen=True)
class Table(Above):
    """Another.

    Args:
        sizes: Bases; "" is none.
        pairs: Two by two.

    Raises:
        nothing: never.
    """

    sizes: tuple[int, ...] = (1, 2)
    pairs: tuple[tuple[str, int], ...] = ()
    word: Literal["a", "b"] = "a"


def test_keys_have_names_types_defaults_and_comments_of_all_classes_above() -> None:
    name, sizes, pairs, word = keys_of(Table)
    assert (name.name, name.kind, name.default, name.comment) == ("name", "string", None, "What it is called.")
    assert (sizes.kind, sizes.default, sizes.comment) == ("list of integers", "[1, 2]", 'Bases; "" is none.')
    assert (pairs.kind, pairs.default) == ("list of lists [string, integer]", "[]")
    assert (word.kind, word.default, word.comment) == ('"a" or "b"', '"a"', "")
    assert keys_of(Table, {"word": "b"})[3].default == '"b"'


@pytest.mark.parametrize("value", [True, 3, -70_000, 1e-5, 0.5, 1e20, 'C:\\data "x"', [1, [2.5, "é"]]])
def test_values_are_read_back_as_they_were(value: object) -> None:
    import tomllib

    assert tomllib.loads(f"x = {toml_value(value)}")["x"] == value


TASKS = [(kind, task) for kind in KINDS for task in tasks_of(kind) or [""]]


@pytest.mark.parametrize(("kind", "task"), TASKS)
def test_every_key_of_every_kind_is_explained(kind: str, task: str) -> None:
    tables = [*keys_of(task_class(kind, task).data_table), *model_keys(kind), *keys_of(TrainSettings)]
    assert [key.name for key in tables if not key.comment] == []
    assert not {key.name for key in model_keys(kind)} & set(task_class(kind).derived)


@pytest.mark.parametrize(("kind", "task"), TASKS)
def test_a_written_configuration_says_the_same_as_the_example_of_its_kind(
    kind: str, task: str, tmp_path: Path
) -> None:
    path, example = tmp_path / "my.toml", example_of(kind, task)
    assert main(["init", kind, "-o", str(path), "--task", task]) == 0
    written = TrainConfig.from_toml(path)
    assert (written.kind, written.task, written.train) == (kind, task, example.train)
    of_sequences = {"n_classes": 3, "max_length": 60, "merge_strands": False}
    given: dict[str, Any] = of_sequences if kind in ("SequenceClassifier", "ImportedClassifier") else {}
    given = {"heads": (("human", 2),)} if kind in ("TrackModel", "ImportedTracks") else given
    given = {"n_labels": 1} if kind == "PerBaseModel" else given
    assert tuple(given) == task_class(kind).derived
    shape = KINDS[kind].config
    assert written.model_settings(shape, given) == example.model_settings(shape, given)
    task_of(written)  # all files are found and read


def test_a_preset_gives_the_sizes(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text(template("PerBaseModel", "small"))
    shape = TrainConfig.from_toml(path).model_settings(KINDS["PerBaseModel"].config, {"n_labels": 1})
    assert (shape.width, shape.n_layers, shape.mlp_ratio) == (128, 4, 4)


def test_a_wrong_kind_or_preset_gets_a_line_that_names_the_right_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "TrackModell"]) == 2
    assert "got 'TrackModell'; did you mean 'TrackModel'" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="a TrackModel: expected one of tiny, small, base, long, got 'tini'"):
        template("TrackModel", "tini")
