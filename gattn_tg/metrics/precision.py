"""How pure the top of a ranking is: precision against recall, average precision, and whether two rankings differ."""

from __future__ import annotations

import numpy as np

from gattn_tg.metrics.chance import edges, redrawn
from gattn_tg.types import Bool, Float, Int

RESAMPLES = 400


def precision_recall(
    positive: Bool[np.ndarray, "n"], score: Float[np.ndarray, "n"]
) -> tuple[Float[np.ndarray, "k"], Float[np.ndarray, "k"]]:
    """Precision and recall at each distinct score, from the highest down; equal scores count as one threshold.

    Args:
        positive: which items are of the class.
        score: higher means more likely of the class.

    Returns:
        Both empty without positives.
    """
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(positive[order])
    if not hits.size or hits[-1] == 0:
        return np.zeros(0), np.zeros(0)
    last = np.append(np.flatnonzero(np.diff(score[order])), len(order) - 1)  # where a run of equal scores ends
    return hits[last] / (last + 1), hits[last] / hits[-1]


def average_precision(positive: Bool[np.ndarray, "n"], score: Float[np.ndarray, "n"]) -> float:
    """Mean over the positives of the precision at their rank; equal scores count as one threshold.

    sum_k (R_k - R_(k-1)) P_k over the distinct scores from the highest down, R recall and P precision; nan without
    positives. A ranking by chance has the share of positives.

    Example:
        >>> average_precision(np.array([True, False, True]), np.array([0.9, 0.8, 0.1]))
        0.8333333333333333
    """
    precision, recall = precision_recall(positive, score)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision)) if recall.size else float("nan")


def average_precision_difference(
    positive: Bool[np.ndarray, "n"], one: Float[np.ndarray, "n"], other: Float[np.ndarray, "n"], seed: int = 0
) -> tuple[float, float, float]:
    """Average precision of one ranking minus that of another, and its 95% interval.

    The interval is the percentiles 2.5 and 97.5 of the difference over resampled items, the same for both rankings.

    Args:
        positive: which items are of the class.
        one, other: scores of the same items.
        seed: of the resampling.

    Returns:
        (difference, low, high); all nan without positives.

    Source: Efron and Tibshirani 1993, "An introduction to the bootstrap", section 13.3.
    """
    difference = average_precision(positive, one) - average_precision(positive, other)
    if not positive.any():
        return (float("nan"),) * 3

    def again(rows: Int[np.ndarray, "n"]) -> list[float]:
        return [average_precision(positive[rows], one[rows]) - average_precision(positive[rows], other[rows])]

    return difference, *edges(redrawn(again, positive.size, RESAMPLES, seed)[:, 0])
