"""What one training run is made of, read from a TOML file with three tables: [model], [data], [train]."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from gattn_tg import strict
from gattn_tg.errors import ConfigError
from gattn_tg.models.captured.room import require_weights
from gattn_tg.models.config import Config, TrunkConfig
from gattn_tg.models.kinds import KINDS
from gattn_tg.models.readouts.readout import TASK
from gattn_tg.motif.vocabulary import MotifVocabulary
from gattn_tg.training.settings import TrainSettings

TABLES = ("data", "model", "train")
DEFAULT_KIND = "SequenceClassifier"
C = TypeVar("C", bound=Config)
T = TypeVar("T", bound=TrunkConfig)
D = TypeVar("D")


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
