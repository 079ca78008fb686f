"""How well a model does on labelled sequences."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gattn_tg.data import encode_labelled
from gattn_tg.io import read_labelled
from gattn_tg.metrics.classes import Metrics, confusion, measure
from gattn_tg.models.checkpoint import Checkpoint
from gattn_tg.models.forward import class_probabilities
from gattn_tg.models.strands import over_strands
from gattn_tg.types import Int


@dataclass(frozen=True)
class Evaluation:
    """Metrics, and the confusion table with the true class in rows, in the order of `labels`."""

    metrics: Metrics
    confusion: Int[np.ndarray, "c c"]
    labels: tuple[str, ...]


def evaluate(
    checkpoint: Checkpoint, path: Path | str, *, batch_size: int = 128, device: str | None = None,
    both_strands: bool = False,
) -> Evaluation:  # fmt: skip
    """Predicts a CSV/TSV with the columns sequence and label and compares; `both_strands` as for `predict`.

    Raises:
        FormatError: The file is malformed, or has a sequence too long for the model.
        ConfigError: The file has a class the model does not know, or the vocabulary is not strand-symmetric.
    """
    labels = checkpoint.labels
    dataset = encode_labelled(read_labelled(path), checkpoint.vocabulary, checkpoint.config.max_length, labels)
    assert dataset.labels is not None  # read_labelled was asked for labels
    run = class_probabilities(checkpoint.model, batch_size, device)
    probabilities = (over_strands(run, checkpoint.vocabulary) if both_strands else run)(*dataset.inputs)
    table = confusion(dataset.labels, probabilities.argmax(1), len(labels))
    return Evaluation(measure(dataset.labels, probabilities), table, labels)
