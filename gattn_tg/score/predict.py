"""Class probabilities of every sequence, in a stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from gattn_tg.errors import counted
from gattn_tg.io import Record
from gattn_tg.models.captured.forward import class_probabilities
from gattn_tg.models.captured.strands import Run
from gattn_tg.models.checkpoint import Checkpoint
from gattn_tg.score.answers import Answer, answers
from gattn_tg.score.table import Table
from gattn_tg.types import Float, Int


class Prediction(NamedTuple):
    """One row of the result: name, bases, most probable class, probability of every class."""

    name: str
    length: int
    label: str
    probabilities: tuple[float, ...]


def predict(
    checkpoint: Checkpoint,
    records: Iterable[Record],
    *,
    batch_size: int = 128,
    device: str | None = None,
    where: str = "input",
    run: Run | None = None,
    both_strands: bool = False,
) -> Iterator[Prediction]:
    """Predictions in the order of the records.

    Args:
        checkpoint: Model, class names and motif vocabulary.
        records: Sequences of at most the length the model was trained with.
        batch_size: Sequences per call of the model.
        device: Where to run; None is tinygrad's default.
        where: Name of the input for messages.
        run: The captured network of this model, to save compiling it again: base ids, motif ids and lengths to
            probabilities.
        both_strands: The mean of the probabilities of a sequence and of its reverse complement, see `over_strands`.

    Raises:
        FormatError: A record is malformed or too long.
        ConfigError: `both_strands` with a vocabulary that is not strand-symmetric.
    """
    run = run or class_probabilities(checkpoint.model, batch_size, device)
    found = answers(checkpoint, records, run, batch_size=batch_size, where=where, both_strands=both_strands)
    return predictions(found, checkpoint.labels)


def predictions(found: Iterable[Answer], labels: Sequence[str]) -> Iterator[Prediction]:
    """The rows of a stream with the most probable class of each."""
    for name, length, probabilities in found:
        yield Prediction(name, length, labels[int(np.argmax(probabilities))], probabilities)


@dataclass(frozen=True, repr=False)
class ClassPredictions(Table):
    """The classes of sequences.

    Args:
        names: of the sequences.
        lengths: bases of each.
        labels: names of the classes.
        probabilities: one row per sequence, one column per class.
    """

    names: tuple[str, ...]
    lengths: Int[np.ndarray, "N"]
    labels: tuple[str, ...]
    probabilities: Float[np.ndarray, "N c"]

    @classmethod
    def of(cls, predictions: Iterable[Prediction], labels: tuple[str, ...]) -> ClassPredictions:
        """The rows of a stream together."""
        found = list(predictions)
        p = np.array([row.probabilities for row in found], np.float32).reshape(len(found), len(labels))
        return cls(tuple(row.name for row in found), np.array([row.length for row in found], np.int64), labels, p)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def predicted(self) -> tuple[str, ...]:
        """The most probable class of each sequence."""
        return tuple(self.labels[i] for i in self.probabilities.argmax(1).tolist())

    @property
    def summary(self) -> str:
        """How many of what."""
        return f"{counted(len(self), 'sequence')}, {len(self.labels)} classes"

    @property
    def header(self) -> list[str]:
        """The columns of `gattn predict`."""
        return header(self.labels)

    def written(self) -> Iterator[list[object]]:
        """The lines of `gattn predict`."""
        return (fields(Prediction(name, n, label, tuple(p))) for name, n, label, *p in self.rows())

    def rows(self) -> Iterator[list[Any]]:
        """One per sequence."""
        for name, n, label, p in zip(
            self.names, self.lengths.tolist(), self.predicted, self.probabilities.tolist(), strict=True
        ):
            yield [name, n, label, *p]


def header(labels: Iterable[str]) -> list[str]:
    """Column names of the TSV: name, length, predicted, then p_CLASS for every class."""
    return ["name", "length", "predicted", *(f"p_{label}" for label in labels)]


def fields(prediction: Prediction) -> list[object]:
    """One line of the TSV; six digits of every probability."""
    shown = (f"{p:.6f}" for p in prediction.probabilities)
    return [prediction.name, prediction.length, prediction.label, *shown]
