"""Flash attention, backward: dq, dk, dv and the table gradient, nothing of size n*m stored, no atomics.

One unit owns a part of the keys of one (batch, key head), and walks over all rows of the query heads that read it:

    s = q k^T + bias      p = 2^(s - lse)       dp = do v^T      ds = p (dp - delta),  delta = rowsum(do o) - dlse
    dv += p^T do          dk += ds^T q          dq += ds k       dtable[class] += ds

Owning the keys it needs five products where two passes would need seven. dk, dv and the table sums belong to the unit; dq
gets one partial sum per part of the keys, added up afterwards in a fixed order. Rows are taken in chunks, so that each of
the five products finds its panels in the nearest cache.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tinygrad import UOp, dtypes

from gattn_tg.kernels.body import Body
from gattn_tg.kernels.plan import PARTS, key_parts
from gattn_tg.kernels.rotation import Rotation, Turn
from gattn_tg.kernels.score import LOG2E, NEVER, Score, ScoreBody, TableGradient
from gattn_tg.kernels.tile import LANES, ROWS, Arena, Panel, ceildiv, exp2, lane_groups, padded, product

CHUNK = 64  # rows taken at a time
FIXED = 12  # dq, dk, dv, dtable, scratch, q, k, v, do, lse, delta; those of the score and the rotation follow


def arena(n: int, d: int, e: int) -> tuple[int, Arena]:
    """Rows per chunk, and the scratch memory of one part."""
    rows = min(CHUNK, ceildiv(n, ROWS) * ROWS)
    wd, we = padded(d), padded(e)
    return rows, Arena(kt=d * LANES, vt=e * LANES, k=LANES * wd, dk=LANES * wd, dv=LANES * we,
                       q=rows * wd, do=rows * we, p=rows * LANES, ds=rows * LANES)


def dq_shape(b: int, h: int, g: int, n: int, m: int, d: int) -> tuple[int, int, int, int, int]:
    """Partial sums of dq, (parts, b, h, rows, lanes): rows and lanes are padded."""
    rows, _ = arena(n, d, d)
    shape = (b, h, ceildiv(n, rows) * rows, padded(d))
    return (key_parts(b * g, m, 4 * shape[0] * shape[1] * shape[2] * shape[3]), *shape)


def dtable_shape(b: int, h: int, g: int, n: int, m: int, d: int, score: Score) -> tuple[int, int, int, int]:
    """Partial sums of the table gradient, (b, h, parts, entries); one number where there is no table."""
    return b, h, dq_shape(b, h, g, n, m, d)[0], score.entries


def scratch_shape(b: int, h: int, g: int, n: int, m: int, d: int, e: int) -> tuple[int, int]:
    """Shape of the scratch operand."""
    return min(PARTS, b * g * dq_shape(b, h, g, n, m, d)[0]), arena(n, d, e)[1].size


@functools.cache
def kernel(score: Score, rotation: Rotation) -> Callable[..., UOp]:
    """The kernel of a score function and a rotation; its operands are named in FIXED, shapes come from them."""

    @functools.cache
    def flash_backward(dq: UOp, dk: UOp, dv: UOp, dtable: UOp, scratch: UOp, q: UOp, k: UOp, v: UOp, do: UOp, lse: UOp,
                       delta: UOp, *tensors: UOp) -> UOp:
        b_size, h_size, n, d = q.shape
        _, g_size, m, e = v.shape
        key_parts, wd, we = dq.shape[0], padded(d), padded(e)
        rows, panels = arena(n, d, e)
        body = Body(f"flash_bwd_d{d}_e{e}_loops{ROWS}x{LANES}_{q.dtype.name}_{score.name}{rotation.name}")
        angles = dict(zip(rotation.operands, tensors[len(score.operands) :], strict=True))
        scores = ScoreBody(body, score, tensors[: len(score.operands)], n, m)
        gradient = None if score.kind == "none" else TableGradient(scores)
        s, dp = body.array(ROWS, LANES), body.array(ROWS, LANES)
        weight, shift = body.array(rows), body.array(rows)
        blocks = ceildiv(m, LANES)

        with body.units(b_size * g_size * key_parts, scratch.shape[0]) as (worker, unit):
            kt, vt, at_k, at_dk, at_dv, at_q, at_do, at_p, at_ds = panels.panels(body, scratch, worker)
            b, g, part = unit // (g_size * key_parts), unit // key_parts % g_size, unit % key_parts
            heads, factor = h_size // g_size, score.scale * LOG2E
            turn_q = Turn(body, rotation, angles.get("cos_q"), angles.get("sin_q"), b)
            turn_k = Turn(body, rotation, angles.get("cos_k"), angles.get("sin_k"), b)

            with body.loops(heads, dq.shape[3], wd) as (x, i, j):
                body.write(dq, (part, b, g * heads + x, i, j), 0.0)
            with body.loops(heads, score.entries) as (x, j):
                body.write(dtable, (b, g * heads + x, part, j), 0.0)
            for panel, size, used in ((at_k, LANES * wd, wd > d), (at_q, rows * wd, wd > d), (at_do, rows * we, we > e)):
                if used:
                    panel.fill(size, 0.0)

            # blocks are dealt in turn, which balances causal and windowed problems
            with body.span((part * 0).cast(dtypes.int), (blocks - part + (key_parts - 1)) // key_parts, blocks) as turn:
                first = turn * key_parts * LANES + part * LANES

                def key(j: UOp, first: UOp = first) -> UOp:
                    return (first + j).minimum(m - 1)

                turn_k.lay_out(LANES, d, key, lambda j, x, key=key: k[b, g, key(j), x].cast(dtypes.float32),
                               lambda j, x, value: at_k.write(j * wd + x, value))
                with body.loops(d, LANES) as (x, j):
                    kt.write(x * LANES + j, at_k.read(j * wd + x))
                with body.loops(e, LANES) as (x, j):
                    vt.write(x * LANES + j, v[b, g, (first + j).minimum(m - 1), x].cast(dtypes.float32))
                at_dk.fill(LANES * wd, 0.0)
                at_dv.fill(LANES * we, 0.0)

                with body.loop(heads) as head:
                    h = g * heads + head
                    scores.load(b, h, first)
                    if gradient is not None:
                        gradient.clear()
                    with _chunks(body, scores, rows, first) as chunk:
                        i0 = chunk * rows

                        def row(i: UOp, i0: UOp = i0) -> UOp:
                            return (i0 + i).minimum(n - 1)

                        turn_q.lay_out(rows, d, row,
                                       lambda i, x, h=h, row=row: q[b, h, row(i), x].cast(dtypes.float32) * factor,
                                       lambda i, x, value: at_q.write(i * wd + x, value))
                        with body.loops(rows, e) as (i, x):
                            at_do.write(i * we + x, do[b, h, (i0 + i).minimum(n - 1), x].cast(dtypes.float32))
                        with body.loop(rows) as i:
                            value = lse[b, h, (i0 + i).minimum(n - 1)]
                            some = (i0 + i < n) & (value > -NEVER)  # a row that sees nothing has no probabilities
                            body.write(weight, (i,), some.where(value * LOG2E, NEVER))
                        with body.loop(rows) as i:
                            body.write(shift, (i,), delta[b, h, (i0 + i).minimum(n - 1)])

                        with body.loop(rows // ROWS) as tile:
                            r = tile * ROWS
                            with body.loops(ROWS, LANES) as (i, j):
                                body.write(s, (i, j), 0.0)
                            product(body, s, d, lambda i, x: at_q.read((r + i) * wd + x),
                                    lambda x, j: kt.read(x * LANES + j))
                            with body.loops(ROWS, LANES) as (i, j):
                                body.write(dp, (i, j), 0.0)
                            product(body, dp, e, lambda i, x: at_do.read((r + i) * we + x),
                                    lambda x, j: vt.read(x * LANES + j))
                            with body.loops(ROWS, LANES) as (i, j):
                                value = scores.value(body.read(s, i, j), b, h, i0 + r + i, first, j)
                                body.write(s, (i, j), exp2(value - body.read(weight, r + i)))
                            with body.loops(ROWS, LANES) as (i, j):
                                body.write(dp, (i, j), body.read(s, i, j) * (body.read(dp, i, j) - body.read(shift, r + i)))
                            with body.loops(ROWS, LANES) as (i, j):
                                at_p.write((r + i) * LANES + j, body.read(s, i, j))
                            with body.loops(ROWS, LANES) as (i, j):
                                at_ds.write((r + i) * LANES + j, body.read(dp, i, j))
                            if gradient is not None:
                                gradient.add(dp, b, i0 + r, first)

                        _add_transposed(body, s, at_dv, at_p, at_do, rows, e)
                        _add_transposed(body, s, at_dk, at_ds, at_q, rows, d)
                        _add_rows(body, s, lambda i, x: (part, b, h, i0 + i, x), dq, at_ds, at_k, rows, d)
                    if gradient is not None:
                        gradient.finish(dtable, (b, h, part), b, first)

                turn_k.take_back(LANES, d, key, lambda j, x: at_dk.read(j * wd + x) * (1 / LOG2E),
                                 lambda j, x, value: at_dk.write(j * wd + x, value))
                with body.loops(LANES, d) as (j, x):
                    body.write(dk, (b, g, key(j), x), at_dk.read(j * wd + x).cast(dk.dtype), when=first + j < m)
                with body.loops(LANES, e) as (j, x):
                    body.write(dv, (b, g, key(j), x), at_dv.read(j * we + x).cast(dv.dtype), when=first + j < m)

            with body.loop(heads) as head:
                h = g * heads + head
                turn_q.take_back(dq.shape[3], d, lambda i: i.minimum(n - 1),
                                 lambda i, x: body.read(dq, part, b, h, i, x) * score.scale,
                                 lambda i, x, value: body.write(dq, (part, b, h, i, x), value))
        return body.finish()

    return flash_backward


def _add_transposed(body: Body, tile: UOp, out: Panel, a: Panel, lanes: Panel, rows: int, width: int) -> None:
    """out[j, x] += sum_i a[i, j] * lanes[i, x] for the LANES columns of a."""
    wide = padded(width)
    with body.loop(LANES // ROWS) as block:
        r = block * ROWS
        for start, size in lane_groups(width):
            with body.loops(ROWS, size) as (j, x):
                body.write(tile, (j, x), out.read((r + j) * wide + (start + x)))
            product(body, tile, rows, lambda j, i: a.read(i * LANES + (r + j)),
                    lambda i, x, start=start: lanes.read(i * wide + (start + x)), size)
            with body.loops(ROWS, size) as (j, x):
                out.write((r + j) * wide + (start + x), body.read(tile, j, x))


def _add_rows(body: Body, tile: UOp, at: Callable[[UOp, UOp], tuple[UOp, ...]], out: UOp, a: Panel, lanes: Panel, rows: int,
              width: int) -> None:
    """out[i, x] += sum_j a[i, j] * lanes[j, x]."""
    wide = padded(width)
    with body.loop(rows // ROWS) as block:
        r = block * ROWS
        for start, size in lane_groups(width):
            with body.loops(ROWS, size) as (i, x):
                body.write(tile, (i, x), body.read(out, *at(r + i, start + x)))
            product(body, tile, LANES, lambda i, j: a.read((r + i) * LANES + j),
                    lambda j, x, start=start: lanes.read(j * wide + (start + x)), size)
            with body.loops(ROWS, size) as (i, x):
                body.write(out, at(r + i, start + x), body.read(tile, i, x))


@contextmanager
def _chunks(body: Body, scores: ScoreBody, rows: int, first: UOp) -> Iterator[UOp]:
    """The chunks of rows that see any key of the block."""
    size = ceildiv(scores.n, rows)
    if scores.score.reach == (None, None):
        with body.loop(size) as chunk:
            yield chunk
        return
    start, stop = scores.seeing_rows(first)
    with body.span(start // rows, (stop + (rows - 1)) // rows, size) as chunk:
        yield chunk
