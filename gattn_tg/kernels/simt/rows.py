"""Flash attention backward by groups of GPU threads, the pass that owns queries: dq, and the sums for the table.

    dq[i] = sum_j ds[i, j] k[j]        sums[i, c] = sum_j ds[i, j] [class of j, seen from i, is c]
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager

from tinygrad import UOp

from gattn_tg.kernels.simt.backward import Backward, tiles
from gattn_tg.kernels.simt.group import Layout, by_column, by_row
from gattn_tg.kernels.tiles import operands as named
from gattn_tg.kernels.tiles.group_score import words
from gattn_tg.kernels.tiles.rotation import Rotation
from gattn_tg.kernels.tiles.score import LOG2E, Score
from gattn_tg.kernels.tiles.tile import ceildiv


def shared_bytes(layout: Layout, d: int, e: int, score: Score) -> int:
    """Shared memory of one group."""
    rows, keys, wide, columns = layout.rows, layout.keys, layout.wide, score.columns
    own = rows * (wide(d) + wide(e) + wide(keys)) + ((rows + 1) * wide(columns) if columns else 0)
    by_channel = layout.padded(e) + (layout.padded(d) if layout.threads == 1 else 0)
    return 4 * (own + keys * wide(d) + by_channel * wide(keys) + words(score, keys))


def registers(layout: Layout, d: int, e: int) -> int:
    """Words of register tiles of one thread; e does not count, dv is the other pass's."""
    return tiles(layout) + layout.rows // layout.down * (layout.padded(d) // layout.across + 3)


@functools.cache
def kernel(score: Score, rotation: Rotation, layout: Layout) -> Callable[..., UOp]:
    """The kernel of a score function, a rotation and a layout.

    Its operands are dq, where there is a table also the sums per row, then q, k, v, do, top, inverse, delta, and those
    of the score and of the rotation.
    """
    outputs = 2 if score.columns else 1

    @functools.cache
    def simt_backward_rows(*operands: UOp) -> UOp:
        return Rows(score, rotation, layout, named.backward(outputs, score, rotation, operands)).build()

    return simt_backward_rows


class Rows(Backward):
    """The pass that owns queries. A group owns a block of rows of one head."""

    def build(self) -> UOp:
        """The whole kernel."""
        body, group, layout = self.body, self.group, self.layout
        dq, *sums = self.outputs
        at_k = group.block(layout.keys, self.d)
        tile = group.tile(layout.rows, self.d)
        classes = self.score.columns
        by_class = group.block(layout.rows + 1, classes) if classes else None
        block, h, self.b = body.groups(ceildiv(self.n, layout.rows), self.h_size, self.b_size)
        i0 = block * layout.rows
        self.lay_out_rows(h, i0)
        self.scores.load_table(h)
        group.clear(tile)
        if by_class is not None:
            self.each_row(lambda i: self.empty(by_class, classes, i))
        with self.blocks(i0) as step:
            first = step * layout.keys
            self.lay_out_keys(h, first, at_k)
            self.scores.load(self.b, h, first)
            group.barrier()
            self.weigh(h, i0, first, at_k)
            group.barrier()
            group.product(tile, layout.keys, by_row(body, self.at_ds), by_column(body, at_k))
            if by_class is not None:
                self.each_row(lambda i: self.add(by_class, i0, first, i))
            group.barrier()
        if by_class is not None:
            self.each_row(lambda i: self.write_sums(sums[0], by_class, classes, h, i0, i))
        # the k that dq was summed from carries scale * log2 e, dq wants scale
        self.write_back(
            dq, self.at_q, tile, h, lambda i: self.row(i0, i), lambda i: i0 + i < self.n,
            rows=layout.rows, factor=1 / LOG2E, side="q",
        )  # fmt: skip
        return body.finish()

    def blocks(self, i0: UOp) -> AbstractContextManager[UOp]:
        """The blocks of keys that any of the rows sees."""
        keys = self.layout.keys
        size = ceildiv(self.m, keys)
        if self.score.reach == (None, None) and not self.score.has_lengths:
            return self.body.loop(size)
        start, stop = self.scores.seen_keys(self.b, i0, i0 + (self.layout.rows - 1))
        return self.body.span(start // keys, (stop + (keys - 1)) // keys, size)

    def each_row(self, do: Callable[[UOp], None]) -> None:
        """Rows of the block, one thread each. Threads without a row of their own share row `rows`, which nobody reads.

        A condition would not do: tinygrad 0.14 simplifies indices of conditional accesses, and with them the statements
        that an index read from memory depends on.
        """
        rows, threads = self.layout.rows, self.layout.threads
        with self.body.loop(ceildiv(rows, threads)) as turn:
            do((turn * threads + self.group.thread).minimum(rows))

    def empty(self, sums: UOp, classes: int, i: UOp) -> None:
        """No gradient yet."""
        with self.body.loop(classes) as c:
            self.body.write(sums, (i, c), 0.0)

    def add(self, sums: UOp, i0: UOp, first: UOp, i: UOp) -> None:
        """ds of one row, added by class of the key."""
        row = i.minimum(self.layout.rows - 1)
        with self.body.loop(self.layout.keys) as j:
            c, value = self.scores.column(self.body.read(self.at_ds, row, j), self.b, i0 + row, first, j)
            self.body.write(sums, (i, c), self.body.read(sums, i, c) + value)

    def write_sums(
        self, out: UOp, sums: UOp, classes: int, h: UOp, i0: UOp, i: UOp
    ) -> None:  # fmt: skip
        """The sums of one row go to memory."""
        inside = (i0 + i < self.n) & (i < self.layout.rows)
        with self.body.loop(classes) as c:
            self.body.write(out, (self.b, h, self.row(i0, i), c), self.body.read(sums, i, c), when=inside)
