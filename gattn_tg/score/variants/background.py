"""How a change compares with those of a background of variants."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np


class Background:
    """Quantiles of differences among those of background variants, column by column.

    Args:
        rows: the differences of each background variant.
    """

    def __init__(self, rows: Iterable[Sequence[float]]) -> None:
        found = np.abs(np.array(list(rows), np.float64))
        self._sorted = np.sort(found, axis=0)
        self.n = len(found)

    def quantiles(self, differences: Sequence[float]) -> list[float]:
        """Share of the background with a difference of smaller size, half of those of equal size added.

        nan where the difference is.
        """
        found = []
        for column, value in zip(self._sorted.T, differences, strict=True):
            column = column[~np.isnan(column)]
            below, up_to = (np.searchsorted(column, abs(value), side) for side in ("left", "right"))
            is_known = value == value and len(column)
            found.append(float(below + up_to) / 2 / len(column) if is_known else float("nan"))
        return found
