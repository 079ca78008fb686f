"""Flash attention forward by groups of GPU threads: the algorithm of `loops/forward.py`, a block of queries per group.

    s = q k^T + bias      top' = max(top, rowmax s)      p = 2^(s - top')
    total = total * 2^(top - top') + rowsum p            acc = acc * 2^(top - top') + p v
    o = acc / total       lse = (top + log2 total) / log2 e

Rows are folded through shared memory in a fixed order, so that all threads of a row see the same maximum.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from contextlib import AbstractContextManager

from tinygrad import UOp, dtypes

from gattn_tg.kernels.simt.group import Group, Layout, by_column, by_row, turned
from gattn_tg.kernels.tiles import operands as named
from gattn_tg.kernels.tiles.body import Body, element
from gattn_tg.kernels.tiles.group_score import GroupScore, words
from gattn_tg.kernels.tiles.operands import Operands
from gattn_tg.kernels.tiles.rotation import Rotation
from gattn_tg.kernels.tiles.score import LEAST, LOG2E, Score
from gattn_tg.kernels.tiles.tile import ceildiv


def shared_bytes(layout: Layout, d: int, e: int, score: Score) -> int:
    """Shared memory of one group."""
    rows, keys, wide = layout.rows, layout.keys, layout.wide
    q_k = rows * wide(d) + layout.padded(d) * wide(keys)
    v_p = keys * wide(e) + rows * wide(keys)
    return 4 * (q_k + v_p + rows * wide(layout.across) + words(score, keys))


def registers(layout: Layout, d: int, e: int) -> int:
    """Words of register tiles of one thread; d does not count, q is in shared memory."""
    rows = layout.rows // layout.down
    return rows * (layout.keys // layout.across + layout.padded(e) // layout.across + 3)


@functools.cache
def kernel(score: Score, rotation: Rotation, layout: Layout) -> Callable[..., UOp]:
    """The kernel of a score function, a rotation and a layout.

    Its operands are o, lse, top, inverse, q, k, v, then those of the score and of the rotation; shapes come from them.
    """

    @functools.cache
    def simt_forward(*operands: UOp) -> UOp:
        return Forward(score, rotation, layout, named.forward(4, score, rotation, operands)).build()

    return simt_forward


class Forward:
    """The forward kernel under construction. A group owns a block of rows of one head."""

    def __init__(self, score: Score, rotation: Rotation, layout: Layout, given: Operands) -> None:
        self.o, self.lse, self.row_top, self.inverse = given.outputs
        self.q, self.k, self.v = given.q, given.k, given.v
        self.b_size, self.h_size, self.g_size, self.n, self.m, self.d, self.e = given.sizes
        self.score, self.rotation, self.layout = score, rotation, layout
        self.body = body = Body(
            f"flash_fwd_d{self.d}_e{self.e}_{layout.name}_{self.q.dtype.name}_{score.name}{rotation.name}"
        )
        self.angles = given.angles
        self.group = group = Group(body, layout)
        self.scores = GroupScore(group, score, given.of_score, self.n, self.m)
        rows, keys = layout.rows, layout.keys
        self.at_q, self.at_v = group.block(rows, self.d), group.block(keys, self.e)
        self.at_k = group.block(layout.padded(self.d), keys)  # by channel
        self.at_p, self.parts = group.block(rows, keys), group.block(rows, layout.across)
        self.s, self.acc = group.tile(rows, keys), group.tile(rows, self.e)
        own = rows // layout.down
        self.top, self.total, self.shrink = (body.array(own, 1) for _ in range(3))

    def build(self) -> UOp:
        """The whole kernel."""
        block, self.h, self.b = self.body.groups(ceildiv(self.n, self.layout.rows), self.h_size, self.b_size)
        self.g, self.i0 = self.h // (self.h_size // self.g_size), block * self.layout.rows
        self.start()
        with self.blocks() as step:
            first = step * self.layout.keys
            self.lay_out_keys(first)
            self.group.barrier()
            self.weigh(first)
            self.group.product(
                self.acc, self.layout.keys, by_row(self.body, self.at_p), by_column(self.body, self.at_v)
            )
            self.group.barrier()
        self.finish()
        return self.body.finish()

    def row(self, i: UOp) -> UOp:
        """A row of q; rows that pad the last block repeat the last one."""
        return (self.i0 + i).minimum(self.n - 1)

    def start(self) -> None:
        """Lay out the rows of q and the table, and empty the sums."""
        body = self.body
        cos, sin = self.angles.get("cos_q"), self.angles.get("sin_q")

        def channel(i: UOp, x: UOp) -> UOp:
            def load(c: UOp) -> UOp:
                return element(self.q, self.b, self.h, self.row(i), c).cast(dtypes.float32)

            return turned(x, self.d, self.rotation, load, cos=cos, sin=sin, b=self.b, row=self.row(i))

        self.group.fill(self.at_q, self.layout.rows, self.d, channel)
        self.scores.load_table(self.h)
        self.group.clear(self.acc)
        with body.loop(self.top.shape[0]) as i:
            body.write(self.top, (i, 0), LEAST)
        with body.loop(self.top.shape[0]) as i:
            body.write(self.total, (i, 0), 0.0)

    def blocks(self) -> AbstractContextManager[UOp]:
        """The blocks of keys that any of the rows sees."""
        keys = self.layout.keys
        size = ceildiv(self.m, keys)
        if self.score.reach == (None, None) and not self.score.has_lengths:
            return self.body.loop(size)
        start, stop = self.scores.seen_keys(self.b, self.i0, self.i0 + (self.layout.rows - 1))
        return self.body.span(start // keys, (stop + (keys - 1)) // keys, size)

    def lay_out_keys(self, first: UOp) -> None:
        """k in units of the score, v, and what the score needs."""
        factor = self.score.scale * LOG2E
        cos, sin = self.angles.get("cos_k"), self.angles.get("sin_k")

        def key(j: UOp) -> UOp:
            return (first + j).minimum(self.m - 1)

        def channel(j: UOp, x: UOp) -> UOp:
            def load(c: UOp) -> UOp:
                return element(self.k, self.b, self.g, key(j), c).cast(dtypes.float32) * factor

            return turned(x, self.d, self.rotation, load, cos=cos, sin=sin, b=self.b, row=key(j))

        def value(j: UOp, x: UOp) -> UOp:
            return element(self.v, self.b, self.g, key(j), x.minimum(self.e - 1)).cast(dtypes.float32)

        self.group.fill(self.at_k, self.layout.keys, self.d, channel, is_turned=True)
        self.group.fill(self.at_v, self.layout.keys, self.e, value)
        self.scores.load(self.b, self.h, first)

    def weigh(self, first: UOp) -> None:
        """p = 2^(score - top) in shared memory, with top, total and acc brought up to date."""
        body, group, s = self.body, self.group, self.s
        group.clear(s)
        group.product(s, self.d, by_row(body, self.at_q), by_column(body, self.at_k))
        with group.each(s) as (i, j, row, column):
            value = self.scores.value(body.read(s, i, j), self.b, self.h, self.i0 + row, first, column)
            body.write(s, (i, j), value)

        # the largest of this thread's scores per row, then of all threads of the row
        group.fold(self.shrink, s, LEAST, UOp.maximum)
        with body.loop(self.top.shape[0]) as i:
            body.write(self.parts, (group.row(i), group.x), body.read(self.shrink, i, 0))
        group.barrier()
        with body.loop(self.top.shape[0]) as i:
            body.write(self.shrink, (i, 0), body.read(self.top, i, 0))
        with body.loops(self.top.shape[0], self.layout.across) as (i, x):
            body.write(self.top, (i, 0), body.read(self.top, i, 0).maximum(body.read(self.parts, group.row(i), x)))
        with body.loop(self.top.shape[0]) as i:
            body.write(self.shrink, (i, 0), group.exp2(body.read(self.shrink, i, 0) - body.read(self.top, i, 0)))

        with group.each(s) as (i, j, _, _):
            body.write(s, (i, j), group.exp2(body.read(s, i, j) - body.read(self.top, i, 0)))
        group.put(self.at_p, s)
        with body.loops(*self.acc.shape) as (i, x):
            body.write(self.acc, (i, x), body.read(self.acc, i, x) * body.read(self.shrink, i, 0))
        with body.loop(self.top.shape[0]) as i:
            body.write(self.total, (i, 0), body.read(self.total, i, 0) * body.read(self.shrink, i, 0))
        group.fold(self.shrink, s, 0.0, UOp.__add__)
        with body.loop(self.top.shape[0]) as i:
            body.write(self.total, (i, 0), body.read(self.total, i, 0) + body.read(self.shrink, i, 0))
        group.barrier()

    def finish(self) -> None:
        """Write o, lse, top and 1 / total; a row that saw nothing has total = 0."""
        body, group, total = self.body, self.group, self.total
        own = total.shape[0]
        with body.loop(own) as i:
            body.write(self.parts, (group.row(i), group.x), body.read(total, i, 0))
        group.barrier()
        with body.loop(own) as i:
            body.write(total, (i, 0), 0.0)
        with body.loops(own, self.layout.across) as (i, x):
            body.write(total, (i, 0), body.read(total, i, 0) + body.read(self.parts, group.row(i), x))
        with body.loop(own) as i:
            # a row that saw nothing stays empty where its q is broken
            row, some = self.row(group.row(i)), body.read(total, i, 0)
            body.write(total, (i, 0), some.eq(0.0).where(0.0, some + self.scores.broken_row(self.b, self.h, row)))

        def write(out: UOp, i: UOp, value: UOp) -> None:
            row = group.row(i)
            when = (self.i0 + row < self.n) & group.x.eq(0)
            body.write(out, (self.b, self.h, self.row(row)), value, when=when)

        with body.loop(own) as i:
            some = body.read(total, i, 0)
            lse = (body.read(self.top, i, 0) + some.log2()) * (1 / LOG2E)
            write(self.lse, i, (some > 0).where(lse, some.eq(0.0).where(-math.inf, math.nan)))
        with body.loop(own) as i:
            some = body.read(total, i, 0)
            body.write(total, (i, 0), some.eq(0.0).where(0.0, 1 / some))
        with body.loop(own) as i:
            write(self.row_top, i, body.read(self.top, i, 0))
        with body.loop(own) as i:
            write(self.inverse, i, body.read(total, i, 0))
        with group.each(self.acc) as (i, j, row, x):
            value = (body.read(self.acc, i, j) * body.read(total, i, 0)).cast(self.o.dtype)
            when = (self.i0 + row < self.n) & (x < self.e)
            body.write(self.o, (self.b, self.h, self.row(row), x.minimum(self.e - 1)), value, when=when)
