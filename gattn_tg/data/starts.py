"""Random windows: every place where a window fits is as likely as any other; windows of many N can be told."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gattn_tg.data.sampler import hashed, mixed
from gattn_tg.seq.alphabet import N
from gattn_tg.types import Bool, Int, UInt8


class Starts:
    """The places where a window of one width fits into stretches, numbered one after the other.

    Args:
        lengths: bases of each stretch.
        width: bases of a window.

    Attributes:
        n: how many places there are.
    """

    def __init__(self, lengths: Sequence[int], width: int) -> None:
        self._ends = np.cumsum(np.maximum(np.asarray(lengths, dtype=np.int64) - width + 1, 0))
        self.n = int(self._ends[-1]) if len(lengths) else 0

    def draw(self, keys: np.ndarray, attempt: int) -> tuple[Int[np.ndarray, "k"], Int[np.ndarray, "k"]]:
        """Return the stretch of one place per key, and the window's first base in it; there must be a place.

        Args:
            keys: 64-bit numbers, which decide the places.
            attempt: another number draws other places with the same keys.
        """
        places = (mixed(keys + np.uint64(hashed(attempt))) % np.uint64(self.n)).astype(np.int64)
        stretches = np.searchsorted(self._ends, places, side="right")
        return stretches, places - np.where(stretches > 0, self._ends[stretches - 1], 0)


def is_known(bases: UInt8[np.ndarray, "b n"], max_unknown: float) -> Bool[np.ndarray, "b"]:
    """Return which windows are N at no more than a fraction `max_unknown` of their bases."""
    known: np.ndarray = np.count_nonzero(bases == N, axis=1) <= max_unknown * bases.shape[1]
    return known
