"""Spans: where something was found, as sorted arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gattn_tg.types import Bool, Float, Int

SHORT_BP = 64
"""Up to this length spans are painted offset by offset, all at once; longer ones, which are few, one by one."""


class Spans(NamedTuple):
    """Half-open intervals sorted by start, then end, each with a score."""

    starts: Int[np.ndarray, "k"]
    ends: Int[np.ndarray, "k"]
    scores: Float[np.ndarray, "k"]

    @classmethod
    def empty(cls) -> Spans:
        none = np.zeros(0, dtype=np.int64)
        return cls(none, none, np.zeros(0))

    def covered(self, length: int) -> Bool[np.ndarray, "n"]:
        """Return which of `length` bases lie inside at least one span."""
        inside = np.zeros(length, dtype=bool)
        self.paint(inside, True)
        return inside

    def paint(self, bases: np.ndarray, value: object) -> None:
        """Set all bases inside a span to a value."""
        lengths = self.ends - self.starts
        if lengths.size and lengths.max() <= SHORT_BP:
            for offset in range(lengths.max()):
                bases[(self.starts + offset)[lengths > offset]] = value
        else:
            for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True):
                bases[start:end] = value

    def distance(self, positions: Int[np.ndarray, "k"]) -> Int[np.ndarray, "k"]:
        """Return twice the distance from each position to the nearest centre of a span; there must be one."""
        centres = np.sort(self.starts + self.ends - 1)
        after = np.searchsorted(centres, 2 * positions)
        left = centres[np.maximum(after - 1, 0)]
        right = centres[np.minimum(after, len(centres) - 1)]
        nearest: np.ndarray = np.minimum(abs(2 * positions - left), abs(2 * positions - right))
        return nearest


def runs(inside: Bool[np.ndarray, "n"]) -> tuple[Int[np.ndarray, "k"], Int[np.ndarray, "k"]]:
    """Return the starts and ends of the maximal runs of True."""
    edges = np.flatnonzero(np.diff(inside.astype(np.int8), prepend=0, append=0))
    return edges[::2], edges[1::2]


def prefix(values: np.ndarray) -> Int[np.ndarray, "n+1"]:
    """Return running sums with a leading 0, so that `sums[end] - sums[start]` counts a half-open interval."""
    sums = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(values, out=sums[1:])
    return sums
