"""What one training run is made of, read from a TOML file with three tables: [model], [data], [train]."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from gattn_tg import strict
from gattn_tg.errors import ConfigError
from gattn_tg.models.captured.room import require_weights
from gattn_tg.models.config import Config, TrunkConfig
from gattn_tg.models.kinds import KINDS
from gattn_tg.models.readouts.readout import TASK
from gattn_tg.motif.vocabulary import MotifVocabulary
from gattn_tg.strict import require

Precision = Literal["float32", "bfloat16"]
Schedule = Literal["cosine", "linear", "constant"]
TABLES = ("data", "model", "train")
DEFAULT_KIND = "SequenceClassifier"
C = TypeVar("C", bound=Config)
T = TypeVar("T", bound=TrunkConfig)
D = TypeVar("D")
_NOT_NEGATIVE = (
    "steps", "least_steps", "min_learning_rate", "warmup_steps", "weight_decay", "filter_rate", "trunk_rate",
    "lora_rank", "clip_norm", "validate_every", "checkpoint_every", "checkpoint_minutes", "patience", "seed",
)  # fmt: skip


@dataclass(frozen=True)
class TrainSettings:
    """How the weights are learnt, whatever the task.

    Args:
        epochs: Passes over the training set; does not count where `steps` is given.
        steps: Optimiser steps of the whole run; 0 takes `epochs`.
        least_steps: Where passes are counted: further passes are made until there are so many steps, and `patience`
            ends no run before. A pass over few rows is few steps, and a network needs some hundred to begin to learn.
        batch_size: Rows of one micro-batch on one process. An optimiser step sees batch_size * accumulate * ranks rows;
            the devices of one process share its batch_size out.
        accumulate: Micro-batches whose gradients make one optimiser step.
        precision: "float32", or "bfloat16" for the network with float32 master weights.
        recompute: Keep of each block its input only, and compute it once more for its gradients: less memory, more
            time.
        learning_rate: Peak of the schedule, for AdamW.
        min_learning_rate: Where the schedule ends.
        schedule: Shape of the way there, after the warm-up: "cosine", "linear" or "constant".
        warmup_steps: Steps of linear rise.
        weight_decay: Decoupled decay of weight matrices; biases, norms and motif tables have none.
        motif_rate: Learning rate of the motif tables in multiples of the others; they start at zero, are few and get
            small gradients.
        kmer_rate: Peak of the schedule for the linear models of `kmers`, `placed` and `filters`, which learn by
            gradient descent with momentum: AdamW would take as large a step for a word that is seen once as for one
            that is seen often.
        filter_rate: Learning rate of `filters` in multiples of the others; 0 leaves the matrices as they are;
            what they find is then computed once for a run where only linear models read it.
        trunk_rate: Learning rate of weights taken over by `gattn finetune`, in multiples of the others; 0 freezes them.
        lora_rank: Updates of this rank (8, for instance) are learnt for the affine maps of the blocks, and all that
            `gattn finetune` took over stays as it is; `trunk_rate` is then the rate of the updates, which are part of
            the weights in every checkpoint. 0 for none.
        clip_norm: Gradients are scaled down to this global L2 norm; 0 never.
        ema_decay: Share of the old value that a running mean of the weights keeps in every step, for instance 0.999;
            validation and `best/` use the mean then. 0: no mean.
        label_smoothing: Share of the target spread evenly over the classes, for tasks with classes.
        reverse_complement: Flip every training example with probability 1/2, for tasks that can.
        validate_every: Steps from one validation to the next; 0 validates after every pass.
        checkpoint_every: Steps from one checkpoint to the next; 0 keeps one after every validation.
        checkpoint_minutes: Also keep one when the last is older than this; 0 never.
        keep: Checkpoints that stay on disk, the newest ones.
        monitor: What the best weights are chosen by, a metric of the validation; "" takes the task's first choice.
            Among equals the lower loss decides.
        patience: Validations without improvement before the run stops early; 0 never.
        log_every: Steps from one line of training loss in metrics.jsonl to the next.
        tensorboard: Also write event files for TensorBoard; needs the extra `tensorboard`.
        shard_optimizer: Every process of an MPI run keeps only its share of the moments of AdamW (and of the running
            mean).
        seed: Of the first weights, the order of the data and dropout.
    """

    epochs: int = 10
    steps: int = 0
    least_steps: int = 0
    batch_size: int = 64
    accumulate: int = 1
    precision: Precision = "float32"
    recompute: bool = False
    learning_rate: float = 1e-3
    min_learning_rate: float = 1e-5
    schedule: Schedule = "cosine"
    warmup_steps: int = 50
    weight_decay: float = 0.01
    motif_rate: float = 10.0
    kmer_rate: float = 2.0
    filter_rate: float = 1.0
    trunk_rate: float = 1.0
    lora_rank: int = 0
    clip_norm: float = 1.0
    ema_decay: float = 0.0
    label_smoothing: float = 0.0
    reverse_complement: bool = False
    validate_every: int = 0
    checkpoint_every: int = 0
    checkpoint_minutes: float = 0.0
    keep: int = 3
    monitor: str = ""
    patience: int = 0
    log_every: int = 10
    tensorboard: bool = False
    shard_optimizer: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "accumulate", "keep", "log_every"):
            require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        for name in ("learning_rate", "motif_rate", "kmer_rate"):
            require(getattr(self, name) > 0, name, "more than 0", getattr(self, name))
        for name in _NOT_NEGATIVE:
            require(getattr(self, name) >= 0, name, "0 or more", getattr(self, name))
        for name in ("label_smoothing", "ema_decay"):
            require(0 <= getattr(self, name) < 1, name, "a share from 0 up to 1 (1 excluded)", getattr(self, name))
        require(self.trunk_rate > 0 or not self.lora_rank, "trunk_rate", "more than 0, the rate of the updates of "
                "lora_rank", self.trunk_rate)
        require(
            self.min_learning_rate <= self.learning_rate,
            "min_learning_rate",
            f"at most learning_rate = {self.learning_rate:g}",
            self.min_learning_rate,
        )


@dataclass(frozen=True)
class TrainConfig:
    """A whole run: the tables of the TOML file, and the folder its paths are relative to.

    Args:
        kind: `[model] kind`, a key of `models.kinds.KINDS`.
        model: The rest of the [model] table as it was read; `model_settings` checks it.
        data: The [data] table as it was read; `data_settings` checks it, every task has its own.
        train: The [train] table.
        path: The TOML file.
        home: Folder that paths in the file are relative to; None is the folder of the file.
    """

    kind: str
    model: dict[str, Any]
    data: dict[str, Any]
    train: TrainSettings
    path: Path
    home: Path | None = None

    @classmethod
    def from_toml(cls, path: Path | str, home: Path | None = None) -> TrainConfig:
        """Reads a configuration and checks what does not depend on the task.

        Args:
            path: The file.
            home: Folder that its paths are relative to, for a copy of a file; None is the folder of the file.

        Raises:
            ConfigError: The file is missing or not TOML, or a table or a key of [train] is unknown or of a wrong type.
        """
        path = Path(path)
        document = _document(path)
        for key in document:
            if key not in TABLES:
                raise ConfigError(
                    f"{path}: expected tables [data], [model] and [train], got {key!r}; "
                    f"{strict.nearest(key, TABLES)}"
                )
        for name in TABLES:
            if not isinstance(document.get(name, {}), dict):
                raise ConfigError(
                    f"{path}: [{name}]: expected a table, got {document[name]!r}; write it as [{name}]"
                )
        if "data" not in document:
            raise ConfigError(f'{path}: expected a table [data], got none; add [data] with train = "..."')
        model = dict(document.get("model", {}))
        kind = strict.convert(str, model.pop("kind", DEFAULT_KIND), f"{path}: [model] kind")
        settings = strict.read(TrainSettings, document.get("train", {}), f"{path}: [train]")
        return cls(kind, model, document["data"], settings, path, home)

    @property
    def task(self) -> str:
        """`[data] task`, which of the tasks of its kind is meant; "" where the file does not say.

        Raises:
            ConfigError: It is no text.
        """
        found: str = strict.convert(str, self.data.get(TASK, ""), f"{self.path}: [data] {TASK}")
        return found

    def data_settings(self, cls: type[D]) -> D:
        """The [data] table as the frozen dataclass of a task.

        Raises:
            ConfigError: A key is unknown, missing or of another type, or the dataclass refuses it.
        """
        return strict.read(cls, self.data, f"{self.path}: [data]")

    def model_settings(self, cls: type[C], given: Mapping[str, Any] | None = None) -> C:
        """The [model] table as the configuration of a model: the fields of its `preset`, if any, then its own.

        Args:
            cls: Configuration of the model.
            given: Fields that follow from the data; the table may not have them.

        Raises:
            ConfigError: A key is unknown, missing or of another type, there is no such preset, `cls` refuses it, or
                the weights cannot fit into memory.
        """
        where, table = f"{self.path}: [model]", dict(self.model)
        if issubclass(cls, TrunkConfig):
            given = {**dict.fromkeys(cls.derived, ()), **(given or {})}
        preset = strict.convert(str, table.pop("preset", ""), f"{where} preset")
        if preset:
            strict.require_one_of(preset, cls.presets, f"{where} preset")
        defaults = {k: v for k, v in cls.presets[preset].items() if k not in (given or {})} if preset else {}
        listed = {k: list(v) if isinstance(v, tuple) else v for k, v in defaults.items()}  # as TOML has them
        shape = strict.read(cls, {**listed, **table}, where, given)
        kind = KINDS.get(self.kind)
        if kind is not None and isinstance(shape, kind.config):
            require_weights(kind.model, shape, where)
        return shape

    def beginning_with(self, written: Mapping[str, Any] | None) -> TrainConfig:
        """The same for a run that begins with a checkpoint: fields that its kind inherits are those of the checkpoint,
        where [model] leaves them out.

        Args:
            written: What config.json of the checkpoint says; None for a run that begins with none.

        Raises:
            ConfigError: Updates of low rank of weights that come from nowhere.
        """
        if written is None:
            if self.train.lora_rank:
                raise ConfigError(f"{self.path}: [train] lora_rank: expected 0, as there is no checkpoint whose "
                                  f"weights could be updated, got {self.train.lora_rank}; use `gattn finetune`")
            return self
        kind, origin = KINDS.get(self.kind), KINDS.get(written.get("model", DEFAULT_KIND))
        if kind is None or origin is None or kind.inherits is None or not issubclass(origin.config, kind.inherits):
            return self
        names = {field.name for field in fields(kind.inherits)} - {*kind.inherits.derived}
        taken = {name: value for name, value in written["config"].items() if name in names}
        return replace(self, model={**taken, **self.model})

    def file(self, key: str, name: str) -> Path:
        """A file that [data] names.

        Args:
            key: For the message.
            name: Its path, relative to the folder of the TOML file.

        Raises:
            ConfigError: There is no such file.
        """
        found = self.resolve(name)
        if not found.is_file():
            raise ConfigError(
                f"{self.path}: [data] {key}: expected an existing file, got {name!r} ({found}); "
                "paths are relative to the folder of the TOML file"
            )
        return found

    def vocabulary(self, name: str) -> MotifVocabulary | None:
        """The motif vocabulary that [data] names, in the package or in a file; None for "default".

        Raises:
            ConfigError: There is no such file, or it is no vocabulary.
        """
        if name == "methylation":
            return MotifVocabulary.methylation()
        return None if name == "default" else MotifVocabulary.from_toml(self.file("vocabulary", name))

    def with_motifs(self, shape: T, vocabulary: MotifVocabulary | None) -> T:
        """The configuration of a model with the ids of the motif classes that it names.

        Raises:
            ConfigError: It reads motif ids and there are none, or more than it has room for, or names a class that is
                not there.
        """
        if not shape.reads_motifs:
            return shape
        if vocabulary is None:
            raise ConfigError(
                f"{self.path}: [model]: expected a genome with motif ids by a model that reads them, got one "
                'without; encode it with motif ids, or set motif = "none" and embed_motifs = false'
            )
        if shape.n_motifs < vocabulary.n_motifs:
            raise ConfigError(
                f"{self.path}: [model] n_motifs: expected at least the {vocabulary.n_motifs} ids of the vocabulary, "
                f"got {shape.n_motifs}; raise n_motifs or shorten the vocabulary"
            )
        try:
            return shape.with_vocabulary(vocabulary)
        except ConfigError as error:
            name = type(shape).__name__
            raise ConfigError(f"{self.path}: [model]{str(error).removeprefix(name)}") from error

    def resolve(self, name: str) -> Path:
        """A path of the file, relative to the folder of the file."""
        return (self.home or self.path.parent) / name


def _document(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: expected a configuration file, got none; check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: expected a readable TOML file, but {error}; check the path") from None
    except (ValueError, RecursionError) as error:  # of TOML, and of numbers and tables without end
        raise ConfigError(f"{path}: expected TOML, but {error}; correct that line") from None
