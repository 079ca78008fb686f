"""Class probabilities of every sequence, in a stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from gattn_tg.io import Record
from gattn_tg.models.checkpoint import Checkpoint
from gattn_tg.models.forward import Forward
from gattn_tg.models.strands import StrandAverage
from gattn_tg.score.sequences import chunks

BATCHES_PER_CHUNK = 16  # sequences are read and encoded in groups of this many batches


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
    forward: Forward | None = None,
    both_strands: bool = False,
) -> Iterator[Prediction]:
    """Predictions in the order of the records.

    Args:
        checkpoint: Model, class names and motif vocabulary.
        records: Sequences of at most the length the model was trained with.
        batch_size: Sequences per call of the model.
        device: Where to run; None is tinygrad's default.
        where: Name of the input for messages.
        forward: A captured network of this model, to save compiling it again; brings its own batch size.
        both_strands: The mean of the probabilities of a sequence and of its reverse complement, see `StrandAverage`.

    Raises:
        FormatError: A record is malformed or too long.
        ConfigError: `both_strands` with a vocabulary that is not strand-symmetric.
    """
    network = forward or Forward(checkpoint.model, batch_size, device)
    probabilities_of = StrandAverage(network, checkpoint.vocabulary) if both_strands else network
    size = network.batch_size * BATCHES_PER_CHUNK
    for group, dataset in chunks(records, checkpoint.vocabulary, checkpoint.config.max_length, size, where):
        probabilities = probabilities_of(dataset)
        for record, row in zip(group, probabilities, strict=True):
            label = checkpoint.labels[int(row.argmax())]
            yield Prediction(record.name, len(record.sequence), label, tuple(float(p) for p in row))


def header(labels: Iterable[str]) -> list[str]:
    """Column names of the TSV: name, length, predicted, then p_CLASS for every class."""
    return ["name", "length", "predicted", *(f"p_{label}" for label in labels)]


def fields(prediction: Prediction) -> list[object]:
    """One line of the TSV; six digits of every probability."""
    shown = (f"{p:.6f}" for p in prediction.probabilities)
    return [prediction.name, prediction.length, prediction.label, *shown]
