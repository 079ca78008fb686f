"""Kernels over the rows of a matrix on the CPU: sums of rows, and layer normalisation both ways in one pass each.

tinygrad turns a sum over rows into a walk down one column at a time; here the inner loop runs along the row. Rows are
cut into chunks by the shape alone, so sums do not depend on the number of cores.
"""

from __future__ import annotations

from collections.abc import Callable

from tinygrad import UOp, dtypes

from gattn_tg.kernels.dense.row_sums import nearest
from gattn_tg.kernels.tiles.body import Body, element
from gattn_tg.kernels.tiles.epilogue import slope
from gattn_tg.kernels.tiles.tile import LANES, ceildiv
from gattn_tg.machine import threads

CHUNKS, LEAST_ROWS = 16, 128  # pieces of work at most, rows of one at least


def chunks(m: int) -> int:
    """Pieces that m rows are summed in."""
    return max(1, min(CHUNKS, m // LEAST_ROWS))


def row_sums(has_ids: bool) -> Callable[..., UOp]:
    """The kernel out[chunk, id, j] = sum over its rows r with ids[r] == id of x[r, j]; without ids, of all rows."""

    def kernel(out: UOp, x: UOp, *ids: UOp) -> UOp:
        pieces, classes, n = out.shape
        m = x.shape[0]
        body = Body(f"row_sums_{m}x{n}_{classes}" + "_ids" * has_ids)
        with body.units(pieces, min(pieces, threads.count())) as (_, unit):
            with body.loops(classes, n) as (c, j):
                body.write(out, (unit, c, j), 0.0)
            with body.span(*_rows(unit, m, pieces), m) as r:
                c = nearest(ids[0][r], classes) if has_ids else UOp.const(0, dtypes.weakint)
                with body.loop(n) as j:
                    body.write(out, (unit, c, j), body.read(out, unit, c, j) + element(x, r, j).cast(dtypes.float32))
        return body.finish()

    return kernel


def activation_back(name: str) -> Callable[..., UOp]:
    """The kernel dz = dy * f'(z), sums[chunk, 0] = sum of dz over its rows: what a linear layer needs going back."""

    def kernel(dz: UOp, sums: UOp, dy: UOp, z: UOp) -> UOp:
        m, n = dy.shape
        pieces = sums.shape[0]
        body = Body(f"{name}_back_{m}x{n}_{dy.dtype.name}")
        with body.units(pieces, min(pieces, threads.count())) as (_, unit):
            with body.loop(n) as j:
                body.write(sums, (unit, 0, j), 0.0)
            with body.span(*_rows(unit, m, pieces), m) as r:
                with body.loop(n) as j:
                    value = element(dy, r, j).cast(dtypes.float32) * slope(name, element(z, r, j).cast(dtypes.float32))
                    body.write(dz, (r, j), value.cast(dz.dtype))
                with body.loop(n) as j:
                    so_far = body.read(sums, unit, 0, j)
                    body.write(sums, (unit, 0, j), so_far + body.read(dz, r, j).cast(dtypes.float32))
        return body.finish()

    return kernel


def look_up(out: UOp, table: UOp, ids: UOp) -> UOp:
    """The kernel out[r, j] = table[ids[r], j]."""
    m, n = out.shape
    body = Body(f"look_up_{m}x{n}_{table.shape[0]}")
    pieces = chunks(m)
    with (
        body.units(pieces, min(pieces, threads.count())) as (_, unit),
        body.span(*_rows(unit, m, pieces), m) as r,
        body.loop(n) as j,
    ):
        body.write(out, (r, j), element(table, nearest(ids[r], table.shape[0]), j).cast(out.dtype))
    return body.finish()


def normalise(eps: float) -> Callable[..., UOp]:
    """The kernel y = (x - mean) * rstd * weight + bias; stats[r] = (mean, rstd).

    Source: Ba, Kiros and Hinton 2016, eq. 4. Numerics: float32, the variance from centred values.
    """

    def kernel(y: UOp, stats: UOp, x: UOp, weight: UOp, bias: UOp) -> UOp:
        m, n = x.shape
        pieces = chunks(m)
        body = Body(f"layer_norm_{m}x{n}_{x.dtype.name}")
        lanes = body.array(min(LANES, n))
        with (
            body.units(pieces, min(pieces, threads.count())) as (_, unit),
            body.span(*_rows(unit, m, pieces), m) as r,
        ):
            _sum(body, n, [(lanes, lambda j: element(x, r, j).cast(dtypes.float32))])
            body.write(stats, (r, 0), body.read(lanes, 0) / n)
            _sum(body, n, [(lanes, lambda j: _square(element(x, r, j).cast(dtypes.float32) - body.read(stats, r, 0)))])
            body.write(stats, (r, 1), (body.read(lanes, 0) / n + eps).rsqrt())
            with body.loop(n) as j:
                at = (element(x, r, j).cast(dtypes.float32) - body.read(stats, r, 0)) * body.read(stats, r, 1)
                value = at * weight[j].cast(dtypes.float32) + bias[j].cast(dtypes.float32)
                body.write(y, (r, j), value.cast(y.dtype))
        return body.finish()

    return kernel


def normalise_back(dx: UOp, sums: UOp, dy: UOp, x: UOp, stats: UOp, weight: UOp) -> UOp:
    """The kernel of the gradients, with xhat = (x - mean) * rstd and g = dy * weight:

    dx = rstd * (g - mean(g) - xhat * mean(g * xhat))     sums[chunk] = (sum of dy * xhat, sum of dy) over its rows
    """
    m, n = x.shape
    pieces = sums.shape[0]
    body = Body(f"layer_norm_back_{m}x{n}_{x.dtype.name}")
    of_g, of_gx = body.array(min(LANES, n)), body.array(min(LANES, n))
    with body.units(pieces, min(pieces, threads.count())) as (_, unit):
        with body.loops(2, n) as (i, j):
            body.write(sums, (unit, i, j), 0.0)
        with body.span(*_rows(unit, m, pieces), m) as r:

            def xhat(j: UOp, r: UOp = r) -> UOp:
                return (element(x, r, j).cast(dtypes.float32) - element(stats, r, 0)) * element(stats, r, 1)

            def g(j: UOp, r: UOp = r) -> UOp:
                return element(dy, r, j).cast(dtypes.float32) * weight[j].cast(dtypes.float32)

            with body.loop(n) as j:
                more = element(dy, r, j).cast(dtypes.float32) * xhat(j)
                body.write(sums, (unit, 0, j), body.read(sums, unit, 0, j) + more)
            with body.loop(n) as j:
                body.write(sums, (unit, 1, j), body.read(sums, unit, 1, j) + element(dy, r, j).cast(dtypes.float32))
            _sum(body, n, [(of_g, g), (of_gx, lambda j: g(j) * xhat(j))])
            with body.loop(n) as j:
                inner = g(j) - body.read(of_g, 0) * (1 / n) - xhat(j) * (body.read(of_gx, 0) * (1 / n))
                body.write(dx, (r, j), (element(stats, r, 1) * inner).cast(dx.dtype))
    return body.finish()


def _rows(unit: UOp, m: int, pieces: int) -> tuple[UOp, UOp]:
    """First row of a chunk, and the first after it."""
    return unit * m // pieces, (unit + 1) * m // pieces


def _square(x: UOp) -> UOp:
    return x * x


def _sum(body: Body, n: int, terms: list[tuple[UOp, Callable[[UOp], UOp]]]) -> None:
    """lanes[0] = sum over j < n of value(j), for each (lanes, value): per lane first, then the lanes by halving."""
    for lanes, value in terms:
        width = min(LANES, n)
        with body.loop(width) as j:
            body.write(lanes, (j,), value(j))
        if n // width > 1:
            with body.loops(n // width - 1, width) as (i, j):
                body.write(lanes, (j,), body.read(lanes, j) + value((i + 1) * width + j))
        if n % width:
            with body.loop(n % width) as j:
                body.write(lanes, (j,), body.read(lanes, j) + value(n // width * width + j))
        while width > 1:
            half = ceildiv(width, 2)
            with body.loop(width - half) as j:
                body.write(lanes, (j,), body.read(lanes, j) + body.read(lanes, j + half))
            width = half
