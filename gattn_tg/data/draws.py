"""Random numbers of the rows of a step: which windows are turned, by how much they move."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gattn_tg.types import Int

Draw = Callable[[int], np.ndarray]
"""Stream -> one random 64-bit number per row of the batch; `Sampler.draws` of a step."""

STRAND, JITTER, PLACE, MASK = 1, 2, 3, 11
"""Streams of random numbers: which rows are turned, by how much windows move, where random windows lie, what is hidden
from a masked language model."""


def shifts(draw: Draw | None, n_rows: int, max_jitter: int) -> Int[np.ndarray, "b"]:
    """Return how many bases each window moves to the right, from `-max_jitter` to `max_jitter`."""
    if draw is None or max_jitter == 0:
        return np.zeros(n_rows, dtype=np.int64)
    return (draw(JITTER) % np.uint64(2 * max_jitter + 1)).astype(np.int64) - max_jitter


def flips(draw: Draw | None, n_rows: int, rc: bool) -> np.ndarray:
    """Return which rows are turned to their other strand: each with probability one half."""
    if draw is None or not rc:
        return np.zeros(n_rows, dtype=bool)
    odd: np.ndarray = draw(STRAND) & np.uint64(1) == 1
    return odd
