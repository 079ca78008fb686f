"""Sums of rows into a large table on the CPU: the gradient of a look-up.

Every core takes some columns of the table and walks over all rows in order. So there is one table however many cores
there are, no two cores write the same element, and each sum has one order.
"""

from __future__ import annotations

from tinygrad import UOp, dtypes

from gattn_tg.kernels.tiles.body import Body, element
from gattn_tg.kernels.tiles.tile import FOLD
from gattn_tg.machine import threads


def scatter_rows(out: UOp, x: UOp, ids: UOp) -> UOp:
    """The kernel out[c, j] = sum over the rows r with ids[r] == c of x[r, j]."""
    (v, w), m = out.shape, x.shape[0]
    parts = parts_of(w, threads.count())
    width = w // parts
    body = Body(f"scatter_rows_{m}x{w}_{v}_{x.dtype.name}")
    with body.units(parts, parts) as (_, part):
        with body.loops(v, width) as (c, j):
            body.write(out, (c, part * width + j), 0.0)
        with body.loop(m) as r:
            c = nearest(ids[r], v)
            with body.loop(width) as j:
                at = part * width + j
                body.write(out, (c, at), body.read(out, c, at) + element(x, r, at).cast(dtypes.float32))
    return body.finish()


def nearest(label: UOp, classes: int) -> UOp:
    """The row of a table that an id names, so that no kernel reads or writes beside the table, whatever the id is."""
    wide = label.cast(dtypes.int) if label.dtype.itemsize < dtypes.int.itemsize else label  # 255 in uint8 is no limit
    return wide.maximum(0).minimum(classes - 1).cast(dtypes.weakint)


def parts_of(width: int, most: int) -> int:
    """Into how many equal groups of columns the work is cut: at most `most`, each of at least a cache line."""
    return max(p for p in range(1, max(most, 1) + 1) if p == 1 or (width % p == 0 and width // p >= FOLD))
