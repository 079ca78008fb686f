"""Average precision: how pure the top of a ranking is."""

from __future__ import annotations

import numpy as np

from gattn_tg.types import Bool, Float


def average_precision(positive: Bool[np.ndarray, "n"], score: Float[np.ndarray, "n"]) -> float:
    """Mean over the positives of the precision at their rank; equal scores count as one threshold.

    sum_k (R_k - R_(k-1)) P_k over the distinct scores from the highest down, R recall and P precision; nan without
    positives. A ranking by chance has the share of positives.

    Example:
        >>> average_precision(np.array([True, False, True]), np.array([0.9, 0.8, 0.1]))
        0.8333333333333333
    """
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(positive[order])
    if not hits.size or hits[-1] == 0:
        return float("nan")
    last = np.append(np.flatnonzero(np.diff(score[order])), len(order) - 1)  # where a run of equal scores ends
    precision, recall = hits[last] / (last + 1), hits[last] / hits[-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))
