"""Motifs before a model learns: the matrices that filters begin as, and how much of each is usually in its data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gattn_tg.data import LabelledSequences
from gattn_tg.data.genomes.bundled import JASPAR, bundled
from gattn_tg.data.order import shuffled
from gattn_tg.io import read_matrices
from gattn_tg.metrics.logistic import slopes_and_level
from gattn_tg.metrics.ridge import ridge
from gattn_tg.models.readouts.sequences import ClassReadout, SequenceReadout, ValueReadout
from gattn_tg.motif import MotifVocabulary
from gattn_tg.motif.from_matrices import matrices_of, scored
from gattn_tg.nn.evidence import Evidence
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.tasks.labelled import DataSettings
from gattn_tg.types import Float, Int

BUNDLED = "jaspar"
MOST = 1024  # training sequences that tell how strong motifs usually are
LEAST_LEFT = 0.001  # of the spread of a number, beside those before it: below, nothing is left of it but rounding
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


@dataclass(frozen=True)
class Known:
    """What is known of the training sequences, and what it means."""

    readout: SequenceReadout
    truth: np.ndarray

    @property
    def is_value(self) -> bool:
        """A number, and not whether something is so."""
        return isinstance(self.readout, ValueReadout)

    def columns(self, rows: Int[np.ndarray, "r"]) -> Float[np.ndarray, "r o"]:
        """A column for each answer: of classes whether it is this one, of values as they are learnt; nan is unknown."""
        truth = self.truth[rows]
        if isinstance(self.readout, ClassReadout):
            answers = np.eye(len(self.readout.labels))[truth]
        else:
            answers = self.readout.learnt(truth) if isinstance(self.readout, ValueReadout) else truth
        return np.asarray(answers, np.float64)

    def outputs(self, effects: Float[np.ndarray, "f o"]) -> Float[np.ndarray, "f o"]:
        """Effects on each column alone as effects on the outputs of a model: two classes say one thing twice."""
        return effects / 2 if isinstance(self.readout, ClassReadout) and effects.shape[1] == 2 else effects


def begin(
    model: Any, starts: Starts, train: LabelledSequences, seed: int, known: Known | None = None
) -> None:
    """Set the filters of a model to their matrices, and take their strengths in the training set as usual.

    With `motif_pairs`, those filters become the first that tell what is known best together (`telling`), and the linear
    models on motifs and on pairs begin as one regression: few pairs matter among thousands, and steps of descent need
    tens of thousands of sequences to find them. Beside counts of words they begin at 0, as such a regression knows few
    sequences by heart and leaves words nothing to learn from them.

    Args:
        model: a `SequenceClassifier` with `filters`.
        starts: `starts`.
        train: the training set.
        seed: of the order in which its first sequences are taken.
        known: of the training set; None leaves filters in order, and linear models at 0.
    """
    model.filters.start_from(starts)
    rows, found = _usual(model, train, seed)
    paired, n = model.config.motif_pairs, model.config.filters
    if known is None or not paired:
        return
    if paired < n:
        first = telling(found, known.columns(rows), paired)
        order = [*first, *sorted(set(range(n)) - set(first))]
        of_numbers = [*order, *(n + i for i in order)]
        model.filters.reorder(order)
        model.evidence.reorder(of_numbers)
        found = found[:, of_numbers]
    pairs = model.calibrate_pairs(train.bases[rows], train.motif_ids[rows], train.lengths[rows])
    if not model.config.kmers:
        _begin_as_regression([model.evidence, model.pairs], [found, pairs], known, rows)


def _begin_as_regression(
    parts: Sequence[Evidence], numbers: Sequence[Float[np.ndarray, "r f"]], known: Known, rows: Int[np.ndarray, "r"]
) -> None:
    """Let linear models begin as one ridge regression on the numbers of all, each of which counts alike as a whole."""
    sizes = [x.shape[1] for x in numbers]
    x = np.concatenate([part / np.float32(np.sqrt(n)) for part, n in zip(numbers, sizes, strict=True)], axis=1)
    answers = known.columns(rows)
    found, left_out = ridge(x, _centred(answers))
    scales = [float(_fitted(told[:, None], y, is_value=known.is_value)[0])
              for told, y in zip(left_out.T, answers.T, strict=True)]  # fmt: skip
    each = np.split(known.outputs(found * np.maximum(scales, 0.0)), np.cumsum(sizes)[:-1])
    for part, effects, n in zip(parts, each, sizes, strict=True):
        part.start_from(effects / np.sqrt(n))


def begin_counts(task: Any) -> None:
    """Let the linear model on counts of motif ids begin as the regression of the training sequences on them.

    That on strengths of filters learns from 0: there are more filters than sequences.

    Args:
        task: a `SequenceTask` of a `SequenceClassifier` with `motif_counts`.
    """
    known = Known(task.readout, task.truth(task.train))
    rows, found = _usual(task.model, task.train, task.settings.seed)
    each = np.array([_fitted(found, y, is_value=known.is_value) for y in known.columns(rows).T]).T
    task.model.evidence.start_from(known.outputs(each))


def telling(found: Float[np.ndarray, "r 2t"], answers: Float[np.ndarray, "r o"], most: int) -> list[int]:
    """Motifs that tell the answers best together, the best one first: each tells most of what those before leave open.

    Orthogonal least squares. Of matrices that are much alike, as those of one family of factors, one is taken.

    Args:
        found: the strongest site of each motif, then its sum, as `Evidence.calibrate` gives them.
        answers: nan where one is unknown.
        most: motifs that are taken.

    Source: Chen, Billings and Luo 1989, International Journal of Control 50:1873.
    """
    x, open_ = found - found.mean(0), _centred(answers)
    least, t = LEAST_LEFT * len(x), found.shape[1] // 2
    taken: list[int] = []
    for _ in range(min(most, t)):
        told = ((x.T @ open_) ** 2).sum(1) / np.maximum((x**2).sum(0), least)
        of_motif = np.maximum(told[:t], told[t:])
        of_motif[taken] = -1.0
        taken.append(int(of_motif.argmax()))
        for column in (taken[-1], taken[-1] + t):
            seen = x[:, column].copy()
            if (size := seen @ seen) > least:
                open_ -= np.outer(seen, seen @ open_) / size
                x -= np.outer(seen, seen @ x) / size
    return taken


def _centred(answers: Float[np.ndarray, "r o"]) -> Float[np.ndarray, "r o"]:
    """Answers less their mean; 0 where one is unknown."""
    known = ~np.isnan(answers)
    mean = np.where(known, answers, 0.0).sum(0) / np.maximum(known.sum(0), 1)
    return np.where(known, answers - mean, 0.0)


def _usual(
    model: Any, train: LabelledSequences, seed: int
) -> tuple[Int[np.ndarray, "r"], Float[np.ndarray, "r f"]]:
    """Take what some training sequences have of each motif as usual; gives which, and how unusual each is."""
    rows = np.sort(shuffled(len(train), seed, 0)[:MOST])
    return rows, model.calibrate(train.bases[rows], train.motif_ids[rows], train.lengths[rows])


def _fitted(x: Float[np.ndarray, "r f"], y: Float[np.ndarray, "r"], *, is_value: bool) -> Float[np.ndarray, "f"]:
    known = ~np.isnan(y)
    x, y = x[known], y[known]
    if is_value:
        rows = np.c_[x.astype(np.float64), np.ones(len(x))]
        return np.linalg.solve(rows.T @ rows + PULL * np.eye(rows.shape[1]), rows.T @ y)[:-1]
    return slopes_and_level(x, y, np.ones(len(y)), PULL)[0]
