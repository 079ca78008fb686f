"""Motifs before a model learns: the matrices that filters begin as, and how much of each is usually in its data."""

from __future__ import annotations

from typing import Any

import numpy as np

from gattn_tg.data import LabelledSequences
from gattn_tg.data.genomes.bundled import JASPAR, bundled
from gattn_tg.data.order import shuffled
from gattn_tg.io import read_matrices
from gattn_tg.metrics.logistic import slopes_and_level
from gattn_tg.models.readouts import ClassReadout, SequenceReadout, ValueReadout
from gattn_tg.motif import MotifVocabulary
from gattn_tg.motif.from_matrices import matrices_of, scored
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.tasks.labelled import DataSettings
from gattn_tg.types import Float, Int

BUNDLED = "jaspar"
MOST = 1024  # training sequences that tell how strong motifs usually are
PULL = 1.0  # towards 0, of the regressions that a linear model on counts begins as

Starts = list[tuple[Float[np.ndarray, "w 4"], float]]
"""Log odds in bits and threshold of each matrix."""


def starts(config: TrainConfig, settings: DataSettings, vocabulary: MotifVocabulary) -> Starts:
    """The matrices that filters begin as: of the file that [data] names, else of the vocabulary.

    Raises:
        ConfigError: there is no such file.
        FormatError: it is malformed.
    """
    name = settings.matrices
    if not name:
        return matrices_of(vocabulary)
    path = bundled(JASPAR) if name == BUNDLED else config.file("matrices", name)
    return scored([matrix.counts for matrix in read_matrices(path)], settings.matrices_pvalue)


def begin(model: Any, starts: Starts, train: LabelledSequences, seed: int) -> None:
    """Set the filters of a model to their matrices, and take their strengths in the training set as usual."""
    model.filters.start_from(starts)
    _usual(model, train, seed)


def begin_counts(task: Any) -> None:
    """Let the linear model on counts of motif ids begin as the regression of the training sequences on them.

    That on strengths of filters learns from 0: there are more filters than sequences.

    Args:
        task: a `SequenceTask` of a `SequenceClassifier` with `motif_counts`.
    """
    rows, found = _usual(task.model, task.train, task.settings.seed)
    task.model.evidence.start_from(_regressed(task.readout, found, task.truth(task.train)[rows]))


def _usual(
    model: Any, train: LabelledSequences, seed: int
) -> tuple[Int[np.ndarray, "r"], Float[np.ndarray, "r f"]]:
    """Take what some training sequences have of each motif as usual; gives which, and how unusual each is."""
    rows = np.sort(shuffled(len(train), seed, 0)[:MOST])
    return rows, model.calibrate(train.bases[rows], train.motif_ids[rows], train.lengths[rows])


def _regressed(readout: SequenceReadout, x: Float[np.ndarray, "r f"], truth: np.ndarray) -> Float[np.ndarray, "f o"]:
    """What each number gives to each answer, one regression for an answer: of classes each against all others."""
    if isinstance(readout, ClassReadout):
        truth = np.eye(len(readout.labels))[truth]
    elif isinstance(readout, ValueReadout):
        truth = readout.learnt(truth)
    each = np.array([_fitted(x, y, is_value=isinstance(readout, ValueReadout)) for y in truth.T]).T
    return each / 2 if isinstance(readout, ClassReadout) and each.shape[1] == 2 else each  # two say one thing twice


def _fitted(x: Float[np.ndarray, "r f"], y: Float[np.ndarray, "r"], *, is_value: bool) -> Float[np.ndarray, "f"]:
    known = ~np.isnan(y)
    x, y = x[known], y[known]
    if is_value:
        rows = np.c_[x.astype(np.float64), np.ones(len(x))]
        return np.linalg.solve(rows.T @ rows + PULL * np.eye(rows.shape[1]), rows.T @ y)[:-1]
    return slopes_and_level(x, y, np.ones(len(y)), PULL)[0]
