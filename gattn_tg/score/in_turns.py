"""A network whose batches several processes compute in turns: each gets all answers, with the bits of one process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from gattn_tg.models.captured.strands import Run
from gattn_tg.types import Float

T = TypeVar("T")
Over = Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]]
"""Applies a function to items, in whatever process, and gives all results in the order of the items."""


def from_first(value: Callable[[], T], over: Over | None) -> T:
    """What the first of several processes finds, in all of them; the others do nothing for it."""
    found: T = value() if over is None else over(lambda _: value(), [None])[0]
    return found


def filled(array: np.ndarray, n: int) -> np.ndarray:
    """An array with rows up to `n`: the last one again."""
    return np.pad(array, ((0, n - len(array)), *((0, 0),) * (array.ndim - 1)), mode="edge")


class SharedRows:
    """Calling it with arrays that have one row per sequence gives one row of answers per sequence.

    The bits of an answer depend on how many rows a batch has. One process fills small batches up to what it has seen
    before; a process that has not seen it does the same here.

    Args:
        run: the network, which cuts batches of `batch_size` rows.
        batch_size: rows per batch.
        over: shares the batches out.
    """

    def __init__(self, run: Run, batch_size: int, over: Over) -> None:
        self.run, self.batch_size, self.over = run, batch_size, over
        self.most = 0

    def __call__(self, *arrays: np.ndarray) -> Float[np.ndarray, "n ..."]:
        n, size = len(arrays[0]), self.batch_size
        self.most = max(self.most, n)

        def one(first: int) -> np.ndarray:
            rows = [array[first : first + size] for array in arrays]
            kept = len(rows[0])
            answers: np.ndarray = self.run(*(filled(row, size) for row in rows) if self.most >= size else rows)[:kept]
            return answers

        return np.concatenate(self.over(one, range(0, n, size)))
