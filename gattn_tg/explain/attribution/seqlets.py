"""Seqlets: short stretches that an answer rests on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gattn_tg.types import Float

WIDTH = 9  # bases of a stretch before it is trimmed
ABOVE = 2.0  # times the mean size of the contributions in the sequence
KEPT = 0.25  # of the largest contribution: smaller ones at the ends of a stretch are cut off


class Seqlet(NamedTuple):
    """A stretch of a sequence, 0-based and half-open, and the sum of its contributions."""

    start: int
    end: int
    contribution: float


def seqlets(contributions: Float[np.ndarray, "n"], width: int = WIDTH, above: float = ABOVE) -> list[Seqlet]:
    """Stretches whose contributions are large, sorted by start; none overlaps another.

    The stretch of `width` bases with the largest |sum of contributions| is taken, then the largest that does not
    overlap it, and so on, down to `above` times the mean of |contribution| per base. Then small contributions at both
    ends are cut off.

    Args:
        contributions: of every base.
        width: bases of a stretch, at most.
        above: how large a stretch must be.
    """
    n = len(contributions)
    width = min(width, n)
    if not n or not np.abs(contributions).max() > 0:
        return []
    sums = np.convolve(contributions, np.ones(width), mode="valid")
    least = above * width * np.abs(contributions).mean()
    is_free = np.ones(n, dtype=bool)
    found = []
    for start in np.argsort(-np.abs(sums), kind="stable").tolist():
        if abs(sums[start]) < least:
            break
        if not is_free[start : start + width].all():
            continue
        is_free[start : start + width] = False
        inside = contributions[start : start + width] * np.sign(sums[start])
        large = np.flatnonzero(inside >= KEPT * inside.max())
        first, last = start + int(large[0]), start + int(large[-1]) + 1
        found.append(Seqlet(first, last, float(contributions[first:last].sum())))
    return sorted(found)
