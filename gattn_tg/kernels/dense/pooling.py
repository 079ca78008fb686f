"""The larger of two neighbouring rows on the CPU, and its gradient: one walk along the rows each way."""

from __future__ import annotations

from tinygrad import UOp, dtypes

from gattn_tg.kernels.dense.rowwise import chunks
from gattn_tg.kernels.tiles.body import Body, element
from gattn_tg.kernels.tiles.tile import is_nan
from gattn_tg.machine import threads


def is_second(first: UOp, second: UOp) -> UOp:
    """Whether the second of two numbers is the larger one; a nan is."""
    return (first < second) | is_nan(second)


def halve(y: UOp, x: UOp) -> UOp:
    """The kernel y[r, j] = max(x[2 r, j], x[2 r + 1, j])."""
    m, n = y.shape
    body = Body(f"halve_{m}x{n}_{x.dtype.name}")
    pieces = chunks(m)
    with (
        body.units(pieces, min(pieces, threads.count())) as (_, unit),
        body.span(unit * m // pieces, (unit + 1) * m // pieces, m) as r,
        body.loop(n) as j,
    ):
        first, second = element(x, 2 * r, j), element(x, 2 * r + 1, j)
        body.write(y, (r, j), is_second(first, second).where(second, first))
    return body.finish()


def halve_back(dx: UOp, dy: UOp, x: UOp) -> UOp:
    """The kernel dx[2 r + s, j] = dy[r, j] where row 2 r + s was the larger one, else 0; of equal rows the first is."""
    m, n = dy.shape
    body = Body(f"halve_back_{m}x{n}_{x.dtype.name}")
    pieces = chunks(m)
    nothing = UOp.const(0.0, dtypes.float32).cast(dx.dtype)
    with (
        body.units(pieces, min(pieces, threads.count())) as (_, unit),
        body.span(unit * m // pieces, (unit + 1) * m // pieces, m) as r,
    ):
        for place in range(2):
            with body.loop(n) as j:
                second = is_second(element(x, 2 * r, j), element(x, 2 * r + 1, j))
                slope = element(dy, r, j).cast(dx.dtype)
                own = second.where(slope, nothing) if place else second.where(nothing, slope)
                body.write(dx, (2 * r + place, j), own)
    return body.finish()
