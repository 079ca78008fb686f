"""What one training run is made of, read from a TOML file with three tables: [model], [data], [train]."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gattn_tg.errors import ConfigError
from gattn_tg.train import strict

Monitor = Literal["auc", "accuracy", "mcc", "loss"]


@dataclass(frozen=True)
class DataSettings:
    """Where the labelled sequences come from.

    Args:
        train: CSV or TSV with the columns sequence and label, plain or gzip; a path relative to the TOML file.
        valid: The same, for choosing the best epoch; "" carves `valid_fraction` out of train.
        test: The same, looked at once at the end; "" carves `test_fraction` out of train (0: no test).
        valid_fraction: Share of every class taken for validation when there is no file.
        test_fraction: Share of every class taken for the test when there is no file.
        split_seed: Seed of that choice; it does not depend on the seed of the run.
        max_length: Longest sequence in bases; 0 takes the longest one of train.
        vocabulary: "default", or the path of a motif vocabulary in TOML.
    """

    train: str
    valid: str = ""
    test: str = ""
    valid_fraction: float = 0.1
    test_fraction: float = 0.0
    split_seed: int = 0
    max_length: int = 0
    vocabulary: str = "default"

    def __post_init__(self) -> None:
        for name in ("valid_fraction", "test_fraction"):
            _require(
                0.0 <= getattr(self, name) < 1.0, name, "a share from 0 up to 1 (1 excluded)", getattr(self, name)
            )
        _require(self.max_length >= 0, "max_length", "a number of bases, or 0", self.max_length)
        if not self.valid:
            _require(
                self.valid_fraction > 0, "valid_fraction", "more than 0 without a valid file", self.valid_fraction
            )


@dataclass(frozen=True)
class TrainSettings:
    """How the weights are learnt.

    Args:
        epochs: Passes over the training set.
        batch_size: Sequences per step.
        learning_rate: Peak of the schedule, for AdamW.
        min_learning_rate: Where the cosine ends.
        warmup_steps: Steps of linear rise.
        weight_decay: Decoupled decay of weight matrices; biases, norms and motif tables have none.
        motif_rate: Learning rate of the motif tables in multiples of the others; they start at zero, are few and get
            small gradients.
        clip_norm: Gradients are scaled down to this global L2 norm; 0 never.
        label_smoothing: Share of the target spread evenly over the classes.
        reverse_complement: Flip every training example with probability 1/2.
        monitor: What the best epoch is chosen by, on the validation set; the lower loss among equals.
        patience: Epochs without improvement before the run stops early; 0 never.
        seed: Of the first weights, the order of the data and dropout.
    """

    epochs: int = 10
    batch_size: int = 64
    learning_rate: float = 1e-3
    min_learning_rate: float = 1e-5
    warmup_steps: int = 50
    weight_decay: float = 0.01
    motif_rate: float = 10.0
    clip_norm: float = 1.0
    label_smoothing: float = 0.0
    reverse_complement: bool = False
    monitor: Monitor = "auc"
    patience: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            _require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        for name in ("learning_rate", "motif_rate"):
            _require(getattr(self, name) > 0, name, "more than 0", getattr(self, name))
        for name in ("min_learning_rate", "warmup_steps", "weight_decay", "clip_norm", "patience", "seed"):
            _require(getattr(self, name) >= 0, name, "0 or more", getattr(self, name))
        _require(0 <= self.label_smoothing < 1, "label_smoothing", "a share from 0 up to 1", self.label_smoothing)
        _require(
            self.min_learning_rate <= self.learning_rate,
            "min_learning_rate",
            f"at most learning_rate = {self.learning_rate:g}",
            self.min_learning_rate,
        )


@dataclass(frozen=True)
class TrainConfig:
    """A whole run: the tables of the TOML file, and the folder its paths are relative to.

    Args:
        data: The [data] table.
        train: The [train] table.
        model: The [model] table as it was read; `ClassifierConfig` checks it when the number of classes is known.
        path: The TOML file.
    """

    data: DataSettings
    train: TrainSettings
    model: dict[str, Any]
    path: Path

    @classmethod
    def from_toml(cls, path: Path | str) -> TrainConfig:
        """Reads and checks a configuration.

        Raises:
            ConfigError: The file is missing or not TOML, a table or key is unknown, missing or of a wrong type, or a
                file it names does not exist.
        """
        path = Path(path)
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ConfigError(
                f"{path}: a configuration file is required, but it does not exist; check the path"
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: a readable TOML file is required, but {error}; check the path") from None
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{path}: TOML is required, but {error}; correct that line") from None
        known = ("data", "model", "train")
        for key in document:
            if key not in known:
                raise ConfigError(
                    f"{path}: tables [data], [model] and [train] are required, but came {key!r}; "
                    f"{strict.nearest(key, known)}"
                )
        model = document.get("model", {})
        if not isinstance(model, dict):
            raise ConfigError(f"{path}: [model]: a table is required, but came {model!r}; write it as [model]")
        if "data" not in document:
            raise ConfigError(f'{path}: a table [data] is required, but is missing; add [data] with train = "..."')
        config = cls(
            data=strict.read(DataSettings, document["data"], f"{path}: [data]"),
            train=strict.read(TrainSettings, document.get("train", {}), f"{path}: [train]"),
            model=model,
            path=path,
        )
        for name in ("train", "valid", "test", "vocabulary"):
            value = getattr(config.data, name)
            if value in ("", "default") and name != "train":
                continue
            if not config.resolve(value).is_file():
                raise ConfigError(
                    f"{path}: [data] {name}: an existing file is required, but came {value!r} "
                    f"({config.resolve(value)}); paths are relative to the folder of the TOML file"
                )
        return config

    def resolve(self, name: str) -> Path:
        """A path of the file, relative to the folder of the file."""
        return self.path.parent / name


def _require(holds: bool, name: str, wanted: str, value: object) -> None:
    if not holds:
        raise ConfigError(f"{name}: {wanted} is required, but came {value!r}; change {name}")
