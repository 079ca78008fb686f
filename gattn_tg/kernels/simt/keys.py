"""Flash attention backward by groups of GPU threads, the pass that owns keys: dk and dv.

    dv[j] = sum_i p[i, j] do[i]        dk[j] = scale * sum_i ds[i, j] q[i]
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager

from tinygrad import UOp

from gattn_tg.kernels.simt.backward import Backward, tiles
from gattn_tg.kernels.simt.group import Layout, by_column
from gattn_tg.kernels.tiles import operands as named
from gattn_tg.kernels.tiles.group_score import words
from gattn_tg.kernels.tiles.rotation import Rotation
from gattn_tg.kernels.tiles.score import Score
from gattn_tg.kernels.tiles.tile import ceildiv


def shared_bytes(layout: Layout, d: int, e: int, score: Score) -> int:
    """Shared memory of one group."""
    rows, keys, wide = layout.rows, layout.keys, layout.wide
    own = (layout.padded(d) + layout.padded(e)) * wide(keys)
    return 4 * (own + rows * (wide(d) + wide(e) + 2 * wide(keys)) + words(score, keys))


def registers(layout: Layout, d: int, e: int) -> int:
    """Words of register tiles of one thread."""
    return tiles(layout) + layout.keys // layout.down * ((layout.padded(d) + layout.padded(e)) // layout.across)


@functools.cache
def kernel(score: Score, rotation: Rotation, layout: Layout) -> Callable[..., UOp]:
    """The kernel of a score function, a rotation and a layout.

    Its operands are dk, dv, q, k, v, do, top, inverse, delta, and those of the score and of the rotation.
    """

    @functools.cache
    def simt_backward_keys(*operands: UOp) -> UOp:
        return Keys(score, rotation, layout, named.backward(2, score, rotation, operands)).build()

    return simt_backward_keys


class Keys(Backward):
    """The pass that owns keys. A group owns a block of keys of one key head, and walks over its query heads."""

    def build(self) -> UOp:
        """The whole kernel."""
        body, group, layout = self.body, self.group, self.layout
        dk, dv = self.outputs
        at_p = group.block(layout.rows, layout.keys)
        tile_k, tile_v = group.tile(layout.keys, self.d), group.tile(layout.keys, self.e)
        block, g, self.b = body.groups(ceildiv(self.m, layout.keys), self.g_size, self.b_size)
        first = block * layout.keys
        self.lay_out_keys(g * self.heads, first)
        group.clear(tile_k)
        group.clear(tile_v)
        with body.loop(self.heads) as head:
            h = g * self.heads + head
            self.scores.load_table(h)
            self.scores.load(self.b, h, first)
            with self.blocks(first) as step:
                i0 = step * layout.rows
                self.lay_out_rows(h, i0)
                group.barrier()
                self.weigh(h, i0, first)
                group.put(at_p, self.s)
                group.barrier()
                group.product(tile_v, layout.rows, by_column(body, at_p), by_column(body, self.at_do))
                group.product(tile_k, layout.rows, by_column(body, self.at_ds), by_column(body, self.at_q))
                group.barrier()

        def place(j: UOp) -> UOp:
            return self.key(first, j)

        with group.each(tile_v) as (i, x, row, column):
            value = body.read(tile_v, i, x).cast(dv.dtype)
            when = (first + row < self.m) & (column < self.e)
            body.write(dv, (self.b, g, place(row), column.minimum(self.e - 1)), value, when=when)
        self.write_back(
            dk, self.kt, tile_k, g, place, lambda j: first + j < self.m,
            rows=layout.keys, factor=self.score.scale, side="k", is_turned=True,
        )  # fmt: skip
        return body.finish()

    def blocks(self, first: UOp) -> AbstractContextManager[UOp]:
        """The blocks of rows that see any key of the block."""
        rows = self.layout.rows
        size = ceildiv(self.n, rows)
        if self.score.reach == (None, None):
            return self.body.loop(size)
        start, stop = self.scores.seeing_rows(first)
        return self.body.span(start // rows, (stop + (rows - 1)) // rows, size)
