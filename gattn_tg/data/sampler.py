"""Which rows a step sees: a function of (seed, step), so that a run resumes anywhere without replaying."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from gattn_tg.errors import ConfigError
from gattn_tg.types import Int

ROUNDS = 6  # of the Feistel network, an even number; four already pass for random
BLOCK_ROWS = 4096  # rows whose order is computed together
_FIRST, _SECOND, _STEP = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0x9E3779B97F4A7C15
_MASK = 2**64 - 1


@dataclass(frozen=True)
class Sampler:
    """Batches of rows, each row once per pass over the data, split among ranks without overlap.

    Step s of rank r sees the positions `(s * n_ranks + r) * batch_size ...` of one endless sequence, in which every n
    positions are another permutation of the n rows. Any position costs the same, so nothing is replayed on resuming.

    Args:
        n_rows: rows of the dataset.
        batch_size: rows per step and rank.
        seed: decides the order; None keeps the order of the file.
        rank: this process, 0 <= rank < n_ranks.
        n_ranks: processes that train together.

    Raises:
        ConfigError: a number that cannot be.

    Source: Black and Rogaway (2002) CT-RSA, permutations of any size by a Feistel network and cycle walking.
    """

    n_rows: int
    batch_size: int
    seed: int | None = None
    rank: int = 0
    n_ranks: int = 1

    def __post_init__(self) -> None:
        if self.n_rows < 1 or self.batch_size < 1 or not 0 <= self.rank < self.n_ranks or (self.seed or 0) < 0:
            raise ConfigError(
                "sampler: expected n_rows and batch_size of at least 1, 0 <= rank < n_ranks and seed >= 0, "
                f"got {self.n_rows}, {self.batch_size}, {self.rank}, {self.n_ranks} and {self.seed}; "
                "correct the setting"
            )

    def rows(self, step: int) -> Int[np.ndarray, "b"]:
        """Return the rows of a step; the cost does not depend on the step."""
        n_steps = self._steps_per_block
        return _block(self, step // n_steps)[step % n_steps] if step >= 0 else self._positions(step)

    def draws(self, step: int, stream: int) -> np.ndarray:
        """Return one random 64-bit number per row of a step, the same ones whatever happened before.

        Args:
            step: 0-based.
            stream: another number gives independent draws, for example one for strands and one for jitter.
        """
        key = hashed(self.seed or 0, stream, 0x5EED)
        return mixed(self._positions(step).astype(np.uint64) * np.uint64(_STEP) ^ np.uint64(key))

    def epoch(self, step: int) -> int:
        """Return the pass over the data in which a step begins."""
        return int(self._positions(step)[0] // self.n_rows)

    @property
    def _steps_per_block(self) -> int:
        # At most one pass over the data, because each pass has a permutation of its own.
        return max(min(BLOCK_ROWS, self.n_rows // self.n_ranks) // self.batch_size, 1)

    def _positions(self, step: int) -> Int[np.ndarray, "b"]:
        if step < 0:
            raise ConfigError(f"sampler: expected a step of at least 0, got {step}; correct it")
        first = (step * self.n_ranks + self.rank) * self.batch_size
        return np.arange(first, first + self.batch_size, dtype=np.int64)


def permuted(positions: Int[np.ndarray, "k"], n: int, key: int) -> Int[np.ndarray, "k"]:
    """Return where a permutation of 0..n-1 that `key` decides puts each position, without making the permutation.

    Example:
        >>> sorted(permuted(np.arange(10), 10, key=3).tolist()) == list(range(10))
        True
    """
    n_bits = max((n - 1).bit_length(), 2)
    low = n_bits // 2
    widths = (n_bits - low, low)  # of the left and right part; they swap in every round
    values = positions.astype(np.uint64)
    open_ = np.arange(len(values))
    keys = [np.uint64(hashed(key, k)) for k in range(ROUNDS)]
    # The network permutes the next power of two; what lands at n or above walks on along its cycle.
    while open_.size:
        walking = values[open_]
        left, right = walking >> np.uint64(low), walking & np.uint64((1 << low) - 1)
        for k in range(ROUNDS):
            mask = np.uint64((1 << widths[k % 2]) - 1)
            left, right = right, left ^ (mixed(right ^ keys[k]) & mask)
        walking = left << np.uint64(low) | right
        values[open_] = walking
        open_ = open_[walking >= n]
    return values.astype(np.int64)


@lru_cache(maxsize=8)
def _block(sampler: Sampler, block: int) -> Int[np.ndarray, "s b"]:
    """Return the rows of some steps at once, because NumPy needs as long for one step as for many."""
    n_steps = sampler._steps_per_block
    positions = np.stack([sampler._positions(step) for step in range(block * n_steps, (block + 1) * n_steps)])
    epochs, rows = np.divmod(positions, sampler.n_rows)
    if sampler.seed is not None:
        for epoch in np.unique(epochs).tolist():
            here = epochs == epoch
            rows[here] = permuted(rows[here], sampler.n_rows, hashed(sampler.seed, epoch))
    rows.setflags(write=False)  # it is kept
    return rows


def hashed(*numbers: int) -> int:
    """Return 64 bits decided by whole numbers (splitmix64, Steele, Lea and Flood 2014)."""
    state = 0
    for number in numbers:
        state = (state + number + _STEP) & _MASK
        state = ((state ^ state >> 30) * _FIRST) & _MASK
        state = ((state ^ state >> 27) * _SECOND) & _MASK
        state ^= state >> 31
    return state


def mixed(values: np.ndarray) -> np.ndarray:
    """Return 64-bit numbers whose bits each depend on all bits of the given ones (the last steps of splitmix64)."""
    values = (values ^ values >> np.uint64(30)) * np.uint64(_FIRST)
    values = (values ^ values >> np.uint64(27)) * np.uint64(_SECOND)
    last: np.ndarray = values ^ values >> np.uint64(31)
    return last
