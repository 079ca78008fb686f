"""Linear models that a network has to beat: logistic regressions on counts of words, on strengths of motifs, on both.

Strands are merged where the task has two (scikit-learn).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.linear_model import LogisticRegression
from tinygrad import Tensor

from gattn_tg.data import LabelledSequences
from gattn_tg.metrics.classes import measure
from gattn_tg.models.captured.forward import Forward
from gattn_tg.nn.evidence import LEAST_SD
from gattn_tg.nn.kmers import Kmers
from gattn_tg.nn.motif_filters import MotifFilters
from gattn_tg.nn.strengths import summary
from gattn_tg.seq import N
from gattn_tg.training.tasks.filters import Starts

STRENGTHS = (0.001, 0.003, 0.01, 0.03)  # inverse penalties, one of which the validation set chooses
WEIGHTS = (0.1, 0.3, 1.0)  # of a motif's strength beside a word's count, chosen like them
ROWS = 512  # sequences whose words are found at once
MOTIF_ROWS = 64  # sequences whose motifs are found at once: (rows, bases, motifs) strengths are in memory

Parts = dict[str, np.ndarray | csr_matrix]
"""Features of the parts train, valid and test."""


@dataclass(frozen=True)
class Words:
    """Words of k bases, with up to so many between their halves; `merges` words with their reverse complements."""

    k: int
    gaps: int
    merges: bool

    def counts(self, data: LabelledSequences) -> csr_matrix:
        """How often each sequence has each word."""
        layer, parts = Kmers(self.k, self.gaps, 1, self.merges), []
        for part in _parts(data, ROWS):
            parts.append(layer.words(Tensor(part.bases), Tensor(part.lengths)).numpy())
        words = np.concatenate(parts)
        row, _, gap = (at := np.nonzero(words >= 0))
        columns = gap * 4**self.k + words[at]
        shape = (len(data), (self.gaps + 1) * 4**self.k)
        return csr_matrix((np.ones(len(row), np.float32), (row, columns)), shape)  # equal places are added up


def placed_words(data: LabelledSequences, k: int) -> csr_matrix:
    """Which word of k bases begins at each place: for sequences that are aligned to a site."""
    bases = data.bases.astype(np.int64)
    n = data.width - k + 1
    windows = np.lib.stride_tricks.sliding_window_view(bases, k, axis=1)
    known = (windows < N).all(-1) & (np.arange(n) + k <= np.asarray(data.lengths)[:, None])
    words = windows @ 4 ** np.arange(k)[::-1]
    row, place = np.nonzero(known)
    columns = place * 4**k + words[row, place]
    return csr_matrix((np.ones(len(row), np.float32), (row, columns)), (len(data), n * 4**k))


def motif_strengths(starts: Starts, width: int, data: LabelledSequences) -> np.ndarray:
    """The strongest site of every matrix on either strand and its soft sum, as `filters` of a classifier see them."""
    filters = MotifFilters(len(starts), width, np.random.default_rng(0))
    filters.start_from(starts)
    run = Forward(filters, MOTIF_ROWS, run=lambda bases, lengths: summary(filters(bases, lengths), lengths))
    return run(data.bases, data.lengths)


def standardised(parts: Parts) -> Parts:
    """Every column with the mean 0 and the spread 1 of the training rows."""
    mean, sd = parts["train"].mean(0), np.maximum(parts["train"].std(0), LEAST_SD)
    return {name: (x - mean) / sd for name, x in parts.items()}


def beside(words: Parts, motifs: Parts) -> list[Parts]:
    """Both kinds of columns, with the strengths at several weights."""
    return [{name: hstack([x, csr_matrix(motifs[name] * weight)], "csr") for name, x in words.items()}
            for weight in WEIGHTS]  # fmt: skip


def fitted(choices: list[Parts], labels: dict[str, np.ndarray]) -> dict[str, float]:
    """The best penalty and choice of features by validation AUC, that AUC, and the AUC on the test set.

    Args:
        choices: features of the parts train, valid and test.
        labels: class of each row of these parts.
    """
    models = [(x, c, LogisticRegression(C=c, max_iter=300).fit(x["train"], labels["train"]))
              for x in choices for c in STRENGTHS]  # fmt: skip
    judged = [measure(labels["valid"], model.predict_proba(x["valid"])).auc for x, _, model in models]
    best = int(np.argmax(judged))
    x, strength, model = models[best]
    found = measure(labels["test"], model.predict_proba(x["test"])).auc
    return {"strength": strength, "valid_auc": judged[best], "test_auc": found}


def _parts(data: LabelledSequences, rows: int) -> Iterator[LabelledSequences]:
    return (data.subset(np.arange(i, min(i + rows, len(data)))) for i in range(0, len(data), rows))
