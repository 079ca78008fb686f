"""Flash attention, forward: o and log-sum-exp in one pass over the keys, nothing of size n*m stored.

For a block of rows, over blocks of keys, exponents in units of log 2:

    s = q k^T + bias      top' = max(top, rowmax s)      p = 2^(s - top')
    total = total * 2^(top - top') + rowsum p            acc = acc * 2^(top - top') + p v
    o = acc / total       lse = (top + log2 total) / log2 e

The backward pass takes top and 1 / total rather than lse: p = 2^(s - top) / total is then exactly what went into o,
while 2^(s log2 e - lse log2 e) would carry the rounding of lse, an absolute error that grows with the scores.

Source: Dao 2023, FlashAttention-2, algorithm 1.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from contextlib import AbstractContextManager

from tinygrad import UOp, dtypes

from gattn_tg.kernels.body import Body
from gattn_tg.kernels.plan import PARTS, query_rows
from gattn_tg.kernels.rotation import Rotation, Turn
from gattn_tg.kernels.score import LEAST, LOG2E, Score, ScoreBody
from gattn_tg.kernels.tile import (
    FOLD,
    LANES,
    ROWS,
    Arena,
    Panel,
    View,
    ceildiv,
    exp2,
    fold,
    lane_groups,
    padded,
    product,
    registers,
)

FIRST_INPUT = 5  # place of q among the operands
FEW = 2  # rows of one head for which laying keys out by channel costs more than it saves


def arena(b: int, h: int, n: int, d: int, e: int) -> tuple[int, Arena]:
    """Rows per unit, and the scratch memory of one part."""
    rows = query_rows(b * h, n, max(d, e))
    folded = ceildiv(d, FOLD) * FOLD
    return rows, Arena(q=rows * folded, k=LANES * folded, v=LANES * padded(e), acc=rows * padded(e))


def scratch_shape(b: int, h: int, n: int, d: int, e: int) -> tuple[int, int]:
    """Shape of the scratch operand."""
    rows, panels = arena(b, h, n, d, e)
    return min(PARTS, b * h * ceildiv(n, rows)), panels.size


@functools.cache
def kernel(score: Score, rotation: Rotation) -> Callable[..., UOp]:
    """The kernel of a score function and a rotation.

    Its operands are o, lse, top, inverse, scratch, q, k, v, then those of the score and of the rotation; shapes come
    from them.
    """

    @functools.cache
    def flash_forward(*operands: UOp) -> UOp:
        is_decoding = operands[FIRST_INPUT].shape[2] <= FEW
        return (FewRows if is_decoding else Forward)(score, rotation, *operands).build()

    return flash_forward


class Forward:
    """The forward kernel under construction. A unit is a block of rows of one head."""

    def __init__(
        self, score: Score, rotation: Rotation, o: UOp, lse: UOp, row_top: UOp, inverse: UOp, scratch: UOp, q: UOp,
        k: UOp, v: UOp, *tensors: UOp,
    ) -> None:  # fmt: skip
        self.o, self.lse, self.row_top, self.inverse, self.scratch = o, lse, row_top, inverse, scratch
        self.q, self.k, self.v = q, k, v
        self.b_size, self.h_size, self.n, self.d = q.shape
        _, self.g_size, self.m, self.e = v.shape
        self.rows, self.panels = arena(self.b_size, self.h_size, self.n, self.d, self.e)
        self.score, self.rotation = score, rotation
        plan = f"d{self.d}_e{self.e}_loops{'x'.join(map(str, registers()))}_{q.dtype.name}"
        self.body = body = Body(f"flash_fwd_{plan}_{score.name}{rotation.name}")
        self.angles = dict(zip(rotation.operands, tensors[len(score.operands) :], strict=True))
        self.scores = ScoreBody(body, score, tensors[: len(score.operands)], self.n, self.m)
        self.width, self.q_width = padded(self.e), self.d
        self.s, self.c = body.array(ROWS, LANES), body.array(ROWS, LANES)
        self.top, self.total = body.array(self.rows), body.array(self.rows, FOLD)
        self.lanes, self.shrink = body.array(ROWS, FOLD), body.array(ROWS)

    def build(self) -> UOp:
        """The whole kernel."""
        per_head = ceildiv(self.n, self.rows)
        with self.body.units(self.b_size * self.h_size * per_head, self.scratch.shape[0]) as (part, unit):
            self.at_q, self.at_k, self.at_v, self.acc = self.panels.panels(self.body, self.scratch, part)
            self.b, self.h = unit // (self.h_size * per_head), unit // per_head % self.h_size
            self.g, self.i0 = self.h // (self.h_size // self.g_size), unit % per_head * self.rows
            self.start()
            with self.blocks() as block:
                self.lay_out_keys(block * LANES)
                with self.tiles(block * LANES) as tile:
                    self.weigh(tile * ROWS, block * LANES)
                    self.add_values(tile * ROWS)
            self.finish()
        return self.body.finish()

    def row(self, i: UOp) -> UOp:
        """A row of q; rows that pad the last block repeat the last one."""
        return (self.i0 + i).minimum(self.n - 1)

    def start(self) -> None:
        """Lay out the rows of q, and empty the sums."""
        body, width = self.body, self.width
        if self.reads_q_in_place():
            self.rows_of_q: Panel | View = View(lambda i, x: self.q[self.b, self.h, self.i0 + i, x])
        else:
            self.rows_of_q = self.at_q
            self.lay_out_q()
        self.acc.fill(self.rows * width, 0.0)
        if width > self.e:
            self.at_v.fill(LANES * width, 0.0)
        with body.loop(self.rows) as i:
            body.write(self.top, (i,), LEAST)
        with body.loops(self.rows, FOLD) as (i, x):
            body.write(self.total, (i, x), 0.0)

    def reads_q_in_place(self) -> bool:
        """Whether rows of q serve as they are."""
        return not self.rotation.channels and self.q.dtype == dtypes.float32 and self.n % self.rows == 0

    def lay_out_q(self) -> None:
        """The rows of q, turned, in float32."""
        turn = Turn(self.body, self.rotation, self.angles.get("cos_q"), self.angles.get("sin_q"), self.b)
        turn.lay_out(
            self.rows, self.d, self.row,
            lambda i, x: self.q[self.b, self.h, self.row(i), x].cast(dtypes.float32),
            lambda i, x, value: self.at_q.write(i * self.q_width + x, value),
        )  # fmt: skip

    def blocks(self) -> AbstractContextManager[UOp]:
        """The blocks of keys that any of the rows sees."""
        size = ceildiv(self.m, LANES)
        if self.score.reach == (None, None) and not self.score.has_lengths:
            return self.body.loop(size)
        start, stop = self.scores.seen_keys(self.b, self.i0, self.i0 + (self.rows - 1))
        return self.body.span(start // LANES, (stop + (LANES - 1)) // LANES, size)

    def tiles(self, first: UOp) -> AbstractContextManager[UOp]:
        """The tiles of rows that see any key of the block."""
        size = self.rows // ROWS
        if self.score.reach == (None, None):
            return self.body.loop(size)
        start, stop = (row - self.i0.cast(dtypes.int) for row in self.scores.seeing_rows(first))
        return self.body.span(start // ROWS, (stop + (ROWS - 1)) // ROWS, size)

    def lay_out_keys(self, first: UOp) -> None:
        """k in units of the score, v, and what the score needs."""
        factor = self.score.scale * LOG2E

        def key(j: UOp) -> UOp:
            return (first + j).minimum(self.m - 1)

        turn = Turn(self.body, self.rotation, self.angles.get("cos_k"), self.angles.get("sin_k"), self.b)
        turn.lay_out(
            LANES, self.d, key,
            lambda j, x: self.k[self.b, self.g, key(j), x].cast(dtypes.float32) * factor,
            self.store_key, by_channel=self.keys_by_channel,
        )  # fmt: skip
        with self.body.loops(LANES, self.e) as (j, x):
            self.at_v.write(j * self.width + x, self.v[self.b, self.g, key(j), x].cast(dtypes.float32))
        self.scores.load(self.b, self.h, first)

    keys_by_channel = True

    def store_key(self, j: UOp, x: UOp, value: UOp) -> None:
        """Channel x of key j goes to where `multiply` reads it."""
        self.at_k.write(x * LANES + j, value)

    def multiply(self, r: UOp) -> None:
        """s = q k^T for one tile."""
        body, s = self.body, self.s
        with body.loops(ROWS, LANES) as (i, j):
            body.write(s, (i, j), 0.0)
        product(body, s, self.d, self.rows_of_q.rows(self.q_width, r), self.at_k.lanes(LANES, 0))

    def weigh(self, r: UOp, first: UOp) -> None:
        """s = 2^(score - top) for one tile, with top, total and shrink brought up to date."""
        body, s, top, total, lanes = self.body, self.s, self.top, self.total, self.lanes
        self.multiply(r)
        with body.loops(ROWS, LANES) as (i, j):
            value = self.scores.value(body.read(s, i, j), self.b, self.h, self.i0 + r + i, first, j)
            body.write(s, (i, j), value)

        with body.loops(ROWS, FOLD) as (i, j):
            body.write(lanes, (i, j), body.read(top, r + i))
        with body.loops(ROWS, LANES // FOLD, FOLD) as (i, y, j):
            body.write(lanes, (i, j), body.read(lanes, i, j).maximum(body.read(s, i, y * FOLD + j)))
        fold(body, lanes, UOp.maximum)
        with body.loop(ROWS) as i:
            body.write(self.shrink, (i,), exp2(body.read(top, r + i) - body.read(lanes, i, 0)))
        with body.loop(ROWS) as i:
            body.write(top, (r + i,), body.read(lanes, i, 0))

        with body.loops(ROWS, LANES) as (i, j):
            body.write(s, (i, j), exp2(body.read(s, i, j) - body.read(top, r + i)))
        with body.loops(ROWS, FOLD) as (i, j):
            body.write(total, (r + i, j), body.read(total, r + i, j) * body.read(self.shrink, i))
        with body.loops(ROWS, LANES // FOLD, FOLD) as (i, y, j):
            body.write(total, (r + i, j), body.read(total, r + i, j) + body.read(s, i, y * FOLD + j))

    def add_values(self, r: UOp) -> None:
        """acc = acc * shrink + s v for one tile."""
        body, c = self.body, self.c
        for start, size in lane_groups(self.e):
            with body.loops(ROWS, size) as (i, x):
                body.write(c, (i, x), self.acc.read((r + i) * self.width + (start + x)) * body.read(self.shrink, i))
            product(body, c, LANES, lambda i, j: body.read(self.s, i, j), self.at_v.lanes(self.width, start), size)
            with body.loops(ROWS, size) as (i, x):
                self.acc.write((r + i) * self.width + (start + x), body.read(c, i, x))

    def finish(self) -> None:
        """Write o, lse, top and 1 / total; a row that saw nothing has total = 0."""
        body, total = self.body, self.total
        with body.loops(self.rows, FOLD - 1) as (i, x):
            body.write(total, (i, 0), body.read(total, i, 0) + body.read(total, i, x + 1))

        def write(out: UOp, i: UOp, value: UOp) -> None:
            body.write(out, (self.b, self.h, self.row(i)), value, when=self.i0 + i < self.n)

        with body.loop(self.rows) as i:
            some = body.read(total, i, 0)
            write(self.lse, i, (some > 0).where((body.read(self.top, i) + some.log2()) * (1 / LOG2E), -math.inf))
        with body.loop(self.rows) as i:
            some = body.read(total, i, 0)
            body.write(total, (i, 0), (some > 0).where(1 / some, 0.0))
        with body.loop(self.rows) as i:
            write(self.row_top, i, body.read(self.top, i))
        with body.loop(self.rows) as i:
            write(self.inverse, i, body.read(total, i, 0))
        with body.loops(self.rows, self.e) as (i, x):
            value = (self.acc.read(i * self.width + x) * body.read(total, i, 0)).cast(self.o.dtype)
            body.write(self.o, (self.b, self.h, self.row(i), x), value, when=self.i0 + i < self.n)


class FewRows(Forward):
    """The forward kernel for one or two rows per head, as in decoding against a cache of keys.

    Keys stay as they come, row by row: a product runs over FOLD lanes of channels, which are folded at its end. That
    costs more steps than a tile, but reading the keys is what takes the time here; turning them over would double it.
    """

    keys_by_channel = False

    def __init__(self, score: Score, rotation: Rotation, *operands: UOp) -> None:
        super().__init__(score, rotation, *operands)
        self.q_width = ceildiv(self.d, FOLD) * FOLD
        self.partial = self.body.array(LANES, FOLD)

    def reads_q_in_place(self) -> bool:
        """Never: products read q beyond its width."""
        return False

    def start(self) -> None:
        """As for many rows; the lanes that pad a row of q and of k are 0."""
        if self.q_width > self.d:
            self.at_q.fill(self.rows * self.q_width, 0.0)
            self.at_k.fill(LANES * self.q_width, 0.0)
        super().start()

    def store_key(self, j: UOp, x: UOp, value: UOp) -> None:
        """Rows of keys, padded to whole lanes."""
        self.at_k.write(j * self.q_width + x, value)

    def multiply(self, r: UOp) -> None:
        """s[i, j] = sum over lanes of sum_c q[i, c] k[j, c]; rows that pad the tile are 0."""
        body, s, partial, wide = self.body, self.s, self.partial, self.q_width
        with body.loops(ROWS, LANES) as (i, j):
            body.write(s, (i, j), 0.0)
        with body.loop(self.n) as i:
            with body.loops(LANES, FOLD) as (j, x):
                body.write(partial, (j, x), 0.0)
            with body.loops(LANES, wide // FOLD, FOLD) as (j, c, x):
                term = self.at_q.read(i * wide + c * FOLD + x) * self.at_k.read(j * wide + c * FOLD + x)
                body.write(partial, (j, x), body.read(partial, j, x) + term)
            fold(body, partial, UOp.__add__, LANES)
            with body.loop(LANES) as j:
                body.write(s, (i, j), body.read(partial, j, 0))
