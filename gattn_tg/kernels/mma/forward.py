"""Flash attention forward with matrix units: the algorithm of `loops/forward.py`, a block of queries per group.

    s = q k^T + bias      top' = max(top, rowmax s)      p = 2^(s - top')
    total = total * 2^(top - top') + rowsum p            acc = acc * 2^(top - top') + p v
    o = acc / total       lse = (top + log2 total) / log2 e

q stays in registers as fragments, k and v pass through shared memory, p is rounded to the dtype of v for the product.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

from tinygrad import UOp

from gattn_tg.kernels.mma.fragment import Fragment
from gattn_tg.kernels.mma.layout import Layout, Tile, Write, stride
from gattn_tg.kernels.mma.score import WarpScore
from gattn_tg.kernels.mma.warps import Warps, held
from gattn_tg.kernels.tiles import operands as named
from gattn_tg.kernels.tiles.body import Body
from gattn_tg.kernels.tiles.group_score import words
from gattn_tg.kernels.tiles.operands import Operands
from gattn_tg.kernels.tiles.rotation import Rotation
from gattn_tg.kernels.tiles.score import LEAST, LOG2E, Score
from gattn_tg.kernels.tiles.tile import ceildiv


def shared_bytes(layout: Layout, fragment: Fragment, d: int, e: int, score: Score, itemsize: int) -> int:
    """Shared memory of one group."""
    factors = layout.keys * (stride(d) + stride(e)) + (0 if fragment.chain else layout.rows * stride(layout.keys))
    return itemsize * factors + 4 * (layout.fold_words(fragment) + words(score, layout.keys))


def registers(layout: Layout, fragment: Fragment, d: int, e: int, score: Score, itemsize: int) -> int:
    """Words of one thread that hold tiles: sums of o, scores, q."""
    up = layout.rows // (layout.warps * fragment.rows)
    sums = (e + layout.keys) // fragment.columns * fragment.elements[2]
    factors = d // fragment.depth * fragment.elements[0] * itemsize // 4
    return up * (sums + factors) + layout.early_words(layout.keys, d + e, itemsize)


@functools.cache
def kernel(score: Score, fragment: Fragment, layout: Layout) -> Callable[..., UOp]:
    """The kernel of a score function, a fragment and a layout.

    Its operands are o, lse, top, inverse, q, k, v, then those of the score; shapes come from them.
    """

    @functools.cache
    def mma_forward(*operands: UOp) -> UOp:
        return Forward(score, fragment, layout, named.forward(4, score, Rotation(), operands)).build()

    return mma_forward


class Forward:
    """The forward kernel under construction. A group owns a block of rows of one head."""

    def __init__(self, score: Score, fragment: Fragment, layout: Layout, given: Operands) -> None:
        self.o, self.lse, self.row_top, self.inverse = given.outputs
        self.q, self.k, self.v = given.q, given.k, given.v
        self.b_size, self.h_size, self.g_size, self.n, self.m, self.d, self.e = given.sizes
        self.score, self.fragment, self.layout = score, fragment, layout
        self.body = body = Body(
            f"flash_fwd_d{self.d}_e{self.e}_{fragment.name}_{layout.name}_{self.q.dtype.name}_{score.name}"
        )
        self.warps = warps = Warps(body, fragment, layout, layout.rows, self.q.dtype)
        self.scores = WarpScore(warps, score, given.of_score, self.n, self.m)
        self.at_k, self.at_v = warps.block(layout.keys, self.d), warps.block(layout.keys, self.e)
        self.at_p = None if fragment.chain else warps.block(layout.rows, layout.keys)
        self.acc = warps.sums(self.e)
        self.top, self.total = body.array(warps.slots), body.array(warps.slots)

    def build(self) -> UOp:
        """The whole kernel."""
        body, warps = self.body, self.warps
        block, self.h, self.b = body.groups(ceildiv(self.n, self.layout.rows), self.h_size, self.b_size)
        g, self.i0 = self.h // (self.h_size // self.g_size), block * self.layout.rows
        body.together([
            *warps.writes(self.acc, warps.zeros(self.e)),
            *((self.top, (x,), LEAST) for x in range(warps.slots)),
            *((self.total, (x,), 0.0) for x in range(warps.slots)),
        ])  # fmt: skip
        q = warps.rows_of(
            self.q, lambda i: (self.b * self.h_size + self.h) * self.n + (self.i0 + i).minimum(self.n - 1)
        )
        self.scores.load_table(self.h)

        def writes(step: UOp) -> list[Write]:
            first = step * self.layout.keys

            def key(j: UOp) -> UOp:
                return (self.b * self.g_size + g) * self.m + (first + j).minimum(self.m - 1)

            factors = [*warps.moves(self.at_k, self.k, key), *warps.moves(self.at_v, self.v, key)]
            return [*factors, *self.scores.moves(self.b, g, first)]

        with warps.fed(writes, self.scores.key_blocks(self.b, self.i0)) as step:
            self.scores.place = (self.b, self.h, step * self.layout.keys)
            self.add(q, step * self.layout.keys)
        self.finish()
        return body.finish()

    def add(self, q: list[list[UOp]], first: UOp) -> None:
        """Add one block of keys to the sums."""
        body, warps, keys = self.body, self.warps, self.layout.keys
        s = warps.multiply(
            warps.zeros(keys), warps.steps(self.d), held(q),
            lambda tile, step: warps.along(self.at_k, self.d, tile, step),
        )  # fmt: skip
        s = [[self.scored(tile, u, n, first) for n, tile in enumerate(tiles)] for u, tiles in enumerate(s)]

        largest = warps.fold(warps.by_slot(s, UOp.maximum), UOp.maximum)
        old = [body.read(self.top, slot) for slot in range(warps.slots)]
        top = [x.maximum(y) for x, y in zip(largest, old, strict=True)]
        shrink = [(x - y).exp2() for x, y in zip(old, top, strict=True)]

        def scaled(tiles: list[list[Tile]], value: Callable[[UOp, int], UOp]) -> list[list[Tile]]:
            return [
                [[value(x, warps.slot(u, e)) for e, x in enumerate(tile)] for tile in by_u]
                for u, by_u in enumerate(tiles)
            ]

        p = scaled(s, lambda x, slot: (x - top[slot]).exp2())
        added = warps.by_slot(p, UOp.__add__)
        total = [body.read(self.total, slot) * shrink[slot] + x for slot, x in enumerate(added)]
        (factors,) = warps.exchange((self.at_p, p))
        acc = scaled(warps.read(self.acc, self.e), lambda x, slot: x * shrink[slot])
        acc = warps.multiply(
            acc, warps.steps(keys), held(factors),
            lambda tile, step: warps.across(self.at_v, self.e, tile, step),
        )  # fmt: skip
        body.together([
            *warps.writes(self.acc, acc),
            *((self.top, (slot,), value) for slot, value in enumerate(top)),
            *((self.total, (slot,), value) for slot, value in enumerate(total)),
        ])  # fmt: skip

    def scored(self, tile: Tile, u: int, n: int, first: UOp) -> Tile:
        """Scores of one tile from its products."""
        factor, warps = self.score.scale * LOG2E, self.warps
        return [
            self.scores.value(x * factor, self.b, self.h, self.i0 + warps.row(u, e), first, warps.column(n, e))
            for e, x in enumerate(tile)
        ]

    def finish(self) -> None:
        """Write o, lse, top and 1 / total; a row that saw nothing has total = 0."""
        body, warps = self.body, self.warps
        total = warps.fold([body.read(self.total, slot) for slot in range(warps.slots)], UOp.__add__)
        for u, e in warps.one_each():
            # a row that saw nothing stays empty where its q is broken
            slot, row = warps.slot(u, e), (self.i0 + warps.row(u, e)).minimum(self.n - 1)
            some = total[slot] + self.scores.broken_row(self.b, self.h, row)
            total[slot] = total[slot].eq(0.0).where(0.0, some)
        inverse = [x.eq(0.0).where(0.0, 1 / x) for x in total]
        for u, e in warps.one_each():
            slot, i = warps.slot(u, e), self.i0 + warps.row(u, e)
            at, when = (self.b, self.h, i.minimum(self.n - 1)), (i < self.n) & warps.share.eq(0)
            top = body.read(self.top, slot)
            none = total[slot].eq(0.0).where(-math.inf, math.nan)
            lse = (total[slot] > 0).where((top + total[slot].log2()) * (1 / LOG2E), none)
            for out, value in ((self.lse, lse), (self.row_top, top), (self.inverse, inverse[slot])):
                body.write(out, at, value, when=when)
        o = [
            [[x * inverse[warps.slot(u, e)] for e, x in enumerate(tile)] for tile in tiles]
            for u, tiles in enumerate(warps.read(self.acc, self.e))
        ]
        warps.put(self.o, (self.b, self.h), o, lambda i: self.i0 + i, self.n)
