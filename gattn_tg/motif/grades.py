"""How good sites are: scores on the scale of BED, and p-values."""

from __future__ import annotations

import numpy as np

from gattn_tg.motif.rules import Matrix
from gattn_tg.motif.sites import Sites
from gattn_tg.motif.threshold import score_tail
from gattn_tg.motif.vocabulary import MotifVocabulary
from gattn_tg.types import Float, Int

BED_MAX = 1000


def grades(sites: Sites, vocabulary: MotifVocabulary) -> tuple[Int[np.ndarray, "k"], Float[np.ndarray, "k"]]:
    """Return the score 0..1000 and the p-value of every site.

    The score is 1000 * (bits of the site) / (bits of the best word) for a matrix, 1000 for a consensus, 1000 * fraction
    of A and T for an AT-rich stretch, 1000 * observed/expected, at most 1000, for a CpG island. The p-value is the
    chance that a position of uniform random sequence scores as high as a matrix's site; NaN for the other rules.
    """
    shares = sites.scores.copy()
    pvalues = np.full(len(shares), np.nan)
    for k in np.unique(sites.ids).tolist():
        rule = vocabulary.classes[k - 1].rule
        if isinstance(rule, Matrix):
            mine = sites.ids == k
            tail = score_tail(rule.counts, rule.pvalue)
            shares[mine] /= tail.best
            pvalues[mine] = tail.pvalues(sites.scores[mine])
    return np.clip(np.rint(BED_MAX * shares), 0, BED_MAX).astype(np.int64), pvalues
