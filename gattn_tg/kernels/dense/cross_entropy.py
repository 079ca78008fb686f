"""Cross-entropy of rows of logits on the CPU, one kernel each way.

Going forward a row is read twice (maximum, then sum of exponentials) and leaves its log-sum-exp; going back it is read
once. Rows are cut into chunks by the shape alone, so sums do not depend on the number of cores.
"""

from __future__ import annotations

from collections.abc import Callable

from tinygrad import UOp, dtypes

from gattn_tg.kernels.dense.row_sums import nearest
from gattn_tg.kernels.dense.rowwise import chunks
from gattn_tg.kernels.tiles.body import Body, element
from gattn_tg.kernels.tiles.score import LEAST, LOG2E
from gattn_tg.kernels.tiles.tile import LANES, ceildiv, exp2
from gattn_tg.machine import threads


def forward(smoothing: float) -> Callable[..., UOp]:
    """The kernel sums[chunk] = (sum of losses, rows counted), lse[r] = log sum_c exp(x[r, c]).

        loss[r] = lse[r] - (1 - s) x[r, label] - s mean_c x[r, c], for the rows whose label is a class
    """

    def kernel(sums: UOp, lse: UOp, x: UOp, labels: UOp) -> UOp:
        m, n = x.shape
        pieces = sums.shape[0]
        body = Body(f"cross_entropy_{m}x{n}_{smoothing:g}_{x.dtype.name}")
        lanes, some = body.array(min(LANES, n)), body.array(3)
        with body.units(pieces, min(pieces, threads.count())) as (_, unit):
            for i in range(2):
                body.write(sums, (unit, i), 0.0)
            with body.span(unit * m // pieces, (unit + 1) * m // pieces, m) as r:

                def value(j: UOp, r: UOp = r) -> UOp:
                    return element(x, r, j).cast(dtypes.float32)

                _reduce(body, lanes, n, value, UOp.maximum, LEAST)
                body.write(some, (0,), body.read(lanes, 0))
                _reduce(body, lanes, n, lambda j: exp2((value(j) - body.read(some, 0)) * LOG2E), UOp.__add__, 0.0)
                body.write(some, (1,), body.read(some, 0) + body.read(lanes, 0).log2() * (1 / LOG2E))
                body.write(lse, (r,), body.read(some, 1))
                if smoothing:
                    _reduce(body, lanes, n, value, UOp.__add__, 0.0)
                    body.write(some, (2,), body.read(lanes, 0) * (smoothing / n))
                counts, label = _label(labels[r], n)
                picked = value(label) * (1 - smoothing)
                loss = body.read(some, 1) - picked - (body.read(some, 2) if smoothing else 0.0)
                body.write(sums, (unit, 0), body.read(sums, unit, 0) + counts.where(loss, 0.0))
                body.write(sums, (unit, 1), body.read(sums, unit, 1) + counts.where(1.0, 0.0))
        return body.finish()

    return kernel


def backward(smoothing: float) -> Callable[..., UOp]:
    """The kernel dx[r, c] = scale (exp(x[r, c] - lse[r]) - (1 - s) [c == label] - s / n); 0 in rows left out."""

    def kernel(dx: UOp, x: UOp, labels: UOp, lse: UOp, scale: UOp) -> UOp:
        m, n = x.shape
        pieces = chunks(m)
        body = Body(f"cross_entropy_back_{m}x{n}_{smoothing:g}_{x.dtype.name}")
        with (
            body.units(pieces, min(pieces, threads.count())) as (_, unit),
            body.span(unit * m // pieces, (unit + 1) * m // pieces, m) as r,
            body.loop(n) as j,
        ):
            counts, label = _label(labels[r], n)
            # rounding can leave a logit above the log-sum-exp of its row, where `exp2` does not reach
            p = exp2(((element(x, r, j).cast(dtypes.float32) - lse[r]) * LOG2E).minimum(0.0))
            target = label.cast(dtypes.int).eq(j.cast(dtypes.int)).where(1 - smoothing, 0.0) + smoothing / n
            body.write(dx, (r, j), counts.where((p - target) * scale[0], 0.0).cast(dx.dtype))
        return body.finish()

    return kernel


def _label(label: UOp, n: int) -> tuple[UOp, UOp]:
    """Whether a label names one of n classes, and the nearest class; compared in its own type, before it is cut."""
    return (label >= 0) & (label < n), nearest(label, n)


def _reduce(
    body: Body, lanes: UOp, n: int, value: Callable[[UOp], UOp], combine: Callable[[UOp, UOp], UOp], empty: float
) -> None:
    """lanes[0] = all value(j) for j < n combined: per lane first, then the lanes by halving."""
    width = min(LANES, n)
    with body.loop(width) as j:
        body.write(lanes, (j,), empty)
    whole = n // width
    with body.loops(whole, width) as (i, j):
        body.write(lanes, (j,), combine(body.read(lanes, j), value(i * width + j)))
    if n % width:
        with body.loop(n % width) as j:
            body.write(lanes, (j,), combine(body.read(lanes, j), value(whole * width + j)))
    while width > 1:
        half = ceildiv(width, 2)
        with body.loop(width - half) as j:
            body.write(lanes, (j,), combine(body.read(lanes, j), body.read(lanes, j + half)))
        width = half
