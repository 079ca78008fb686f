"""Rows written into a cache in place on the CPU, each at a place of its own."""

from __future__ import annotations

from collections.abc import Callable

from tinygrad import UOp, dtypes

from gattn_tg.kernels.tiles.body import Body


def put_rows(b: int, heads: int, size: int, d: int) -> Callable[..., UOp]:
    """The kernel keys[i, g, places[i]] = k[i, g], values[i, g, places[i]] = v[i, g]; all operands are flat."""

    def kernel(keys: UOp, values: UOp, k: UOp, v: UOp, places: UOp) -> UOp:
        body = Body(f"put_rows_{b}x{heads}x{d}_{size}")
        with body.loops(b, heads, d) as (i, g, x):
            to = (i * heads + g) * size * d + places[i].cast(dtypes.weakint) * d + x
            body.write(keys, (to,), k[(i * heads + g) * d + x])
            body.write(values, (to,), v[(i * heads + g) * d + x])
        return body.finish()

    return kernel
