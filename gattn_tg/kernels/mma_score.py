"""The score function of `score.py` where warps with matrix units work on a block of keys together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from tinygrad import UOp, dtypes

from gattn_tg.kernels.mma import Warps, Write
from gattn_tg.kernels.score import Score
from gattn_tg.kernels.simt_score import GroupScore
from gattn_tg.kernels.tile import ceildiv


class WarpScore(GroupScore):
    """A score function inside one kernel, which fills shared memory in the same statement as the factors.

    Args:
        warps: the threads.
        score: the static part.
        tensors: what `score.operands` names.
        n, m: rows and keys.
    """

    def __init__(self, warps: Warps, score: Score, tensors: tuple[UOp, ...], n: int, m: int) -> None:
        super().__init__(warps, score, tensors, n, m)  # type: ignore[arg-type]  # what it needs of a group, warps have

    def moves(self, b: UOp, h: UOp, first: UOp) -> list[Write]:
        """The writes that bring what the block of keys starting at `first` needs."""
        keys, threads = self.block_keys, self.group.layout.threads
        self.place = (b, h, first)
        writes: list[Write] = []
        for name, lanes in self.ints.items():
            for turn in range(ceildiv(keys, threads)):
                j = (self.group.thread + turn * threads).minimum(keys - 1)
                number = self.t[name][b, (first + j).minimum(self.m - 1)].cast(dtypes.int)
                writes.append((lanes, (j,), number))
        return writes

    def key_blocks(self, b: UOp, i0: UOp) -> AbstractContextManager[UOp]:
        """The blocks of keys that any of a block of rows sees; the threads wait for each other after each."""
        span = None
        if self.score.reach != (None, None) or self.score.has_lengths:
            span = self.seen_keys(b, i0, i0 + (self.group.layout.rows - 1))
        return self._blocks(self.m, self.block_keys, span)

    def row_blocks(self, first: UOp) -> AbstractContextManager[UOp]:
        """The blocks of rows that see any key of a block; the threads wait for each other after each."""
        span = self.seeing_rows(first) if self.score.reach != (None, None) else None
        return self._blocks(self.n, self.group.layout.rows, span)

    @contextmanager
    def _blocks(self, count: int, size: int, span: tuple[UOp, UOp] | None) -> Iterator[UOp]:
        if span is None:
            with self.body.loop(ceildiv(count, size)) as step:
                yield step
                # the last statement of a loop, or tinygrad adds a second one
                self.body.barrier()
            return
        start, stop = span
        with self.body.span(start // size, (stop + (size - 1)) // size, ceildiv(count, size), is_shared=True) as step:
            yield step
