"""Pearson correlation of predicted and measured tracks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gattn_tg.types import Float


def pearson(predicted: Float[np.ndarray, "p k"], measured: Float[np.ndarray, "p k"]) -> Float[np.ndarray, "k"]:
    """Return r of every column over all rows, in float64; nan for a column that is constant in either."""
    a, b = (x - x.mean(0) for x in (predicted.astype(np.float64), measured.astype(np.float64)))
    scale = np.sqrt((a * a).sum(0) * (b * b).sum(0))
    with np.errstate(invalid="ignore", divide="ignore"):
        r: np.ndarray = np.where(scale > 0, (a * b).sum(0) / scale, np.nan)
    return r


def by_group(values: Float[np.ndarray, "k"], groups: Sequence[str]) -> dict[str, float]:
    """Return the mean of each group of tracks, nan left out; groups in the order in which they come."""
    found = {}
    for group in dict.fromkeys(groups):
        members = values[np.array([g == group for g in groups])]
        members = members[~np.isnan(members)]
        found[group] = float(members.mean()) if members.size else float("nan")
    return found
