"""Kernels over many tensors at once: the AdamW update of all parameters, running sums and means, norms.

As tensor operations these are three kernels per parameter and shape; most of a small model's kernels, and most of the
time its first step takes to compile, would be theirs.
"""

from __future__ import annotations

from collections.abc import Callable

from tinygrad import UOp, dtypes

from gattn_tg.kernels.tiles.body import Body
from gattn_tg.kernels.tiles.tile import LANES

MOST = 60  # operands of one kernel; tinygrad's CPU device takes 63


def adamw(count: int, b1: float, b2: float, eps: float, decay: float) -> Callable[..., UOp]:
    """The kernel (p..., m..., v..., scalars, g...) of `count` flat tensors each; scalars are (rate, c1, c2, scale).

        m = b1 m + (1 - b1) scale g      v = b2 v + (1 - b2) (scale g)^2
        p = p - rate ((m / c1) / (sqrt(v / c2) + eps) + decay p)

    Source: Loshchilov and Hutter 2019, algorithm 2, with c = 1 - beta^t.
    """

    def kernel(*operands: UOp) -> UOp:
        parameters, first, second = (operands[i * count : (i + 1) * count] for i in range(3))
        scalars, gradients = operands[3 * count], operands[3 * count + 1 :]
        body = Body(f"adamw_{count}_{sum(p.shape[0] for p in parameters)}")
        rate, c1, c2, scale = (scalars[i] for i in range(4))
        for p, m, v, g in zip(parameters, first, second, gradients, strict=True):
            with body.loop(p.shape[0]) as i:
                step = g[i].cast(dtypes.float32) * scale
                body.write(m, (i,), b1 * body.read(m, i) + (1 - b1) * step)
                body.write(v, (i,), b2 * body.read(v, i) + (1 - b2) * step * step)
                up = body.read(m, i) / c1 / ((body.read(v, i) / c2).sqrt() + eps)
                old = body.read(p, i).cast(dtypes.float32)
                body.write(p, (i,), (old - rate * (up + decay * old)).cast(p.dtype))
        return body.finish()

    return kernel


def add(count: int) -> Callable[..., UOp]:
    """The kernel (sum..., fresh, x...) of `count` flat tensors each: sum = x where fresh, else sum + x."""

    def kernel(*operands: UOp) -> UOp:
        sums, fresh, values = operands[:count], operands[count], operands[count + 1 :]
        body = Body(f"add_{count}_{sum(s.shape[0] for s in sums)}")
        for total, x in zip(sums, values, strict=True):
            with body.loop(total.shape[0]) as i:
                # chosen and not multiplied by 0: what an interrupted step left there may be no number
                old = (fresh[0] > 0).where(0.0, body.read(total, i))
                body.write(total, (i,), old + x[i].cast(dtypes.float32))
        return body.finish()

    return kernel


def follow(count: int) -> Callable[..., UOp]:
    """The kernel (mean..., decay, p...) of `count` flat tensors each: mean = mean + (1 - decay) (p - mean)."""

    def kernel(*operands: UOp) -> UOp:
        means, decay, parameters = operands[:count], operands[count], operands[count + 1 :]
        body = Body(f"follow_{count}_{sum(m.shape[0] for m in means)}")
        for mean, p in zip(means, parameters, strict=True):
            with body.loop(mean.shape[0]) as i:
                old = body.read(mean, i)
                body.write(mean, (i,), old + (1 - decay[0]) * (p[i].cast(dtypes.float32) - old))
        return body.finish()

    return kernel


def squared_norm(out: UOp, *tensors: UOp) -> UOp:
    """The kernel out[0] = sum of the squares of all elements, in float32 by lanes."""
    body = Body(f"squared_norm_{len(tensors)}_{sum(x.shape[0] for x in tensors)}")
    lanes = body.array(LANES)
    with body.loop(LANES) as j:
        body.write(lanes, (j,), 0.0)
    for x in tensors:
        whole, rest = divmod(x.shape[0], LANES)
        if whole:
            with body.loops(whole, LANES) as (i, j):
                value = x[i * LANES + j].cast(dtypes.float32)
                body.write(lanes, (j,), body.read(lanes, j) + value * value)
        if rest:
            with body.loop(rest) as j:
                value = x[whole * LANES + j].cast(dtypes.float32)
                body.write(lanes, (j,), body.read(lanes, j) + value * value)
    with body.loop(LANES - 1) as j:
        body.write(lanes, (0,), body.read(lanes, 0) + body.read(lanes, j + 1))
    body.write(out, (0,), body.read(lanes, 0))
    return body.finish()
