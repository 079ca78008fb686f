"""Flash attention, forward: o and log-sum-exp in one pass over the keys, nothing of size n*m stored.

For a block of rows, over blocks of keys (Dao 2023, FlashAttention-2, algorithm 1; exponents in units of log 2):

    s = q k^T + bias      top' = max(top, rowmax s)      p = 2^(s - top')
    total = total * 2^(top - top') + rowsum p            acc = acc * 2^(top - top') + p v
    o = acc / total       lse = (top + log2 total) / log2 e
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
from gattn_tg.kernels.tile import FOLD, LANES, ROWS, Arena, ceildiv, exp2, fold, lane_groups, padded, product

FIXED = 6  # o, lse, scratch, q, k, v; the operands of the score and of the rotation follow


def arena(b: int, h: int, n: int, d: int, e: int) -> tuple[int, Arena]:
    """Rows per unit, and the scratch memory of one part."""
    rows = query_rows(b * h, n, max(d, e))
    return rows, Arena(q=rows * d, k=d * LANES, v=LANES * padded(e), acc=rows * padded(e))


def scratch_shape(b: int, h: int, n: int, d: int, e: int) -> tuple[int, int]:
    """Shape of the scratch operand."""
    rows, panels = arena(b, h, n, d, e)
    return min(PARTS, b * h * ceildiv(n, rows)), panels.size


@functools.cache
def kernel(score: Score, rotation: Rotation) -> Callable[..., UOp]:
    """The kernel of a score function and a rotation; its operands are named in FIXED, shapes come from them."""

    @functools.cache
    def flash_forward(o: UOp, lse: UOp, scratch: UOp, q: UOp, k: UOp, v: UOp, *tensors: UOp) -> UOp:
        b_size, h_size, n, d = q.shape
        _, g_size, m, e = v.shape
        rows, panels = arena(b_size, h_size, n, d, e)
        per_head = ceildiv(n, rows)
        body = Body(f"flash_fwd_d{d}_e{e}_loops{ROWS}x{LANES}_{q.dtype.name}_{score.name}{rotation.name}")
        angles = dict(zip(rotation.operands, tensors[len(score.operands) :], strict=True))
        scores = ScoreBody(body, score, tensors[: len(score.operands)], n, m)
        width = padded(e)
        s, c = body.array(ROWS, LANES), body.array(ROWS, LANES)
        top, total = body.array(rows), body.array(rows, FOLD)
        lanes, shrink = body.array(ROWS, FOLD), body.array(ROWS)
        with body.units(b_size * h_size * per_head, scratch.shape[0]) as (part, unit):
            at_q, at_k, at_v, acc = panels.panels(body, scratch, part)
            b, h = unit // (h_size * per_head), unit // per_head % h_size
            g, i0 = h // (h_size // g_size), unit % per_head * rows

            factor = score.scale * LOG2E
            turn_q = Turn(body, rotation, angles.get("cos_q"), angles.get("sin_q"), b)
            turn_k = Turn(body, rotation, angles.get("cos_k"), angles.get("sin_k"), b)

            def row(i: UOp) -> UOp:
                return (i0 + i).minimum(n - 1)

            turn_q.lay_out(rows, d, row, lambda i, x: q[b, h, row(i), x].cast(dtypes.float32) * factor,
                           lambda i, x, value: at_q.write(i * d + x, value))
            acc.fill(rows * width, 0.0)
            if width > e:
                at_v.fill(LANES * width, 0.0)
            with body.loop(rows) as i:
                body.write(top, (i,), LEAST)
            with body.loops(rows, FOLD) as (i, x):
                body.write(total, (i, x), 0.0)

            with _blocks(body, scores, b, i0, rows) as block:
                first = block * LANES
                turn_k.lay_out(LANES, d, lambda j, first=first: (first + j).minimum(m - 1),
                               lambda j, x, first=first: k[b, g, (first + j).minimum(m - 1), x].cast(dtypes.float32),
                               lambda j, x, value: at_k.write(x * LANES + j, value))
                with body.loops(LANES, e) as (j, x):
                    at_v.write(j * width + x, v[b, g, (first + j).minimum(m - 1), x].cast(dtypes.float32))
                scores.load(b, h, first)
                with _tiles(body, scores, i0, rows, first) as tile:
                    r = tile * ROWS
                    with body.loops(ROWS, LANES) as (i, j):
                        body.write(s, (i, j), 0.0)
                    product(body, s, d, lambda i, x: at_q.read((r + i) * d + x), lambda x, j: at_k.read(x * LANES + j))
                    with body.loops(ROWS, LANES) as (i, j):
                        body.write(s, (i, j), scores.value(body.read(s, i, j), b, h, i0 + r + i, first, j))

                    # the new maximum of every row, and how much the sums so far shrink
                    with body.loops(ROWS, FOLD) as (i, j):
                        body.write(lanes, (i, j), body.read(top, r + i))
                    with body.loops(ROWS, LANES // FOLD, FOLD) as (i, y, j):
                        body.write(lanes, (i, j), body.read(lanes, i, j).maximum(body.read(s, i, y * FOLD + j)))
                    fold(body, lanes, UOp.maximum)
                    with body.loop(ROWS) as i:
                        body.write(shrink, (i,), exp2(body.read(top, r + i) - body.read(lanes, i, 0)))
                    with body.loop(ROWS) as i:
                        body.write(top, (r + i,), body.read(lanes, i, 0))

                    with body.loops(ROWS, LANES) as (i, j):
                        body.write(s, (i, j), exp2(body.read(s, i, j) - body.read(top, r + i)))
                    with body.loops(ROWS, FOLD) as (i, j):
                        body.write(total, (r + i, j), body.read(total, r + i, j) * body.read(shrink, i))
                    with body.loops(ROWS, LANES // FOLD, FOLD) as (i, y, j):
                        body.write(total, (r + i, j), body.read(total, r + i, j) + body.read(s, i, y * FOLD + j))

                    for start, size in lane_groups(e):
                        with body.loops(ROWS, size) as (i, x):
                            body.write(c, (i, x), acc.read((r + i) * width + (start + x)) * body.read(shrink, i))
                        product(body, c, LANES, lambda i, j: body.read(s, i, j),
                                lambda j, x, start=start: at_v.read(j * width + (start + x)), size)
                        with body.loops(ROWS, size) as (i, x):
                            acc.write((r + i) * width + (start + x), body.read(c, i, x))

            with body.loops(rows, FOLD - 1) as (i, x):
                body.write(total, (i, 0), body.read(total, i, 0) + body.read(total, i, x + 1))
            with body.loop(rows) as i:
                some = body.read(total, i, 0)
                value = (some > 0).where((body.read(top, i) + some.log2()) * (1 / LOG2E), -math.inf)
                body.write(lse, (b, h, (i0 + i).minimum(n - 1)), value, when=i0 + i < n)
            with body.loop(rows) as i:
                some = body.read(total, i, 0)
                body.write(total, (i, 0), (some > 0).where(1 / some, 0.0))
            with body.loops(rows, e) as (i, x):
                body.write(o, (b, h, (i0 + i).minimum(n - 1), x),
                           (acc.read(i * width + x) * body.read(total, i, 0)).cast(o.dtype), when=i0 + i < n)
        return body.finish()

    return flash_forward


def _blocks(body: Body, scores: ScoreBody, b: UOp, i0: UOp, rows: int) -> AbstractContextManager[UOp]:
    """The blocks of keys that any of the rows sees."""
    size = ceildiv(scores.m, LANES)
    if scores.score.reach == (None, None) and not scores.score.has_lengths:
        return body.loop(size)
    start, stop = scores.seen_keys(b, i0, i0 + (rows - 1))
    return body.span(start // LANES, (stop + (LANES - 1)) // LANES, size)


def _tiles(body: Body, scores: ScoreBody, i0: UOp, rows: int, first: UOp) -> AbstractContextManager[UOp]:
    """The tiles of rows that see any key of the block."""
    if scores.score.reach == (None, None):
        return body.loop(rows // ROWS)
    start, stop = scores.seeing_rows(first)
    return body.span((start - i0.cast(dtypes.int)) // ROWS, (stop - i0.cast(dtypes.int) + (ROWS - 1)) // ROWS, rows // ROWS)
