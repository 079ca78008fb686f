"""The training, validation and test sets that a configuration names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gattn_tg.data import LabelledSequences, encode_labelled, split
from gattn_tg.errors import ConfigError
from gattn_tg.io import LabelledTable, read_labelled
from gattn_tg.motif import MotifVocabulary
from gattn_tg.train.config import TrainConfig
from gattn_tg.types import Int


@dataclass(frozen=True)
class Datasets:
    """Three sets with the same classes, motif classes and width; `test` is None when the run has none."""

    train: LabelledSequences
    valid: LabelledSequences
    test: LabelledSequences | None
    vocabulary: MotifVocabulary


def load(config: TrainConfig) -> Datasets:
    """Reads, encodes and annotates the files of a configuration.

    Sets that have no file are carved out of train: classes keep their shares, copies of a sequence stay together.

    Raises:
        FormatError: A file is malformed, or a sequence is longer than max_length.
        ConfigError: A file has a class that train does not have, or a carved set would be empty.
    """
    settings = config.data
    vocabulary = (
        MotifVocabulary.default()
        if settings.vocabulary == "default"
        else MotifVocabulary.from_toml(config.resolve(settings.vocabulary))
    )
    table = read_labelled(config.resolve(settings.train))
    whole = encode_labelled(table, vocabulary, settings.max_length or None)

    def encode(name: str) -> LabelledSequences | None:
        if not name:
            return None
        return encode_labelled(read_labelled(config.resolve(name)), vocabulary, whole.width, whole.label_names)

    rows = dict(zip(("train", "valid", "test"), carve(config, table), strict=True))
    valid = encode(settings.valid) or whole.subset(rows["valid"])
    test = encode(settings.test) or (whole.subset(rows["test"]) if rows["test"].size else None)
    return Datasets(whole.subset(rows["train"]), valid, test, vocabulary)


def carve(config: TrainConfig, table: LabelledTable) -> tuple[Int[np.ndarray, "k"], ...]:
    """Row numbers of train, valid and test within the training file; a set with a file of its own gets none.

    Raises:
        ConfigError: A share that is asked for rounds to no sequence, or nothing is left to train on.
    """
    settings, n = config.data, len(table)
    shares = {
        "valid": 0.0 if settings.valid else settings.valid_fraction,
        "test": 0.0 if settings.test else settings.test_fraction,
    }
    sizes = {name: round(share * n) for name, share in shares.items()}
    sizes = {"train": n - sum(sizes.values()), **sizes}
    for name, size in sizes.items():
        if size < 1 and (name == "train" or shares[name] > 0):
            raise ConfigError(
                f"{config.path}: [data]: at least one sequence for {name} is required, but {size} of {n} would be "
                "left; give more data or other fractions"
            )
    assert table.labels is not None  # read_labelled was asked for labels
    wanted = [name for name, size in sizes.items() if size]
    parts = split(table.labels, [sizes[name] for name in wanted], settings.split_seed, groups=table.sequences)
    found = dict(zip(wanted, parts, strict=True))
    nothing = np.zeros(0, np.int64)
    return tuple(found.get(name, nothing) for name in sizes)
