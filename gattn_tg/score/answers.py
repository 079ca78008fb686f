"""What a model says of whole sequences, one row of numbers for each, in a stream and as tables."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from gattn_tg.errors import LengthWarning, counted
from gattn_tg.io import Record
from gattn_tg.models.captured.strands import Run, over_strands
from gattn_tg.models.checkpoint import Checkpoint
from gattn_tg.models.readouts.sequences import SequenceReadout
from gattn_tg.score.sequences import chunks
from gattn_tg.score.table import Table
from gattn_tg.types import Float, Int

BATCHES_PER_CHUNK = 16  # sequences are read and encoded in groups of this many batches,
BASES_PER_CHUNK = 1 << 26  # and of at most so many bases
SHORT = 0.5  # of the shortest sequence of training: one below it is far from all of them


class Answer(NamedTuple):
    """One row: name, bases, one number for each class, label or column."""

    name: str
    length: int
    numbers: tuple[float, ...]


def answers(
    checkpoint: Checkpoint, records: Iterable[Record], run: Run, *, batch_size: int = 128, where: str = "input",
    both_strands: bool = False,
) -> Iterator[Answer]:  # fmt: skip
    """Answers in the order of the records.

    Args:
        checkpoint: Model and motif vocabulary.
        records: Sequences of at most the length the model was trained with.
        run: The captured network of this model: base ids, motif ids and lengths to one row of answers per sequence,
            as `models.captured.forward.sequence_answers` makes it.
        batch_size: Sequences per call of the model.
        where: Name of the input for messages.
        both_strands: The mean over a sequence and its reverse complement, see `over_strands`.

    Warns:
        LengthWarning: After the last one, where some are far shorter than any sequence of training.

    Raises:
        FormatError: A record is malformed or too long.
        ConfigError: `both_strands` with a vocabulary that is not strand-symmetric.
    """
    run = over_strands(run, checkpoint.vocabulary) if both_strands else run
    longest = checkpoint.config.max_length
    size = min(batch_size * BATCHES_PER_CHUNK, max(BASES_PER_CHUNK // longest, 1))
    readout, n_short, n_all = checkpoint.readout, 0, 0
    shortest = readout.shortest if isinstance(readout, SequenceReadout) else 0
    for group, dataset in chunks(records, checkpoint.vocabulary, longest, size, where):
        n_short += int((dataset.lengths < shortest * SHORT).sum())
        n_all += len(group)
        for record, row in zip(group, run(*dataset.inputs), strict=True):
            yield Answer(record.name, len(record.sequence), tuple(float(x) for x in row))
    if n_short:
        warnings.warn(
            f"{where}: {n_short:,} of {n_all:,} sequences have less than half the bases of the shortest sequence that "
            f"the model learnt from ({shortest:,}); nothing is known about answers for them",
            LengthWarning,
            stacklevel=2,
        )


@dataclass(frozen=True, repr=False)
class Answers(Table):
    """Base of the tables of answers.

    Args:
        names: of the sequences.
        lengths: bases of each.
        labels: names of the labels or columns.
        numbers: one row per sequence, one column per label.
    """

    prefix: ClassVar[str]  # of a label, as the name of its column
    what: ClassVar[str]

    names: tuple[str, ...]
    lengths: Int[np.ndarray, "N"]
    labels: tuple[str, ...]
    numbers: Float[np.ndarray, "N k"]

    @classmethod
    def of(cls, found: Iterable[Answer], labels: tuple[str, ...]) -> Self:
        """The rows of a stream together."""
        rows = list(found)
        numbers = np.array([row.numbers for row in rows], np.float64).reshape(len(rows), len(labels))
        return cls(tuple(row.name for row in rows), np.array([row.length for row in rows], np.int64), labels, numbers)

    @classmethod
    def header_of(cls, labels: Iterable[str]) -> list[str]:
        """Names of the columns: name, length, and one for each label."""
        return ["name", "length", *(f"{cls.prefix}{label}" for label in labels)]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def summary(self) -> str:
        """How many of what."""
        return f"{counted(len(self), 'sequence')}, {len(self.labels)} {self.what}"

    @property
    def header(self) -> list[str]:
        """The columns of `gattn predict`."""
        return self.header_of(self.labels)

    def rows(self) -> Iterator[list[Any]]:
        """One per sequence."""
        for name, n, numbers in zip(self.names, self.lengths.tolist(), self.numbers.tolist(), strict=True):
            yield [name, n, *numbers]


class LabelPredictions(Answers):
    """Probabilities of labels, any number of which can hold: column p_LABEL for each."""

    prefix, what = "p_", "labels"

    @property
    def probabilities(self) -> Float[np.ndarray, "N k"]:
        """One row per sequence, one column per label."""
        return self.numbers


class ValuePredictions(Answers):
    """Values in the units of the table that was learnt from: column predicted_COLUMN for each."""

    prefix, what = "predicted_", "values"

    @property
    def values(self) -> Float[np.ndarray, "N k"]:
        """One row per sequence, one column per value."""
        return self.numbers
