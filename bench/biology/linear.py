"""Linear models on counts of words, which a network has to beat: logistic regression, strands merged (scikit-learn)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from tinygrad import Tensor

from gattn_tg.data import LabelledSequences
from gattn_tg.metrics.classes import auc
from gattn_tg.nn.kmers import Kmers

STRENGTHS = (0.001, 0.003, 0.01, 0.03)  # inverse penalties, one of which the validation set chooses
ROWS = 512  # sequences whose words are found at once


@dataclass(frozen=True)
class Words:
    """Words of k bases, with up to so many between their halves; `merges` words with their reverse complements."""

    k: int
    gaps: int
    merges: bool

    def counts(self, data: LabelledSequences) -> csr_matrix:
        """How often each sequence has each word."""
        layer, parts = Kmers(self.k, self.gaps, 1, self.merges), []
        for first in range(0, len(data), ROWS):
            part = data.subset(np.arange(first, min(first + ROWS, len(data))))
            parts.append(layer.words(Tensor(part.bases), Tensor(part.lengths)).numpy())
        words = np.concatenate(parts)
        row, _, gap = (at := np.nonzero(words >= 0))
        columns = gap * 4**self.k + words[at]
        shape = (len(data), (self.gaps + 1) * 4**self.k)
        return csr_matrix((np.ones(len(row), np.float32), (row, columns)), shape)  # equal places are added up


def fitted(
    words: Words, train: LabelledSequences, valid: LabelledSequences, test: LabelledSequences
) -> dict[str, float]:
    """The penalty with the best validation AUC, that AUC, and the AUC on the test set."""
    x = words.counts(train)
    models = [LogisticRegression(C=c, max_iter=300).fit(x, train.labels) for c in STRENGTHS]
    judged = [auc(valid.labels == 1, model.decision_function(words.counts(valid))) for model in models]
    best = int(np.argmax(judged))
    found = auc(test.labels == 1, models[best].decision_function(words.counts(test)))
    return {"strength": STRENGTHS[best], "valid_auc": judged[best], "test_auc": found}
