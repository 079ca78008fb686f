"""The training, validation and test sets that a configuration names."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np

from gattn_tg.data import LabelledSequences, split
from gattn_tg.data.tables.encoded import EncodedTable
from gattn_tg.errors import ConfigError
from gattn_tg.io import TableColumns
from gattn_tg.models.readouts.sequences import NAME, SEQUENCE
from gattn_tg.motif import MotifVocabulary
from gattn_tg.strict import require
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.tasks import remarks
from gattn_tg.training.tasks.sources import Names, Source, said, source_of
from gattn_tg.types import Int

BALANCED = "balanced"
TaskName = Literal["classes", "labels", "values"]
Weights = Literal["balanced"] | tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """Where the labelled sequences come from.

    Args:
        train: CSV or TSV with a column of sequences and others of what is learnt, plain or gzip; a path relative to
            the TOML file. Several tables are a list, or a pattern such as "parts/*.csv". Tables larger than memory
            are a folder that `gattn preprocess` made of them, which stays on disk.
        valid: The same, for choosing the best epoch; "" carves `valid_fraction` out of train.
        test: The same, looked at once at the end; "" carves `test_fraction` out of train (0: no test).
        valid_fraction: Share of every class taken for validation when there is no file.
        test_fraction: Share of every class taken for the test when there is no file.
        split_seed: Seed of that choice; it does not depend on the seed of the run.
        max_length: Longest sequence in bases; 0 takes the longest one of train.
        vocabulary: "default", "methylation" (CpG measured as methylated, as not, and others), or the path of a motif
            vocabulary in TOML.
        matrices: Motif matrices that `filters` of the model begin as, in place of those of the vocabulary: a file of
            MEME, JASPAR, HOMER or HOCOMOCO, or "jaspar", the 879 matrices of vertebrates that travel with the package.
        matrices_pvalue: Chance per position and strand of a score at which such a filter begins to speak.
        task: What is learnt: "classes", one of several for each sequence; "labels", a yes or no for each of several
            columns; "values", measured numbers.
        sequence_column: Column with the sequences; tables to predict from have it too.
        name_column: Column with names, which predictions keep; the column "name" may be missing, another may not.
        state_column: Column with what an experiment measured at each base, one letter per base and "." for nothing, as
            methylation 1 or 0 at the C of CpGs; the vocabulary has a class of kind "measured" for each of these signs.
            "" reads sequences alone.
    """

    train: Names
    valid: Names = ""
    test: Names = ""
    valid_fraction: float = 0.1
    test_fraction: float = 0.0
    split_seed: int = 0
    max_length: int = 0
    vocabulary: str = "default"
    matrices: str = ""
    matrices_pvalue: float = 1e-3
    task: TaskName = "classes"
    sequence_column: str = SEQUENCE
    name_column: str = NAME
    state_column: str = ""

    def __post_init__(self) -> None:
        for name in ("valid_fraction", "test_fraction"):
            require(
                0.0 <= getattr(self, name) < 1.0, name, "a share from 0 up to 1 (1 excluded)", getattr(self, name)
            )
        require(self.max_length >= 0, "max_length", "a number of bases, or 0", self.max_length)
        require(0 < self.matrices_pvalue < 1, "matrices_pvalue", "a chance between 0 and 1", self.matrices_pvalue)
        if not self.valid:
            require(
                self.valid_fraction > 0, "valid_fraction", "more than 0 without a valid file", self.valid_fraction
            )
        for name in ("train", "valid", "test"):
            names = getattr(self, name)
            require(isinstance(names, str) or (bool(names) and all(names)), name, "at least one file, each with a name",
                    list(names))  # fmt: skip
        for name in ("sequence_column", "name_column"):
            require(bool(getattr(self, name)), name, "the name of a column", getattr(self, name))

    @property
    def named(self) -> str | None:
        """The column with names that every table must have; None where it may be missing."""
        return None if self.name_column == NAME else self.name_column

    @property
    def columns(self) -> dict[str, Any]:
        """The columns that a readout keeps, as its arguments."""
        return {"sequence_column": self.sequence_column, "name_column": self.name_column,
                "state_column": self.state_column}  # fmt: skip

    def require_states(self, vocabulary: MotifVocabulary) -> None:
        """Raises ConfigError unless there is a column of states just where the vocabulary has classes for them."""
        if bool(self.state_column) != bool(vocabulary.states):
            wanted = "a column of measured states, as the vocabulary has classes for them" if vocabulary.states else (
                "none, as the vocabulary has no class of measured states")  # fmt: skip
            require(False, "state_column", wanted, self.state_column)

    def tables(self, config: TrainConfig) -> tuple[dict[str, Source], tuple[str, ...]]:
        """The rows that there are by part, train among them, and what is to be said about them.

        Raises:
            FormatError: A file is malformed.
            ConfigError: A file is missing.
        """
        names = {key: name for key in ("train", "valid", "test") if (name := getattr(self, key)) or key == "train"}
        return {key: source_of(config, key, name, self.read) for key, name in names.items()}, ()

    def origin(self, part: str) -> str:
        """Where the sequences of a part come from, if they are not carved out of train."""
        return f"from {said(getattr(self, part))}"

    @classmethod
    def of(cls, label_names: tuple[str, ...]) -> Self:
        """The choices of data that is no file."""
        raise NotImplementedError

    @property
    def read(self) -> TableColumns:
        """What is read of a table of this task."""
        raise NotImplementedError

    def require_learnable(self, data: LabelledSequences, where: str) -> None:
        """Raises ConfigError, which begins with `where`, when the training table holds nothing to learn."""
        raise NotImplementedError

    def strata(self, data: LabelledSequences) -> Int[np.ndarray, "N"]:
        """Groups of rows of which every part gets the same mix."""
        raise NotImplementedError

    def counts(self, data: LabelledSequences) -> dict[str, int]:
        """How many sequences a set has, of each class or label where there are some."""
        raise NotImplementedError

    def described(self, data: LabelledSequences) -> list[str]:
        """What a set holds, a few words for each class or column."""
        return [f"{name} {n:,}" for name, n in self.counts(data).items()]

    def warnings(self, sets: Mapping[str, LabelledSequences]) -> list[str]:
        """What a user should think about, for sets named train, valid and test."""
        raise NotImplementedError

    def fingerprint(self) -> bytes:
        """What a resumed run must have in common with the first one, beside its data."""
        raise NotImplementedError


def require_weights(weights: Weights) -> None:
    """Raises ConfigError unless class_weights are "balanced", or all above 0."""
    if weights != BALANCED:
        require(all(isinstance(w, float) and w > 0 for w in weights), "class_weights", "weights above 0", weights)


def require_as_many(weights: Weights, names: Sequence[str]) -> None:
    """Raises ConfigError unless there is a weight for each name."""
    if len(weights) != len(names):
        raise ConfigError(f"class_weights: expected {len(names)} weights, for {', '.join(names)} in this order, got "
                          f"{len(weights)}; write one for each")


def require_columns(columns: tuple[str, ...]) -> None:
    """Raises ConfigError unless label_columns are different columns, at least one."""
    folded = [name.casefold() for name in columns]  # as headers are compared
    fit = bool(folded) and all(folded) and len(set(folded)) == len(folded)
    require(fit, "label_columns", "at least one column, each once", list(columns))


@dataclass(frozen=True)
class Datasets:
    """Three sets with the same classes or columns, motif classes and width; `test` is None when the run has none.

    `notes` says what was read and chosen, `warnings` what a user should think about.
    """

    train: LabelledSequences
    valid: LabelledSequences
    test: LabelledSequences | None
    vocabulary: MotifVocabulary
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def load(config: TrainConfig, settings: DataSettings) -> Datasets:
    """Reads, encodes and annotates the files of a configuration.

    Sets that have no file are carved out of train: classes keep their shares, copies of a sequence stay together.

    Raises:
        FormatError: A file is malformed, or a sequence is longer than max_length.
        ConfigError: A file has a class that train does not have, a carved set would be empty, or there is nothing to
            learn, see `require_learnable` of the settings.
    """
    tables, told = settings.tables(config)
    table = tables["train"]
    vocabulary = _vocabulary(config, settings, tables)
    try:
        settings.require_states(vocabulary)
    except ConfigError as error:
        raise ConfigError(f"{config.path}: [data] {error}") from error

    def encode(key: str, width: int, label_names: tuple[str, ...] | None = None) -> LabelledSequences:
        source = tables[key]
        if isinstance(source, EncodedTable):
            return source.sequences(width, label_names)
        return source.sequences(vocabulary, width, label_names, f"{config.path}: [data]").with_facts()

    whole = encode("train", settings.max_length or table.longest)
    settings.require_learnable(whole, table.where)
    rows = dict(zip(("train", "valid", "test"), carve(settings, whole, str(config.path), tables), strict=True))
    others = {key: encode(key, whole.width, whole.label_names) for key in tables if key != "train"}
    valid = others.get("valid") or whole.subset(rows["valid"])
    test = others.get("test") or (whole.subset(rows["test"]) if rows["test"].size else None)
    train = whole if len(rows["train"]) == len(whole) else whole.subset(rows["train"])
    sets = {"train": train, "valid": valid, **({} if test is None else {"test": test})}
    notes = [
        remarks.sizes_of(name, data, settings.described(data), _origin(settings, name, name not in tables))
        for name, data in sets.items()
    ]
    return Datasets(train, valid, test, vocabulary, (*told, *notes), tuple(settings.warnings(sets)))


def _origin(settings: DataSettings, name: str, is_carved: bool) -> str:
    """Where a set comes from, in the words of the [data] table."""
    if not is_carved:
        return settings.origin(name)
    share = getattr(settings, f"{name}_fraction")
    source = settings.origin("train").removeprefix("from ")
    return f"{share:.0%} of {source} ({name}_fraction, split_seed {settings.split_seed})"


def _vocabulary(config: TrainConfig, settings: DataSettings, tables: Mapping[str, Source]) -> MotifVocabulary:
    """The vocabulary that [data] names, or where it names none that of its folders.

    Raises:
        ConfigError: A folder has motif ids of another one.
    """
    folders = {key: source for key, source in tables.items() if isinstance(source, EncodedTable)}
    given = config.vocabulary(settings.vocabulary) or MotifVocabulary.default()
    if folders and "vocabulary" not in config.data:
        given = next(iter(folders.values())).vocabulary
    for key, source in folders.items():
        if source.vocabulary.to_toml() != given.to_toml():
            raise ConfigError(
                f"{config.path}: [data] {key}: expected motif ids of the vocabulary of this run, got those of another "
                f"in {source.path}; preprocess it with that vocabulary, or name the one of the folder"
            )
    return given


def carve(
    settings: DataSettings, data: LabelledSequences, where: str, tables: Collection[str] = ()
) -> tuple[Int[np.ndarray, "k"], ...]:
    """Row numbers of train, valid and test within the training file; a set with a file of its own gets none.

    Args:
        settings: Which sets have files, and the shares of those that have none.
        data: The training file.
        where: Name of the configuration for messages.
        tables: Sets that have rows of their own.

    Raises:
        ConfigError: A share that is asked for rounds to no sequence, or nothing is left to train on.
    """
    n = len(data)
    shares = {
        "valid": 0.0 if settings.valid or "valid" in tables else settings.valid_fraction,
        "test": 0.0 if settings.test or "test" in tables else settings.test_fraction,
    }
    sizes = {name: round(share * n) for name, share in shares.items()}
    sizes = {"train": n - sum(sizes.values()), **sizes}
    for name, size in sizes.items():
        if size < 1 and (name == "train" or shares[name] > 0):
            raise ConfigError(
                f"{where}: [data]: expected at least one sequence for {name}, but {size} of {n} would be "
                "left; give more data or other fractions"
            )
    wanted = [name for name, size in sizes.items() if size]
    if wanted == ["train"]:
        return np.arange(n), *[np.zeros(0, np.int64)] * 2
    copies = data.with_facts().facts
    assert copies is not None
    parts = split(settings.strata(data), [sizes[name] for name in wanted], settings.split_seed, groups=copies.sequence)
    found = dict(zip(wanted, parts, strict=True))
    nothing = np.zeros(0, np.int64)
    return tuple(found.get(name, nothing) for name in sizes)
