"""The score function of `tiles/score.py` where warps with matrix units work on a block of keys together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tinygrad import UOp, dtypes

from gattn_tg.kernels.mma.layout import Write
from gattn_tg.kernels.mma.warps import Warps
from gattn_tg.kernels.tiles.body import Body, element
from gattn_tg.kernels.tiles.group_score import GroupScore
from gattn_tg.kernels.tiles.score import Score
from gattn_tg.kernels.tiles.tile import ceildiv


class WarpScore(GroupScore):
    """A score function inside one kernel, which fills shared memory in the same statement as the factors.

    Args:
        warps: the threads.
        score: the static part.
        tensors: what `score.operands` names.
        n, m: rows and keys.
    """

    def __init__(self, warps: Warps, score: Score, tensors: tuple[UOp, ...], n: int, m: int) -> None:
        super().__init__(warps, score, tensors, n, m)
        self.warps = warps

    def moves(self, b: UOp, g: UOp, first: UOp) -> list[Write]:
        """The writes that bring what the block of keys starting at `first` needs."""
        keys, threads = self.block_keys, self.group.layout.threads
        writes: list[Write] = []
        for name, lanes in self.ints.items():
            for turn in range(ceildiv(keys, threads)):
                j = (self.group.thread + turn * threads).minimum(keys - 1)
                number = element(self.t[name], b, (first + j).minimum(self.m - 1)).cast(dtypes.int)
                writes.append((lanes, (j,), number))
        if self.broken is not None:
            for turn in range(ceildiv(keys, threads)):
                j = (self.group.thread + turn * threads).minimum(keys - 1)
                writes.append((self.broken, (j,), self.broken_key(b, g, first, j)))
        return writes

    def key_blocks(self, b: UOp, i0: UOp) -> Blocks:
        """The blocks of keys that any of a block of rows sees."""
        span = None
        if self.score.reach != (None, None) or self.score.has_lengths:
            span = self.seen_keys(b, i0, i0 + (self.warps.layout.rows - 1))
        return Blocks(self.body, self.m, self.block_keys, span)

    def row_blocks(self, first: UOp) -> Blocks:
        """The blocks of rows that see any key of a block."""
        span = self.seeing_rows(first) if self.score.reach != (None, None) else None
        return Blocks(self.body, self.n, self.warps.layout.rows, span)


class Blocks:
    """A run of blocks: all of them, or those that a span of places lies in.

    Args:
        body: the kernel under construction.
        count: places.
        block: places of a block.
        span: first place that counts and the one after the last, values; None where all count.
    """

    def __init__(self, body: Body, count: int, block: int, span: tuple[UOp, UOp] | None) -> None:
        self.body, self.size, self.block, self.span = body, ceildiv(count, block), block, span

    @property
    def first(self) -> UOp:
        """The first of them; any block where there is none."""
        if self.span is None:
            return UOp.const(0, dtypes.weakint)
        return (self.span[0] // self.block).maximum(0).minimum(self.size - 1).cast(dtypes.weakint)

    @contextmanager
    def run(self) -> Iterator[UOp]:
        """Repeat for each; the threads of a group wait for each other at the end of every turn."""
        if self.span is None:
            with self.body.loop(self.size) as step:
                yield step
                # the last statement of a loop, or tinygrad adds a second one
                self.body.barrier()
            return
        start, stop = self.span
        last = (stop + (self.block - 1)) // self.block
        with self.body.span(start // self.block, last, self.size, is_shared=True) as step:
            yield step
