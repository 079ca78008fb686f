"""What every dataset offers, and the loop that makes batches of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Protocol, TypeVar

import numpy as np

from gattn_tg.data.prefetch import Prefetched
from gattn_tg.data.sampler import Sampler
from gattn_tg.types import Int

Draw = Callable[[int], np.ndarray]
"""Stream -> one random 64-bit number per row of the batch; `Sampler.draws` of a step."""

STRAND, JITTER, PLACE, MASK = 1, 2, 3, 11
"""Streams of random numbers: which rows are turned, by how much windows move, where random windows lie, what is hidden
from a masked language model."""

B = TypeVar("B", covariant=True)


class Dataset(Protocol[B]):
    """Rows that can be made into a batch; `draw` None makes them without augmentation."""

    def __len__(self) -> int:
        """Return the number of rows."""
        ...

    def batch(self, rows: Int[np.ndarray, "b"], draw: Draw | None = None) -> B:
        """Return the rows as one batch."""
        ...


def steps(
    dataset: Dataset[B], sampler: Sampler, first_step: int = 0, last_step: int | None = None, *, augment: bool = True
) -> Iterator[B]:
    """Yield the batches of steps `first_step`, `first_step + 1`, ..., the same whatever was drawn before.

    Args:
        dataset: its rows are those of the sampler.
        sampler: order, augmentation, rank.
        first_step: where to begin or go on.
        last_step: where to end, itself left out; None never ends.
        augment: draw strands and jitter, as far as the dataset has them.
    """
    for step in count(first_step) if last_step is None else range(first_step, last_step):
        yield dataset.batch(sampler.rows(step), _draw(sampler, step) if augment else None)


def prefetched_steps(
    dataset: Dataset[B],
    sampler: Sampler,
    first_step: int = 0,
    last_step: int | None = None,
    *,
    augment: bool = True,
    ahead: int = 2,
) -> Prefetched[B]:
    """Return `steps` made in a thread, `ahead` batches in advance."""
    return Prefetched(steps(dataset, sampler, first_step, last_step, augment=augment), ahead)


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


def _draw(sampler: Sampler, step: int) -> Draw:
    return lambda stream: sampler.draws(step, stream)
