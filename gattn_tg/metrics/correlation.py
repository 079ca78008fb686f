"""Correlation of predicted and measured numbers: Pearson of values, Spearman of ranks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gattn_tg.metrics.ranks import mid_ranks
from gattn_tg.types import Float


def pearson(predicted: Float[np.ndarray, "p k"], measured: Float[np.ndarray, "p k"]) -> Float[np.ndarray, "k"]:
    """Return r of every column over all rows, in float64; nan for a column that is constant in either."""
    a, b = (x - x.mean(0) for x in (predicted.astype(np.float64), measured.astype(np.float64)))
    scale = np.sqrt((a * a).sum(0) * (b * b).sum(0))
    with np.errstate(invalid="ignore", divide="ignore"):
        r: np.ndarray = np.where(scale > 0, (a * b).sum(0) / scale, np.nan)
    return r


def spearman(predicted: Float[np.ndarray, "n"], measured: Float[np.ndarray, "n"]) -> float:
    """Return Pearson's r of the ranks, equal values sharing the middle of theirs; nan where either is constant.

    Source: Spearman 1904, "The proof and measurement of association between two things".
    """
    return float(pearson(mid_ranks(predicted)[:, None], mid_ranks(measured)[:, None])[0])


def by_group(values: Float[np.ndarray, "k"], groups: Sequence[str]) -> dict[str, float]:
    """Return the mean of each group of tracks, nan left out; groups in the order in which they come."""
    found = {}
    for group in dict.fromkeys(groups):
        members = values[np.array([g == group for g in groups])]
        members = members[~np.isnan(members)]
        found[group] = float(members.mean()) if members.size else float("nan")
    return found
