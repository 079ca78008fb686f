"""Every refusal of the configuration names the file, the key and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from gattn_tg import strict
from gattn_tg.errors import ConfigError
from gattn_tg.models.classifier import ClassifierConfig
from gattn_tg.models.kinds import KINDS
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.tasks.classify import ClassData
from gattn_tg.training.tasks.labelled import DataSettings, load
from gattn_tg.training.tasks.registry import task_of


def write(folder: Path, text: str) -> Path:
    (folder / "a.csv").write_text("sequence,label\nACGT,0\n")
    path = folder / "run.toml"
    path.write_text(text)
    return path


GOOD = '[data]\ntrain = "a.csv"\n'


def test_reads_defaults_and_values(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD + "[model]\nwidth = 32\n[train]\nepochs = 3\nlearning_rate = 1\n")
    config = TrainConfig.from_toml(path)
    assert config.model == {"width": 32}
    assert (config.train.epochs, config.train.learning_rate, config.train.batch_size) == (3, 1.0, 64)
    assert (config.kind, config.data) == ("SequenceClassifier", {"train": "a.csv"})
    assert config.file("train", "a.csv") == tmp_path / "a.csv"
    copied = TrainConfig.from_toml(path.rename(tmp_path.parent / "copy.toml"), home=tmp_path)
    assert copied.file("train", "a.csv") == tmp_path / "a.csv"


def read(path: Path) -> None:
    """The configuration and its data."""
    config = TrainConfig.from_toml(path)
    load(config, config.data_settings(ClassData))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + "[train]\nepoch = 3\n", r"run.toml: \[train\]: expected one of .* got 'epoch'; did you mean"),
        (GOOD + "[train]\nzzz = 3\n", r"\[train\]: .* got 'zzz'; known: epochs, steps, least_steps"),
        (GOOD + '[train]\nepochs = "3"\n', r"epochs: expected an integer, got '3'; write it without quotes"),
        (GOOD + "[train]\nepochs = 3.5\n", r"epochs: expected an integer, got 3.5"),
        (GOOD + "[train]\nepochs = true\n", r"epochs: expected an integer, got True"),
        (GOOD + "[train]\nepochs = 0\n", r"epochs: expected at least 1, got 0; change epochs"),
        (GOOD + "[train]\nreverse_complement = 1\n", r"true or false, got 1; write true or false"),
        (GOOD + '[train]\nschedule = "cos"\n', r"schedule: expected one of cosine, .*, got 'cos'"),
        (GOOD + "[train]\nema_decay = 1.0\n", r"ema_decay: expected a share from 0 up to 1 .*, got 1.0"),
        (GOOD + "[train]\nkeep = 0\n", r"keep: expected at least 1, got 0; change keep"),
        (GOOD + "[model]\nkind = 3\n", r"\[model\] kind: expected a string, got 3"),
        (GOOD + "[train]\nlearning_rate = 1e-6\n", r"min_learning_rate: expected at most learning_rate = 1e-06"),
        (GOOD + "[trian]\n", r"tables .*, got 'trian'; did you mean 'train'\?"),
        ("[train]\n", r"a table \[data\], got none; add \[data\]"),
        ("[data]\nvalid = 'a.csv'\n", r"\[data\]: expected train, got none; add train = ..."),
        ("[data]\ntrain = 'b.csv'\n", r"train: expected an existing file, got 'b.csv' .*relative to"),
        ("[data]\ntrain = ''\n", r"\[data\] train: expected an existing file, got ''"),
        (GOOD + "valid_fraction = 1.0\n", r"valid_fraction: expected a share from 0 up to 1 .*, got 1.0"),
        (GOOD + "valid_fraction = 0\n", r"valid_fraction: expected more than 0 without a valid file"),
        ("data = 3\n", r"\[data\]: expected a table, got 3; write it as \[data\]"),
        ("model = 3\n" + GOOD, r"\[model\]: expected a table, got 3"),
        ("[data\n", r"run.toml: expected TOML, but .*; correct that line"),
    ],
)  # fmt: skip
def test_refusals(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(write(tmp_path, text))


def test_kinds_and_presets(tmp_path: Path) -> None:
    config = TrainConfig.from_toml(write(tmp_path, GOOD + '[model]\nkind = "SequenceClasifier"\n'))
    with pytest.raises(ConfigError, match=r"kind: expected one of SequenceClassifier.* got 'SequenceClasifier'; did"):
        task_of(config)
    config = TrainConfig.from_toml(write(tmp_path, GOOD + '[model]\npreset = "small"\nn_layers = 3\n'))
    shape = config.model_settings(ClassifierConfig, {"n_classes": 2})
    assert (shape.width, shape.n_layers, shape.n_classes) == (128, 3, 2)
    config = TrainConfig.from_toml(write(tmp_path, GOOD + '[model]\npreset = "tini"\n'))
    with pytest.raises(ConfigError, match=r"\[model\] preset: expected one of tiny, small, base, got 'tini'"):
        config.model_settings(ClassifierConfig)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none.toml: expected a configuration file, got none"):
        TrainConfig.from_toml(tmp_path / "none.toml")


def test_types_of_annotations() -> None:
    assert strict.convert(int | None, 3, "x") == 3
    assert strict.convert(tuple[int, ...], [1, 2], "x") == (1, 2)
    with pytest.raises(ConfigError, match=r"x\[1\]: expected an integer, got 'b'"):
        strict.convert(tuple[int, int], [1, "b"], "x")
    with pytest.raises(ConfigError, match=r"x: expected 2 values, got 1; write all of them"):
        strict.convert(tuple[int, int], [1], "x")
    with pytest.raises(ConfigError, match=r"x: expected a list, got 1"):
        strict.convert(tuple[int, int], 1, "x")
    assert strict.convert(Literal["a", "b"], "b", "x") == "b"


def test_what_follows_from_the_data_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"x train: expected no value, since it follows from the data, got 'a'"):
        strict.read(DataSettings, {"train": "a"}, "x", {"train": "b"})


@pytest.mark.parametrize("name", sorted(name for name, kind in KINDS.items() if kind.inherits))
def test_what_a_checkpoint_derived_from_its_data_is_not_taken_over(tmp_path: Path, name: str) -> None:
    kind = KINDS[name]
    assert kind.inherits is not None
    (tmp_path / "r.toml").write_text(f'[model]\nkind = "{name}"\n[data]\n')
    written = {"model": name, "config": dict.fromkeys((*kind.inherits.derived, "width"), "of the checkpoint")}
    found = TrainConfig.from_toml(tmp_path / "r.toml").beginning_with(written).model
    assert found["width"] == "of the checkpoint"
    assert not {*kind.inherits.derived} & {*found}
