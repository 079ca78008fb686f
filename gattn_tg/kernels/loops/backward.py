"""Flash attention, backward: dq, dk, dv and the table gradient, nothing of size n*m stored, no atomics.

One unit owns a part of the keys of one (batch, key head), and walks over all rows of the query heads that read it:

    s = q k^T + bias      p = 2^(s - top) / total       dp = do v^T      ds = p (dp - delta)
    dv += p^T do          dk += ds^T q                  dq += ds k       dtable[class] += ds

with top and 1 / total of the forward pass and delta = rowsum(do o) - dlse.

Owning the keys it needs five products where two passes would need seven. dk, dv and the table sums belong to the unit;
dq gets one partial sum per part of the keys, added up afterwards in a fixed order. Rows are taken in chunks, so that
each of the five products finds its panels in the nearest cache.

Broken numbers (NaN, infinities) are taken out of k here, and out of q and do before. A row that met one has NaN
probabilities and slopes for the keys that it sees; where a key's dv is NaN, so is its dk. Other NaN come from sums of
large numbers, and saturate.

Source: Dao 2023, FlashAttention-2, algorithm 2.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from contextlib import AbstractContextManager

from tinygrad import UOp, dtypes

from gattn_tg.kernels.loops.backward_sizes import BackwardSizes
from gattn_tg.kernels.loops.broken import BrokenKeys
from gattn_tg.kernels.loops.distances import DistanceGradients
from gattn_tg.kernels.loops.table_gradient import TableGradient
from gattn_tg.kernels.tiles import operands as named
from gattn_tg.kernels.tiles.body import Body, element
from gattn_tg.kernels.tiles.kinds import NONE
from gattn_tg.kernels.tiles.operands import BackwardOperands
from gattn_tg.kernels.tiles.rotation import Rotation, Turn
from gattn_tg.kernels.tiles.score import LOG2E, NEVER, Score, ScoreBody
from gattn_tg.kernels.tiles.tile import (
    LANES,
    LARGEST,
    ROWS,
    Panel,
    View,
    bounded,
    ceildiv,
    exp2,
    finite,
    is_nan,
    lane_groups,
    padded,
    product,
    registers,
    saturate,
)

OUTPUTS = 5  # dq, dk, dv, dtable, scratch
DISTANCE_OUTPUTS = 2  # gradients of both factors of products by distance, where there are such
STEEPEST = 1e30  # of dp - delta; sums of larger ones, and products with k, overflow to inf - inf


@functools.cache
def kernel(score: Score, rotation: Rotation) -> Callable[..., UOp]:
    """The kernel of a score function and a rotation.

    Its operands are dq, dk, dv, dtable, scratch, the gradients of products by distance where there are such, q, k, v,
    do, top, inverse, delta, then those of the score and of the rotation; shapes come from them.
    """
    outputs = OUTPUTS + (DISTANCE_OUTPUTS if score.relative else 0)

    @functools.cache
    def loops_backward(*operands: UOp) -> UOp:
        return Backward(score, rotation, named.backward(outputs, score, rotation, operands)).build()

    return loops_backward


class Backward:
    """The backward kernel under construction. A unit is every `parts`-th block of keys of one key head."""

    is_paired = False

    def __init__(self, score: Score, rotation: Rotation, given: BackwardOperands) -> None:
        self.dq, self.dk, self.dv, self.dtable, self.scratch, *of_distances = given.outputs
        self.q, self.k, self.v, self.do = given.q, given.k, given.v, given.do
        self.top, self.inverse, self.delta = given.top, given.inverse, given.delta
        self.b_size, self.h_size, self.g_size, self.n, self.m, self.d, self.e = given.sizes
        self.parts, self.heads = self.dq.shape[0], self.h_size // self.g_size
        sizes = BackwardSizes(*given.sizes, is_paired=self.is_paired, c=score.relative)
        self.rows, self.panels = sizes.rows, sizes.arena
        self.wd, self.we = padded(self.d), padded(self.e)
        self.score, self.rotation = score, rotation
        plan = f"d{self.d}_e{self.e}_{self.way()}_{self.q.dtype.name}"
        self.body = body = Body(f"flash_bwd_{plan}_{score.name}{rotation.name}")
        self.angles = given.angles
        self.broken = BrokenKeys(body, self.k, self.v)
        self.scores = ScoreBody(body, score, given.of_score, self.n, self.m, self.broken.lanes)
        self.gradient = None if score.kind is NONE else TableGradient(self.scores)
        self.distances: DistanceGradients | None = None
        if given.by_distance is not None:
            da, dr = of_distances
            self.distances = DistanceGradients(body, given.by_distance, self.m, self.rows, self.broken, da, dr)
        self.s, self.dp = body.array(ROWS, LANES), body.array(ROWS, LANES)
        self.row_top, self.row_inverse, self.row_delta = (body.array(self.rows) for _ in range(3))

    def way(self) -> str:
        """How products are summed, for the name of the kernel."""
        return f"loops{'x'.join(map(str, registers()))}"

    def take_panels(self, part: UOp) -> None:
        """Names the scratch memory of one part."""
        (self.kt, self.vt, self.at_k, self.at_q, self.at_do, self.at_dk, self.at_dv, self.at_p, self.at_ds, *more) = (
            self.panels.panels(self.body, self.scratch, part)
        )
        if self.distances is not None:
            self.distances.take_panels(more)

    def build(self) -> UOp:
        """The whole kernel."""
        body, parts = self.body, self.parts
        with body.units(self.b_size * self.g_size * parts, self.scratch.shape[0]) as (worker, unit):
            self.take_panels(worker)
            self.b, self.g, self.part = unit // (self.g_size * parts), unit // parts % self.g_size, unit % parts
            self.turn_q = Turn(body, self.rotation, self.angles.get("cos_q"), self.angles.get("sin_q"), self.b)
            self.turn_k = Turn(body, self.rotation, self.angles.get("cos_k"), self.angles.get("sin_k"), self.b)
            self.start()
            blocks = ceildiv(self.m, LANES)
            # blocks are dealt in turn, which balances causal and windowed problems
            with body.span(self.part * 0, (blocks - self.part + (parts - 1)) // parts, blocks) as turn:
                first = (turn * parts + self.part) * LANES
                self.lay_out_keys(first)
                with body.loop(self.heads) as head:
                    self.walk(self.g * self.heads + head, first)
                self.write_keys(first)
            with body.loop(self.heads) as head:
                self.write_rows(self.g * self.heads + head)
        return body.finish()

    def start(self) -> None:
        """Empty the sums of the unit, and the lanes that pad the panels."""
        body = self.body
        self.broken.start()
        with body.loops(self.heads, self.dq.shape[3], self.wd) as (x, i, j):
            # broken rows are nan from the start, so that what finds them stands before the loops that use it
            h = self.g * self.heads + x
            start = self.is_broken(h, i.minimum(self.n - 1)).where(math.nan, 0.0)
            body.write(self.dq, (self.part, self.b, h, i, j), start)
        if self.distances is not None:
            with body.loop(self.heads) as x:
                self.distances.start(self.b, self.g * self.heads + x, self.part)
            self.distances.clear()
        with body.loops(self.heads, self.score.entries) as (x, j):
            body.write(self.dtable, (self.b, self.g * self.heads + x, self.part, j), 0.0)
        if self.wd > self.d:
            self.at_k.fill(self.panels.sizes["k"], 0.0)
            self.at_q.fill(self.panels.sizes["q"], 0.0)
        if self.we > self.e:
            self.at_do.fill(self.panels.sizes["do"], 0.0)

    def lay_out_keys(self, first: UOp) -> None:
        """What products and scores need of a block of keys; dk and dv start at 0."""
        self.lay_out_k(first)
        self.lay_out_v(first)
        self.broken.mark(self.b, self.g, first)
        self.at_dk.fill(LANES * self.wd, 0.0)
        self.at_dv.fill(LANES * self.we, 0.0)

    def key(self, first: UOp, j: UOp) -> UOp:
        """A key of the block; keys that pad the last block repeat the last one."""
        return (first + j).minimum(self.m - 1)

    def lay_out_k(self, first: UOp) -> None:
        """k by key and by channel, in units of the score."""
        factor = self.score.scale * LOG2E
        self.turn_k.lay_out(
            LANES, self.d, lambda j: self.key(first, j),
            lambda j, x: finite(element(self.k, self.b, self.g, self.key(first, j), x).cast(dtypes.float32)) * factor,
            lambda j, x, value: self.at_k.write(j * self.wd + x, value),
        )  # fmt: skip
        with self.body.loops(self.d, LANES) as (x, j):
            self.kt.write(x * LANES + j, self.at_k.read(j * self.wd + x))

    def lay_out_v(self, first: UOp) -> None:
        """v by channel."""
        with self.body.loops(self.e, LANES) as (x, j):
            self.vt.write(x * LANES + j, element(self.v, self.b, self.g, self.key(first, j), x).cast(dtypes.float32))

    def walk(self, h: UOp, first: UOp) -> None:
        """All rows of one query head against one block of keys."""
        self.scores.load(self.b, h, first)
        if self.gradient is not None:
            self.gradient.clear()
        with self.chunks(first) as chunk:
            i0 = chunk * self.rows
            self.lay_out_rows(h, i0)
            if self.distances is not None:
                self.distances.lay_out_rows(self.b, h, functools.partial(self.row, i0))
                self.distances.lay_out_band(h, i0, first)
            self.multiply(h, i0, first)
        if self.gradient is not None:
            self.gradient.finish(self.dtable, (self.b, h, self.part), first)

    def multiply(self, h: UOp, i0: UOp, first: UOp) -> None:
        """The five products of one chunk of rows."""
        with self.body.loop(self.rows // ROWS) as tile:
            self.weigh(h, i0, tile * ROWS, first)
        self.add_transposed(self.at_dv, self.at_p, self.rows_of_do, self.e)
        self.add_transposed(self.at_dk, self.at_ds, self.rows_of_q, self.d)
        self.add_to_dq(h, i0)
        if self.distances is not None:
            self.distances.finish_chunk(self.b, h, self.part, i0, first)

    def chunks(self, first: UOp) -> AbstractContextManager[UOp]:
        """The chunks of rows that see any key of the block."""
        size = ceildiv(self.n, self.rows)
        if self.score.reach == (None, None):
            return self.body.loop(size)
        start, stop = self.scores.seeing_rows(first)
        return self.body.span(start // self.rows, (stop + (self.rows - 1)) // self.rows, size)

    def lay_out_rows(self, h: UOp, i0: UOp) -> None:
        """q and do by row, and three numbers per row."""
        self.lay_out_factors(h, i0)
        body = self.body
        with body.loop(self.rows) as i:
            # nan makes the probabilities nan of what the row sees; rows that pad the chunk have no probabilities
            row = self.row(i0, i)
            top = self.is_broken(h, row).where(math.nan, element(self.top, self.b, h, row))
            body.write(self.row_top, (i,), (i0 + i < self.n).where(top, NEVER))
        with body.loop(self.rows) as i:
            body.write(self.row_inverse, (i,), finite(element(self.inverse, self.b, h, self.row(i0, i))))
        with body.loop(self.rows) as i:
            body.write(self.row_delta, (i,), element(self.delta, self.b, h, self.row(i0, i)))

    def row(self, i0: UOp, i: UOp) -> UOp:
        """A row of the chunk; rows that pad the last chunk repeat the last one."""
        return (i0 + i).minimum(self.n - 1)

    def lay_out_factors(self, h: UOp, i0: UOp) -> None:
        """q and do by row."""
        body = self.body
        # whole chunks of float32 rows that fill their lanes are read where they are
        is_whole = self.n % self.rows == 0
        self.rows_of_q: Panel | View = self.at_q
        self.rows_of_do: Panel | View = self.at_do
        if is_whole and self.wd == self.d and self.q.dtype == dtypes.float32 and not self.rotation.channels:
            self.rows_of_q = View(lambda i, x: element(self.q, self.b, h, i0 + i, x))
        else:
            self.turn_q.lay_out(
                self.rows, self.d, lambda i: self.row(i0, i),
                lambda i, x: element(self.q, self.b, h, self.row(i0, i), x).cast(dtypes.float32),
                lambda i, x, value: self.at_q.write(i * self.wd + x, value),
            )  # fmt: skip
        if is_whole and self.we == self.e and self.do.dtype == dtypes.float32:
            self.rows_of_do = View(lambda i, x: element(self.do, self.b, h, i0 + i, x))
        else:
            with body.loops(self.rows, self.e) as (i, x):
                self.at_do.write(i * self.we + x, element(self.do, self.b, h, self.row(i0, i), x).cast(dtypes.float32))

    def is_broken(self, h: UOp, i: UOp) -> UOp:
        """Whether a row that sees something saw a broken number, or its gradient holds one."""
        inverse = element(self.inverse, self.b, h, i)
        return inverse.ne(0.0) & is_nan(inverse + element(self.delta, self.b, h, i))

    def weigh(self, h: UOp, i0: UOp, r: UOp, first: UOp) -> None:
        """p and ds of one tile."""
        body, s, dp = self.body, self.s, self.dp
        for tile, depth, rows, wide, lanes in (
            (s, self.d, self.rows_of_q, self.wd, self.kt),
            (dp, self.e, self.rows_of_do, self.we, self.vt),
        ):
            with body.loops(ROWS, LANES) as (i, j):
                body.write(tile, (i, j), 0.0)
            product(body, tile, depth, rows.rows(wide, r), lanes.lanes(LANES, 0))
        if self.distances is not None:
            self.distances.add(s, r)
        self.soften(h, i0, r, first)

    def scaled(self, s: UOp) -> UOp:
        """A product in units of the score; keys carry the factor already."""
        return s

    def soften(self, h: UOp, i0: UOp, r: UOp, first: UOp) -> None:
        """p and ds of one tile from its products."""
        body, s, dp = self.body, self.s, self.dp
        with body.loops(ROWS, LANES) as (i, j):
            top = body.read(self.row_top, r + i)
            mark = None if self.distances is None else self.distances.mark(r + i, j)
            value = self.scores.value(self.scaled(body.read(s, i, j)), self.b, h, i0 + r + i, first, j, top, mark)
            body.write(s, (i, j), exp2(value) * body.read(self.row_inverse, r + i))
        with body.loops(ROWS, LANES) as (i, j):
            slope = saturate(body.read(dp, i, j) - body.read(self.row_delta, r + i), STEEPEST)
            body.write(dp, (i, j), body.read(s, i, j) * slope)
        for tile, panel in ((s, self.at_p), (dp, self.at_ds)):
            with body.loops(ROWS, LANES) as (i, j):
                panel.write((r + i) * LANES + j, body.read(tile, i, j))
        if self.distances is not None:
            with body.loops(ROWS, LANES) as (i, j):
                slope = body.read(dp, i, j)
                # a row that is nan makes nan of padding too
                slope = self.scores.is_inside(first, j).where(slope, 0.0) if self.scores.pads else slope
                self.distances.keep(r + i, j, slope)
        if self.gradient is not None:
            self.gradient.add(dp, self.b, i0 + r, first)

    def add_transposed(self, out: Panel, a: Panel, lanes: Panel | View, width: int) -> None:
        """out[j, x] += sum_i a[i, j] * lanes[i, x]."""
        body, tile, wide = self.body, self.s, padded(width)
        with body.loop(LANES // ROWS) as block:
            r = block * ROWS
            for start, size in lane_groups(width):
                with body.loops(ROWS, size) as (j, x):
                    body.write(tile, (j, x), out.read((r + j) * wide + (start + x)))
                product(body, tile, self.rows, a.columns(LANES, r), lanes.lanes(wide, start), size)
                with body.loops(ROWS, size) as (j, x):
                    out.write((r + j) * wide + (start + x), body.read(tile, j, x))

    def add_to_dq(self, h: UOp, i0: UOp) -> None:
        """dq[i, x] += sum_j ds[i, j] * k[j, x]."""
        body, tile = self.body, self.s
        with body.loop(self.rows // ROWS) as block:
            r = block * ROWS
            for start, size in lane_groups(self.d):
                with body.loops(ROWS, size) as (i, x):
                    body.write(tile, (i, x), body.read(self.dq, self.part, self.b, h, i0 + r + i, start + x))
                product(body, tile, LANES, self.at_ds.rows(LANES, r), self.at_k.lanes(self.wd, start), size)
                with body.loops(ROWS, size) as (i, x):
                    body.write(self.dq, (self.part, self.b, h, i0 + r + i, start + x), body.read(tile, i, x))

    def write_keys(self, first: UOp) -> None:
        """dk, times scale and turned back, and dv of one block."""

        def key(j: UOp) -> UOp:
            return (first + j).minimum(self.m - 1)

        def write(out: UOp, j: UOp, x: UOp, value: UOp) -> None:
            # a row that is nan makes nan of padding too
            value = self.scores.is_inside(first, j).where(value, 0.0) if self.scores.pads else value
            self.body.write(out, (self.b, self.g, key(j), x), value.cast(out.dtype), when=first + j < self.m)

        self.turn_k.take_back(
            LANES, self.d, key,
            lambda j, x: is_nan(self.at_dv.read(j * self.we)).where(
                math.nan, saturate(self.at_dk.read(j * self.wd + x), LARGEST) * self.score.scale
            ),
            lambda j, x, value: write(self.dk, j, x, value),
        )  # fmt: skip
        with self.body.loops(LANES, self.e) as (j, x):
            write(self.dv, j, x, bounded(self.at_dv.read(j * self.we + x), LARGEST))

    def write_rows(self, h: UOp) -> None:
        """The unit's part of dq, turned back, times scale."""

        def row(i: UOp) -> UOp:
            return i.minimum(self.n - 1)

        self.turn_q.take_back(
            self.dq.shape[3], self.d, row,
            lambda i, x: self.is_broken(h, row(i)).where(
                math.nan, saturate(self.body.read(self.dq, self.part, self.b, h, i, x), LARGEST) * self.dq_factor()
            ),
            lambda i, x, value: self.body.write(self.dq, (self.part, self.b, h, i, x), value),
        )  # fmt: skip
        if self.distances is not None:
            self.distances.finish(self.b, h, self.part, functools.partial(self.is_broken, h))

    def dq_factor(self) -> float:
        """What is left to multiply dq with: the k that it was summed from carries scale * log2 e."""
        return 1 / LOG2E
