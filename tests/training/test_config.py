"""Every refusal of the configuration names the file, the key and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from gattn_tg.errors import ConfigError
from gattn_tg.models.config import ClassifierConfig
from gattn_tg.training import strict
from gattn_tg.training.config import TrainConfig
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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + "[train]\nepoch = 3\n", r"run.toml: \[train\]: one of .* came 'epoch'; did you mean 'epochs'\?"),
        (GOOD + "[train]\nzzz = 3\n", r"\[train\]: .* came 'zzz'; known: epochs, steps, batch_size"),
        (GOOD + '[train]\nepochs = "3"\n', r"epochs: an integer is required, but came '3'; write it without quotes"),
        (GOOD + "[train]\nepochs = 3.5\n", r"epochs: an integer is required, but came 3.5"),
        (GOOD + "[train]\nepochs = true\n", r"epochs: an integer is required, but came True"),
        (GOOD + "[train]\nepochs = 0\n", r"epochs: at least 1 is required, but came 0; change epochs"),
        (GOOD + "[train]\nreverse_complement = 1\n", r"true or false is required, but came 1; write true or false"),
        (GOOD + '[train]\nschedule = "cos"\n', r"schedule: one of 'cosine', .* is required, but came 'cos'"),
        (GOOD + "[train]\nema_decay = 1.0\n", r"ema_decay: a share from 0 up to 1 .* is required, but came 1.0"),
        (GOOD + "[train]\nkeep = 0\n", r"keep: at least 1 is required, but came 0; change keep"),
        (GOOD + "[model]\nkind = 3\n", r"\[model\] kind: a string is required, but came 3"),
        (GOOD + "[train]\nlearning_rate = 1e-6\n", r"min_learning_rate: at most learning_rate = 1e-06 is required"),
        (GOOD + "[trian]\n", r"tables .* are required, but came 'trian'; did you mean 'train'\?"),
        ("[train]\n", r"a table \[data\] is required, but is missing; add \[data\]"),
        ("[data]\nvalid = 'a.csv'\n", r"\[data\]: train is required, but is missing; add train = ..."),
        ("[data]\ntrain = 'b.csv'\n", r"train: an existing file is required, but came 'b.csv' .*relative to"),
        ("[data]\ntrain = ''\n", r"\[data\] train: an existing file is required, but came ''"),
        (GOOD + "valid_fraction = 1.0\n", r"valid_fraction: a share from 0 up to 1 .* is required, but came 1.0"),
        (GOOD + "valid_fraction = 0\n", r"valid_fraction: more than 0 without a valid file is required"),
        ("data = 3\n", r"\[data\]: a table is required, but came 3; write it as \[data\]"),
        ("model = 3\n" + GOOD, r"\[model\]: a table is required, but came 3"),
        ("[data\n", r"run.toml: TOML is required, but .*; correct that line"),
    ],
)  # fmt: skip
def test_refusals(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(TrainConfig.from_toml(write(tmp_path, text)))


def test_kinds_and_presets(tmp_path: Path) -> None:
    config = TrainConfig.from_toml(write(tmp_path, GOOD + '[model]\nkind = "SequenceClasifier"\n'))
    with pytest.raises(ConfigError, match=r"kind: one of SequenceClassifier.* but came 'SequenceClasifier'; did you"):
        task_of(config)
    config = TrainConfig.from_toml(write(tmp_path, GOOD + '[model]\npreset = "small"\nn_layers = 3\n'))
    shape = config.model_settings(ClassifierConfig, {"n_classes": 2})
    assert (shape.width, shape.n_layers, shape.n_classes) == (128, 3, 2)
    config = TrainConfig.from_toml(write(tmp_path, GOOD + '[model]\npreset = "tini"\n'))
    with pytest.raises(ConfigError, match=r"\[model\] preset: one of tiny, small, base is required, but came 'tini'"):
        config.model_settings(ClassifierConfig)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none.toml: a configuration file is required, but it does not exist"):
        TrainConfig.from_toml(tmp_path / "none.toml")


def test_types_of_annotations() -> None:
    assert strict.convert(int | None, 3, "x") == 3
    assert strict.convert(tuple[int, ...], [1, 2], "x") == (1, 2)
    with pytest.raises(ConfigError, match=r"x\[1\]: an integer is required, but came 'b'"):
        strict.convert(tuple[int, int], [1, "b"], "x")
    with pytest.raises(ConfigError, match=r"x: 2 values are required, but came 1; write all of them"):
        strict.convert(tuple[int, int], [1], "x")
    with pytest.raises(ConfigError, match=r"x: a list is required, but came 1"):
        strict.convert(tuple[int, int], 1, "x")
    assert strict.convert(Literal["a", "b"], "b", "x") == "b"


def test_what_follows_from_the_data_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"x train: it follows from the data, but came 'a'; remove it"):
        strict.read(DataSettings, {"train": "a"}, "x", {"train": "b"})
