"""Flash attention, forward: o and log-sum-exp in one pass over the keys, nothing of size n*m stored.

For a block of rows, over blocks of keys, exponents in units of log 2:

    s = q k^T + bias      top' = max(top, rowmax s)      p = 2^(s - top' - down)
    total = total * 2^(top - top') + rowsum p            acc = acc * 2^(top - top') + p v
    o = acc / total       lse = (top + down + log2 total) / log2 e

with 2^down >= m, so that sums stay below the largest |v|: o is a mean of v, and finite for every finite v.
The backward pass takes top and 1 / (2^down total) rather than lse: their p is then exactly what went into o,
while 2^(s log2 e - lse log2 e) would carry the rounding of lse, an absolute error that grows with the scores.

Broken numbers (NaN, infinities) are taken out of v and put into the scores of their keys (`broken.py`); those of q
start in total. So they reach the rows that see them, and 0 times a NaN never comes up.

Source: Dao 2023, FlashAttention-2, algorithm 1.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from contextlib import AbstractContextManager

from tinygrad import UOp, dtypes
from tinygrad.dtype import DType

from gattn_tg.kernels.loops.broken import BrokenKeys
from gattn_tg.kernels.loops.distances import Distances, band_sizes
from gattn_tg.kernels.loops.units import query_rows, runs
from gattn_tg.kernels.tiles import operands as named
from gattn_tg.kernels.tiles.body import Body, element
from gattn_tg.kernels.tiles.operands import Operands
from gattn_tg.kernels.tiles.rotation import Rotation, Turn
from gattn_tg.kernels.tiles.score import LEAST, LOG2E, Score, ScoreBody
from gattn_tg.kernels.tiles.tile import (
    FOLD,
    LANES,
    LARGEST,
    ROWS,
    Arena,
    Panel,
    View,
    bounded,
    ceildiv,
    exp2,
    fold,
    is_nan,
    lane_groups,
    padded,
    product,
    registers,
    saturate,
    tree,
)

TOGETHER = (2 * ROWS, ROWS)  # rows whose softmax is taken at once: the steps of one tile wait for each other


def arena(b: int, h: int, n: int, d: int, e: int, c: int = 0) -> tuple[int, Arena]:
    """Rows per unit, and the scratch memory of one part; c is the width of products by distance."""
    rows = query_rows(b * h, n, max(d, e))
    folded = ceildiv(d, FOLD) * FOLD
    sizes = {"q": rows * folded, "k": LANES * folded, "v": LANES * padded(e), "acc": rows * padded(e)}
    return rows, Arena(**sizes, **band_sizes(rows, c))


def scratch_shape(b: int, h: int, n: int, d: int, e: int, c: int = 0) -> tuple[int, int]:
    """Shape of the scratch operand."""
    rows, panels = arena(b, h, n, d, e, c)
    return runs(b * h * ceildiv(n, rows)), panels.size


OUTPUTS = 5  # o, lse, top, inverse, scratch


@functools.cache
def kernel(score: Score, rotation: Rotation) -> Callable[..., UOp]:
    """The kernel of a score function and a rotation.

    Its operands are o, lse, top, inverse, scratch, q, k, v, then those of the score and of the rotation; shapes come
    from them.
    """

    @functools.cache
    def loops_forward(*operands: UOp) -> UOp:
        return Forward(score, rotation, named.forward(OUTPUTS, score, rotation, operands)).build()

    return loops_forward


class Forward:
    """The forward kernel under construction. A unit is a block of rows of one head."""

    together_sizes = TOGETHER

    def __init__(self, score: Score, rotation: Rotation, given: Operands) -> None:
        self.o, self.lse, self.row_top, self.inverse, self.scratch = given.outputs
        self.q, self.k, self.v = given.q, given.k, given.v
        self.b_size, self.h_size, self.g_size, self.n, self.m, self.d, self.e = given.sizes
        self.score, self.rotation = score, rotation
        self.rows, self.panels = self.arena()
        plan = f"d{self.d}_e{self.e}_{self.way()}_{self.q.dtype.name}"
        self.body = body = Body(f"flash_fwd_{plan}_{score.name}{rotation.name}")
        self.angles = given.angles
        self.broken = BrokenKeys(body, self.k, self.v)
        self.scores = ScoreBody(body, score, given.of_score, self.n, self.m, self.broken.lanes)
        self.distances: Distances | None = None
        if given.by_distance is not None:
            self.distances = Distances(body, given.by_distance, self.m, self.rows, self.broken)
        self.width, self.q_width = padded(self.e), self.d
        self.down = self.m.bit_length()
        self.together = next(x for x in self.together_sizes if self.rows % x == 0)
        self.s, self.c = body.array(self.together, LANES), body.array(ROWS, LANES)
        self.top, self.total = body.array(self.rows), body.array(self.rows, FOLD)
        self.lanes, self.shrink = body.array(self.together, FOLD), body.array(self.together)

    def arena(self) -> tuple[int, Arena]:
        """Rows per unit, and scratch memory."""
        return arena(self.b_size, self.h_size, self.n, self.d, self.e, self.score.relative)

    def way(self) -> str:
        """How products are summed, for the name of the kernel."""
        return f"loops{'x'.join(map(str, registers()))}"

    def take_panels(self, part: UOp) -> None:
        """Names the scratch memory of one part."""
        self.at_q, self.at_k, self.at_v, self.acc, *more = self.panels.panels(self.body, self.scratch, part)
        if self.distances is not None:
            self.distances.take_panels(more)

    def build(self) -> UOp:
        """The whole kernel."""
        per_head = ceildiv(self.n, self.rows)
        with self.body.units(self.b_size * self.h_size * per_head, self.scratch.shape[0]) as (part, unit):
            self.take_panels(part)
            self.b, self.h = unit // (self.h_size * per_head), unit // per_head % self.h_size
            self.g, self.i0 = self.h // (self.h_size // self.g_size), unit % per_head * self.rows
            self.start()
            with self.blocks() as block:
                self.lay_out_keys(block * LANES)
                with self.tiles(block * LANES) as tile:
                    self.weigh(tile * self.together, block * LANES)
                    self.add(tile * self.together)
            self.finish()
        return self.body.finish()

    def row(self, i: UOp) -> UOp:
        """A row of q; rows that pad the last block repeat the last one."""
        return (self.i0 + i).minimum(self.n - 1)

    def start(self) -> None:
        """Lay out the rows of q, and empty the sums."""
        body, width = self.body, self.width
        self.take_rows()
        self.acc.fill(self.rows * width, 0.0)
        if width > self.e:
            self.at_v.fill(self.panels.sizes["v"], 0.0)
        with body.loop(self.rows) as i:
            body.write(self.top, (i,), LEAST)
        self.broken.start()
        with body.loops(self.rows, FOLD) as (i, x):
            places = [(x + c).minimum(self.d - 1) for c in range(0, self.d, FOLD)]
            numbers = [element(self.q, self.b, self.h, self.row(i), place) for place in places]
            body.write(self.total, (i, x), tree([self.broken.times_zero(y) for y in numbers], UOp.__add__))
        if self.distances is not None:
            with body.loops(self.rows, FOLD) as (i, x):
                more = self.distances.broken_row(self.b, self.h, self.row(i), x)
                body.write(self.total, (i, x), body.read(self.total, i, x) + more)
            self.distances.clear()
            self.distances.lay_out_rows(self.b, self.h, self.row)

    def take_rows(self) -> None:
        """The rows of q: where they are, or laid out."""
        if self.reads_q_in_place(dtypes.float32):
            self.rows_of_q: Panel | View = View(lambda i, x: element(self.q, self.b, self.h, self.i0 + i, x))
        else:
            self.rows_of_q = self.at_q
            self.lay_out_q()

    def reads_q_in_place(self, dtype: DType) -> bool:
        """Whether rows of q serve as they are, where products read rows of a type."""
        return not self.rotation.channels and self.q.dtype == dtype and self.n % self.rows == 0

    def lay_out_q(self) -> None:
        """The rows of q, turned, in float32."""
        self.turn_of_rows().lay_out(
            self.rows, self.d, self.row,
            lambda i, x: element(self.q, self.b, self.h, self.row(i), x).cast(dtypes.float32),
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
        size = self.rows // self.together
        if self.score.reach == (None, None):
            return self.body.loop(size)
        start, stop = (row - self.i0.cast(dtypes.int) for row in self.scores.seeing_rows(first))
        return self.body.span(start // self.together, (stop + (self.together - 1)) // self.together, size)

    def key(self, first: UOp, j: UOp) -> UOp:
        """A key of the block; keys that pad the last block repeat the last one."""
        return (first + j).minimum(self.m - 1)

    def lay_out_keys(self, first: UOp) -> None:
        """k, v, and what the score needs."""
        self.lay_out_k(first)
        self.lay_out_v(first)
        self.broken.mark(self.b, self.g, first)
        self.scores.load(self.b, self.h, first)
        if self.distances is not None:
            self.distances.lay_out_band(self.h, self.i0, first)

    def lay_out_k(self, first: UOp) -> None:
        """k in units of the score, one channel after another."""
        factor = self.score.scale * LOG2E
        self.turn_of_keys().lay_out(
            LANES, self.d, lambda j: self.key(first, j),
            lambda j, x: element(self.k, self.b, self.g, self.key(first, j), x).cast(dtypes.float32) * factor,
            lambda j, x, value: self.at_k.write(x * LANES + j, value), by_channel=True,
        )  # fmt: skip

    def turn_of_rows(self) -> Turn:
        """The rotation of rows of q."""
        return Turn(self.body, self.rotation, self.angles.get("cos_q"), self.angles.get("sin_q"), self.b)

    def turn_of_keys(self) -> Turn:
        """The rotation of keys."""
        return Turn(self.body, self.rotation, self.angles.get("cos_k"), self.angles.get("sin_k"), self.b)

    def lay_out_v(self, first: UOp) -> None:
        """v, key after key; broken numbers become large ones, which rows that see them do not use."""
        with self.body.loops(LANES, self.e) as (j, x):
            value = element(self.v, self.b, self.g, self.key(first, j), x)
            self.at_v.write(j * self.width + x, saturate(value.cast(dtypes.float32), LARGEST))

    def multiply(self, r: UOp, first: UOp) -> None:
        """s = q k^T for the rows from r."""
        body, s = self.body, self.s
        with body.loop(self.together // ROWS) as tile:
            at = tile * ROWS
            with body.loops(ROWS, LANES) as (i, j):
                body.write(s, (at + i, j), 0.0)
            product(body, s, self.d, self.rows_of_q.rows(self.q_width, r + at), self.at_k.lanes(LANES, 0), row=at)
            if self.distances is not None:
                self.distances.add(s, r + at, at)

    def weigh(self, r: UOp, first: UOp) -> None:
        """s = 2^(score - top) for the rows from r, with top, total and shrink brought up to date."""
        body, s, top, total, lanes = self.body, self.s, self.top, self.total, self.lanes
        rows, pieces = self.together, range(0, LANES, FOLD)
        self.multiply(r, first)
        with body.loops(rows, LANES) as (i, j):
            mark = None if self.distances is None else self.distances.mark(r + i, j)
            product_of = self.scaled(body.read(s, i, j))
            value = self.scores.value(product_of, self.b, self.h, self.i0 + r + i, first, j, mark=mark)
            body.write(s, (i, j), value)

        with body.loops(rows, FOLD) as (i, j):
            most = tree([body.read(s, i, y + j) for y in pieces], UOp.maximum)
            body.write(lanes, (i, j), body.read(top, r + i).maximum(most))
        fold(body, lanes, UOp.maximum, rows)
        with body.loop(rows) as i:
            body.write(self.shrink, (i,), exp2(body.read(top, r + i) - body.read(lanes, i, 0)))
        with body.loop(rows) as i:
            body.write(top, (r + i,), body.read(lanes, i, 0))

        with body.loops(rows, LANES) as (i, j):
            body.write(s, (i, j), exp2(body.read(s, i, j) - body.read(top, r + i), self.down))
        with body.loops(rows, FOLD) as (i, j):
            more = tree([body.read(s, i, y + j) for y in pieces], UOp.__add__)
            body.write(total, (r + i, j), body.read(total, r + i, j) * body.read(self.shrink, i) + more)

    def scaled(self, s: UOp) -> UOp:
        """A product in units of the score; keys carry the factor already."""
        return s

    def add(self, r: UOp) -> None:
        """acc = acc * shrink + s v for the rows from r."""
        with self.body.loop(ceildiv(self.together, ROWS)) as piece:
            self.add_values(r, piece * ROWS)

    def add_values(self, r: UOp, at: UOp) -> None:
        """acc = acc * shrink + s v for one tile, which starts `at` rows after r."""
        body, c = self.body, self.c
        for start, size in lane_groups(self.e):
            with body.loops(ROWS, size) as (i, x):
                before = self.acc.read((r + at + i) * self.width + (start + x))
                body.write(c, (i, x), before * body.read(self.shrink, at + i))
            lanes = self.at_v.lanes(self.width, start)
            product(body, c, LANES, lambda i, j: body.read(self.s, at + i, j), lanes, size)
            with body.loops(ROWS, size) as (i, x):
                self.acc.write((r + at + i) * self.width + (start + x), body.read(c, i, x))

    def finish(self) -> None:
        """Write o, lse, top and 1 / total; a row that saw nothing has top = LEAST, and 0 for 1 / total."""
        body, total = self.body, self.total
        with body.loops(self.rows, FOLD - 1) as (i, x):
            body.write(total, (i, 0), body.read(total, i, 0) + body.read(total, i, x + 1))
        with body.loop(self.rows) as i:
            # a row without a score is empty even where its q is broken, unless all its scores are nan: so is acc then
            alone = is_nan(self.acc.read(i * self.width)).where(math.nan, 0.0)
            body.write(total, (i, 0), (body.read(self.top, i) <= LEAST).where(alone, body.read(total, i, 0)))

        def write(out: UOp, i: UOp, value: UOp) -> None:
            body.write(out, (self.b, self.h, self.row(i)), value, when=self.i0 + i < self.n)

        with body.loop(self.rows) as i:
            some = body.read(total, i, 0)
            lse = (body.read(self.top, i) + (some * 2.0**self.down).log2()) * (1 / LOG2E)
            write(self.lse, i, (some > 0).where(lse, some.eq(0.0).where(-math.inf, math.nan)))
        with body.loop(self.rows) as i:
            some = body.read(total, i, 0)
            body.write(total, (i, 0), some.eq(0.0).where(0.0, 1 / some))
        with body.loop(self.rows) as i:
            write(self.row_top, i, body.read(self.top, i))
        with body.loop(self.rows) as i:
            write(self.inverse, i, body.read(total, i, 0) * 2.0**-self.down)
        with body.loops(self.rows, self.e) as (i, x):
            value = bounded(self.acc.read(i * self.width + x) * body.read(total, i, 0), LARGEST)
            body.write(self.o, (self.b, self.h, self.row(i), x), value.cast(self.o.dtype), when=self.i0 + i < self.n)
