"""The training, validation and test sets that a configuration names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gattn_tg.data import LabelledSequences, encode_labelled, split
from gattn_tg.errors import ConfigError
from gattn_tg.io import LabelledTable, read_labelled
from gattn_tg.models.room import require_bytes
from gattn_tg.motif import MotifVocabulary
from gattn_tg.strict import require
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.tasks import remarks
from gattn_tg.types import Int


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
            require(
                0.0 <= getattr(self, name) < 1.0, name, "a share from 0 up to 1 (1 excluded)", getattr(self, name)
            )
        require(self.max_length >= 0, "max_length", "a number of bases, or 0", self.max_length)
        if not self.valid:
            require(
                self.valid_fraction > 0, "valid_fraction", "more than 0 without a valid file", self.valid_fraction
            )


@dataclass(frozen=True)
class Datasets:
    """Three sets with the same classes, motif classes and width; `test` is None when the run has none.

    `notes` says what was read and chosen, `warnings` what a user should think about.
    """

    train: LabelledSequences
    valid: LabelledSequences
    test: LabelledSequences | None
    vocabulary: MotifVocabulary
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def load(config: TrainConfig) -> Datasets:
    """Reads, encodes and annotates the files of a configuration.

    Sets that have no file are carved out of train: classes keep their shares, copies of a sequence stay together.

    Raises:
        FormatError: A file is malformed, or a sequence is longer than max_length.
        ConfigError: A file has a class that train does not have, a carved set would be empty, or there are no classes
            to learn, see `remarks.require_classes`.
    """
    settings = config.data_settings(DataSettings)
    paths = {
        key: config.file(key, value)
        for key in ("train", "valid", "test")
        if (value := getattr(settings, key)) or key == "train"
    }
    vocabulary = config.vocabulary(settings.vocabulary) or MotifVocabulary.default()
    table = read_labelled(paths["train"])
    remarks.require_classes(table)
    width = max(settings.max_length, max(map(len, table.sequences)))
    require_bytes(
        2 * len(table) * width, f"{config.path}: [data]", f"{len(table):,} sequences of max_length {width:,}",
        "lower max_length, or shorten the sequences",
    )  # fmt: skip
    whole = encode_labelled(table, vocabulary, settings.max_length or None)

    def encode(key: str) -> LabelledSequences | None:
        if key not in paths:
            return None
        return encode_labelled(read_labelled(paths[key]), vocabulary, whole.width, whole.label_names)

    rows = dict(zip(("train", "valid", "test"), carve(settings, table, str(config.path)), strict=True))
    valid = encode("valid") or whole.subset(rows["valid"])
    test = encode("test") or (whole.subset(rows["test"]) if rows["test"].size else None)
    train = whole.subset(rows["train"])
    sets = {"train": train, "valid": valid, "test": test}
    notes = [
        remarks.sizes_of(name, data, _origin(settings, name))
        for name, data in sets.items()
        if data is not None
    ]
    return Datasets(train, valid, test, vocabulary, tuple(notes), tuple(remarks.warnings_of(sets)))


def _origin(settings: DataSettings, name: str) -> str:
    """Where a set comes from, in the words of the [data] table."""
    if named := getattr(settings, name):
        return f"from {named}"
    share = getattr(settings, f"{name}_fraction")
    return f"{share:.0%} of {settings.train} ({name}_fraction, split_seed {settings.split_seed})"


def carve(settings: DataSettings, table: LabelledTable, where: str) -> tuple[Int[np.ndarray, "k"], ...]:
    """Row numbers of train, valid and test within the training file; a set with a file of its own gets none.

    Args:
        settings: Which sets have files, and the shares of those that have none.
        table: The training file.
        where: Name of the configuration for messages.

    Raises:
        ConfigError: A share that is asked for rounds to no sequence, or nothing is left to train on.
    """
    n = len(table)
    shares = {
        "valid": 0.0 if settings.valid else settings.valid_fraction,
        "test": 0.0 if settings.test else settings.test_fraction,
    }
    sizes = {name: round(share * n) for name, share in shares.items()}
    sizes = {"train": n - sum(sizes.values()), **sizes}
    for name, size in sizes.items():
        if size < 1 and (name == "train" or shares[name] > 0):
            raise ConfigError(
                f"{where}: [data]: expected at least one sequence for {name}, but {size} of {n} would be "
                "left; give more data or other fractions"
            )
    assert table.labels is not None  # read_labelled was asked for labels
    wanted = [name for name, size in sizes.items() if size]
    parts = split(table.labels, [sizes[name] for name in wanted], settings.split_seed, groups=table.sequences)
    found = dict(zip(wanted, parts, strict=True))
    nothing = np.zeros(0, np.int64)
    return tuple(found.get(name, nothing) for name in sizes)
