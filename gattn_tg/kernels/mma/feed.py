"""Threads of a group that fill its shared memory with rows of factors, 16 bytes at a time, block after block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from tinygrad import UOp, dtypes
from tinygrad.dtype import DType

from gattn_tg.kernels.mma.layout import CHUNK, Layout, Write, place, stride
from gattn_tg.kernels.tiles.body import Body
from gattn_tg.kernels.tiles.tile import ceildiv


class Steps(Protocol):
    """Some of the blocks that a dimension is cut into, in order."""

    size: int

    @property
    def first(self) -> UOp: ...

    def run(self) -> AbstractContextManager[UOp]: ...


class Feed:
    """The threads of one group inside one kernel, as far as they move factors.

    Args:
        body: the kernel under construction.
        layout: how the warps cut their work.
        dtype: of the factors.
    """

    def __init__(self, body: Body, layout: Layout, dtype: DType) -> None:
        self.body, self.layout, self.dtype = body, layout, dtype
        self.thread = body.threads(layout.threads)
        self._has_written = False

    def line(self, size: int, dtype: DType = dtypes.float32) -> UOp:
        """Shared memory for `size` numbers."""
        return self.body.shared(size, dtype=dtype)

    def part(self) -> None:
        """A barrier between two runs of writes to shared memory; else tinygrad places one in every turn."""
        if self._has_written:
            self.body.barrier()
        self._has_written = True

    def block(self, rows: int, width: int) -> UOp:
        """Shared memory for rows of `width` factors."""
        return self.body.shared(rows, stride(width), dtype=self.dtype)

    def moves(self, block: UOp, source: UOp, row: Callable[[UOp], UOp]) -> list[Write]:
        """The writes of `block[i] = source[row(i)]`, where row gives a row among those of all heads.

        Spare threads copy the last chunk again.
        """
        threads, width, writes = self.layout.threads, source.shape[-1], []
        chunks = block.shape[0] * (width // CHUNK)
        for turn in range(ceildiv(chunks, threads)):
            at = (self.thread + turn * threads).minimum(chunks - 1)
            i, x = at // (width // CHUNK), at % (width // CHUNK)
            writes += self._move(
                block, i * stride(width) + place(i, x * CHUNK, width), source, row(i) * width + x * CHUNK
            )
        return writes

    @contextmanager
    def fed(self, writes: Callable[[UOp], list[Write]], steps: Steps) -> Iterator[UOp]:
        """Repeat for all steps with the shared memory filled for the step by `writes(step)`."""
        is_early = self.layout.is_early
        if is_early:
            self.copy(writes(steps.first))
            self.body.barrier()
        with steps.run() as step:
            following = writes((step + 1).minimum(steps.size - 1) if is_early else step)
            if not is_early:
                self.copy(following)
                self.body.barrier()
            yield step
            if is_early:
                self.body.barrier()
                self.body.together(following)

    def copy(self, writes: Sequence[Write]) -> None:
        """One statement that fills shared memory, after a barrier where some was filled before."""
        self.part()
        self.body.together(writes)

    def _move(self, to: UOp, at: UOp, source: UOp, start: UOp) -> list[Write]:
        to, source = to.base, source.base
        count = CHUNK
        if self.layout.is_cuda:
            per_word = 4 // self.dtype.itemsize
            count, at, start = CHUNK // per_word, at // per_word, start // per_word
            to, source = to.bitcast(dtypes.uint32), source.bitcast(dtypes.uint32)
        return [(to, (at + x,), self.body.read(source, start + x)) for x in range(count)]
