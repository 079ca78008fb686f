"""Flash attention forward with matrix units: the algorithm of `flash_forward.py`, a block of queries per group.

    s = q k^T + bias      top' = max(top, rowmax s)      p = 2^(s - top')
    total = total * 2^(top - top') + rowsum p            acc = acc * 2^(top - top') + p v
    o = acc / total       lse = (top + log2 total) / log2 e

q stays in registers as fragments, k and v pass through shared memory, p is rounded to the dtype of v for the product.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from contextlib import AbstractContextManager

from tinygrad import UOp, dtypes

from gattn_tg.kernels.body import Body
from gattn_tg.kernels.mma import Layout, Tile, Warps, stride
from gattn_tg.kernels.mma_fragment import Fragment
from gattn_tg.kernels.score import LEAST, LOG2E, Score
from gattn_tg.kernels.simt_score import GroupScore, words
from gattn_tg.kernels.tile import ceildiv


def shared_bytes(layout: Layout, fragment: Fragment, d: int, e: int, score: Score, itemsize: int) -> int:
    """Shared memory of one group."""
    factors = layout.keys * (stride(d) + stride(e)) + (0 if fragment.chain else layout.rows * stride(layout.keys))
    slots = layout.rows // (layout.warps * fragment.rows) * (1 + max(fragment.own_rows))
    return itemsize * factors + 4 * (layout.threads * slots + words(score, layout.keys))


def registers(layout: Layout, fragment: Fragment, d: int, e: int, itemsize: int) -> int:
    """Words of one thread that hold tiles: sums of o, scores, q."""
    up = layout.rows // (layout.warps * fragment.rows)
    sums = (e + layout.keys) // fragment.columns * fragment.elements[2]
    return up * (sums + d // fragment.depth * fragment.elements[0] * itemsize // 4)


@functools.cache
def kernel(score: Score, fragment: Fragment, layout: Layout) -> Callable[..., UOp]:
    """The kernel of a score function, a fragment and a layout.

    Its operands are o, lse, top, inverse, q, k, v, then those of the score; shapes come from them.
    """

    @functools.cache
    def mma_forward(*operands: UOp) -> UOp:
        return Forward(score, fragment, layout, *operands).build()

    return mma_forward


class Forward:
    """The forward kernel under construction. A group owns a block of rows of one head."""

    def __init__(
        self, score: Score, fragment: Fragment, layout: Layout, o: UOp, lse: UOp, row_top: UOp, inverse: UOp, q: UOp,
        k: UOp, v: UOp, *tensors: UOp,
    ) -> None:  # fmt: skip
        self.o, self.lse, self.row_top, self.inverse, self.q, self.k, self.v = o, lse, row_top, inverse, q, k, v
        self.b_size, self.h_size, self.n, self.d = q.shape
        _, self.g_size, self.m, self.e = v.shape
        self.score, self.fragment, self.layout = score, fragment, layout
        self.body = body = Body(
            f"flash_fwd_d{self.d}_e{self.e}_{fragment.name}_{layout.name}_{q.dtype.name}_{score.name}"
        )
        self.group = group = Warps(body, fragment, layout, layout.rows, q.dtype)
        self.scores = GroupScore(group, score, tensors, self.n, self.m)  # type: ignore[arg-type]
        self.at_k, self.at_v = group.block(layout.keys, self.d), group.block(layout.keys, self.e)
        self.at_p = None if fragment.chain else body.shared(layout.rows, stride(layout.keys), dtype=v.dtype)
        self.tiles = self.e // fragment.columns
        self.acc = body.array(group.up * self.tiles * fragment.elements[2])
        self.top, self.total = body.array(group.slots), body.array(group.slots)

    def build(self) -> UOp:
        """The whole kernel."""
        body, group, size = self.body, self.group, self.fragment.elements[2]
        block, self.h, self.b = body.groups(ceildiv(self.n, self.layout.rows), self.h_size, self.b_size)
        self.g, self.i0 = self.h // (self.h_size // self.g_size), block * self.layout.rows
        body.together([
            *((self.acc, (x,), 0.0) for x in range(group.up * self.tiles * size)),
            *((self.top, (x,), LEAST) for x in range(group.slots)),
            *((self.total, (x,), 0.0) for x in range(group.slots)),
        ])  # fmt: skip
        q = [group.rows_of(self.q, u, self.flat_row) for u in range(group.up)]
        self.scores.load_table(self.h)
        with self.blocks() as step:
            first = step * self.layout.keys

            def key(j: UOp, first: UOp = first) -> UOp:
                return (self.b * self.g_size + self.g) * self.m + (first + j).minimum(self.m - 1)

            group.copy((self.at_k, self.k, key), (self.at_v, self.v, key))
            self.scores.load(self.b, self.h, first)
            body.barrier()
            self.add(q, first)
            body.barrier()
        self.finish()
        return body.finish()

    def row(self, i: UOp) -> UOp:
        """A row of q; rows that pad the last block repeat the last one."""
        return (self.i0 + i).minimum(self.n - 1)

    def flat_row(self, i: UOp) -> UOp:
        """A row of q among the rows of all heads."""
        return (self.b * self.h_size + self.h) * self.n + self.row(i)

    def blocks(self) -> AbstractContextManager[UOp]:
        """The blocks of keys that any of the rows sees."""
        keys = self.layout.keys
        size = ceildiv(self.m, keys)
        if self.score.reach == (None, None) and not self.score.has_lengths:
            return self.body.loop(size)
        start, stop = self.scores.seen_keys(self.b, self.i0, self.i0 + (self.layout.rows - 1))
        return self.body.span(start // keys, (stop + (keys - 1)) // keys, size)

    def add(self, q: list[list[UOp]], first: UOp) -> None:
        """Add one block of keys to the sums."""
        body, group, fragment = self.body, self.group, self.fragment
        size = fragment.elements[2]
        empty = [group.zeros(self.layout.keys // fragment.columns) for _ in range(group.up)]
        s = group.multiply(empty, q, lambda tile, step: group.along(self.at_k, self.d, tile, step))
        s = [[self.scored(tile, u, n, first) for n, tile in enumerate(tiles)] for u, tiles in enumerate(s)]

        largest = group.fold(group.by_slot(s, UOp.maximum), UOp.maximum)
        old = [body.read(self.top, slot) for slot in range(group.slots)]
        top = [x.maximum(y) for x, y in zip(largest, old, strict=True)]
        shrink = [(x - y).exp2() for x, y in zip(old, top, strict=True)]
        p = [
            [[(x - top[group.slot(u, e)]).exp2() for e, x in enumerate(tile)] for tile in tiles]
            for u, tiles in enumerate(s)
        ]
        total = [
            body.read(self.total, slot) * shrink[slot] + x for slot, x in enumerate(group.by_slot(p, UOp.__add__))
        ]
        (factors,) = group.exchanged([(self.at_p if self.at_p is not None else self.at_k, p)])
        acc = [
            [
                [body.read(self.acc, (u * self.tiles + tile) * size + e) * shrink[group.slot(u, e)] for e in range(size)]
                for tile in range(self.tiles)
            ]
            for u in range(group.up)
        ]
        acc = group.multiply(acc, factors, lambda tile, step: group.across(self.at_v, self.e, tile, step))
        body.together([
            *(
                (self.acc, ((u * self.tiles + tile) * size + e,), value)
                for u, tiles in enumerate(acc) for tile, elements in enumerate(tiles) for e, value in enumerate(elements)
            ),
            *((self.top, (slot,), value) for slot, value in enumerate(top)),
            *((self.total, (slot,), value) for slot, value in enumerate(total)),
        ])  # fmt: skip

    def scored(self, tile: Tile, u: int, n: int, first: UOp) -> Tile:
        """Scores of one tile from its products."""
        factor = self.score.scale * LOG2E
        return [
            self.scores.value(x * factor, self.b, self.h, self.i0 + self.group.row(u, e), first, self.group.column(n, e))
            for e, x in enumerate(tile)
        ]

    def finish(self) -> None:
        """Write o, lse, top and 1 / total; a row that saw nothing has total = 0."""
        body, group, size = self.body, self.group, self.fragment.elements[2]
        total = group.fold([body.read(self.total, slot) for slot in range(group.slots)], UOp.__add__)
        inverse = [(x > 0).where(1 / x, 0.0) for x in total]
        is_first = group.share.eq(0)
        place = [
            (u, e) for u in range(group.up) for e in range(size) if e == self.fragment.own_rows.index(self.fragment.own_rows[e])
        ]
        for u, e in place:
            slot, i = group.slot(u, e), self.i0 + group.row(u, e)
            at, when = (self.b, self.h, i.minimum(self.n - 1)), (i < self.n) & is_first
            top = body.read(self.top, slot)
            lse = (total[slot] > 0).where((top + total[slot].log2()) * (1 / LOG2E), -math.inf)
            for out, value in ((self.lse, lse), (self.row_top, top), (self.inverse, inverse[slot])):
                body.write(out, at, value, when=when)
        for u in range(group.up):
            for e in range(size):
                i = self.i0 + group.row(u, e)
                for tile in range(self.tiles):
                    x = group.channel(self.e, tile, self.fragment.c(group.lane, e)[1])
                    value = body.read(self.acc, (u * self.tiles + tile) * size + e) * inverse[group.slot(u, e)]
                    at = (self.b, self.h, i.minimum(self.n - 1), x)
                    body.write(self.o, at, value.cast(self.o.dtype), when=i < self.n)
