"""How well predicted values agree with measured ones: correlation of values and of ranks, and the error left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gattn_tg.metrics.correlation import pearson, spearman
from gattn_tg.types import Float


@dataclass(frozen=True)
class ValueMetrics:
    """Numbers of one column, over the sequences that were measured.

    Args:
        n: sequences.
        pearson: correlation; nan where either side is constant.
        spearman: correlation of ranks; nan where either side is constant.
        r2: share of the variance that is explained, 1 - sum (y - p)^2 / sum (y - mean y)^2: 1 is perfect, 0 is as good
            as the mean, below 0 is worse; nan where what was measured is constant.
        rmse: root of the mean squared error, in the units of the table; nan without sequences.
    """

    n: int
    pearson: float
    spearman: float
    r2: float
    rmse: float


def measure(truth: Float[np.ndarray, "n"], predicted: Float[np.ndarray, "n"]) -> ValueMetrics:
    """The numbers of one column.

    Args:
        truth: measured values, nan where one is missing.
        predicted: in the same units.
    """
    known = ~np.isnan(truth)
    y, p = truth[known].astype(np.float64), predicted[known].astype(np.float64)
    if not y.size:
        return ValueMetrics(0, *[float("nan")] * 4)
    left, whole = float(((y - p) ** 2).sum()), float(((y - y.mean()) ** 2).sum())
    return ValueMetrics(
        n=y.size, pearson=float(pearson(p[:, None], y[:, None])[0]), spearman=spearman(p, y),
        r2=1 - left / whole if whole > 0 else float("nan"), rmse=float(np.sqrt(left / y.size)),
    )  # fmt: skip
