"""Flash attention backward with matrix units: two passes, nothing of size n*m stored, no atomics.

    s = q k^T + bias      p = 2^(s - top) / total       dp = do v^T      ds = p (dp - delta)

with top and 1 / total of the forward pass and delta = rowsum(do o) - dlse. A group of the first pass owns rows of
queries, and sums dq += ds k and what the table's gradient is made of. A group of the second pass owns keys: it works on
the transposed scores, and sums dv += p^T do and dk += ds^T q over all query heads that read them. p and ds are rounded
to the dtype of the operands for the products; every sum has one owner and a fixed order.

Source: Dao 2023, FlashAttention-2, algorithm 2.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

from tinygrad import UOp

from gattn_tg.kernels.mma import table_gradient as mma_table
from gattn_tg.kernels.mma.fragment import Fragment
from gattn_tg.kernels.mma.layout import Layout, Tile, Write, stride
from gattn_tg.kernels.mma.score import WarpScore
from gattn_tg.kernels.mma.table_gradient import TableSums
from gattn_tg.kernels.mma.warps import Warps, held
from gattn_tg.kernels.tiles import operands as named
from gattn_tg.kernels.tiles.body import Body, element
from gattn_tg.kernels.tiles.group_score import words
from gattn_tg.kernels.tiles.operands import BackwardOperands
from gattn_tg.kernels.tiles.rotation import Rotation
from gattn_tg.kernels.tiles.score import LOG2E, NEVER, Score, broken_top, is_broken_row
from gattn_tg.kernels.tiles.tile import ceildiv, finite

RESIDENT = 128  # channels of k and v together that the pass of the keys keeps in registers; more stay in shared memory


def rows_bytes(layout: Layout, fragment: Fragment, d: int, e: int, score: Score, itemsize: int) -> int:
    """Shared memory of one group of the pass that owns queries."""
    factors = layout.keys * (stride(d) + stride(e)) + (0 if fragment.chain else layout.rows * stride(layout.keys))
    factors += mma_table.shared_elements(score, fragment, layout.rows, layout.keys)
    return itemsize * factors + 4 * (layout.fold_words(fragment) + words(score, layout.keys))


def rows_registers(layout: Layout, fragment: Fragment, d: int, e: int, score: Score, itemsize: int) -> int:
    """Words of one thread that hold tiles: sums of dq and of the table, s and dp, q and do."""
    up = layout.rows // (layout.warps * fragment.rows)
    sums = (d + 2 * layout.keys) // fragment.columns * fragment.elements[2]
    factors = (d + e) // fragment.depth * fragment.elements[0] * itemsize // 4
    early = layout.early_words(layout.keys, d + e, itemsize)
    return up * (sums + factors) + mma_table.registers(score, fragment, up) + early


def keys_bytes(layout: Layout, fragment: Fragment, d: int, e: int, score: Score, itemsize: int) -> int:
    """Shared memory of one group of the pass that owns keys."""
    factors = layout.rows * (stride(d) + stride(e)) + (0 if fragment.chain else 2 * layout.keys * stride(layout.rows))
    factors += layout.keys * (stride(d) + stride(e)) if d + e > RESIDENT else 0
    return itemsize * factors + 4 * (3 * layout.rows + words(score, layout.keys))


def keys_registers(layout: Layout, fragment: Fragment, d: int, e: int, score: Score, itemsize: int) -> int:
    """Words of one thread that hold tiles: sums of dk and dv, s and dp, k and v where they are kept."""
    up = layout.keys // (layout.warps * fragment.rows)
    sums = (d + e + 2 * layout.rows) // fragment.columns * fragment.elements[2]
    kept = (d + e) // fragment.depth * fragment.elements[0] * itemsize // 4 if d + e <= RESIDENT else 0
    return up * (sums + kept) + layout.early_words(layout.rows, d + e, itemsize)


@functools.cache
def rows_kernel(score: Score, fragment: Fragment, layout: Layout) -> Callable[..., UOp]:
    """The kernel that owns queries.

    Its operands are dq, where there is a table also the sums per row, then q, k, v, do, top, inverse, delta, and those
    of the score.
    """
    outputs = 2 if score.columns else 1

    @functools.cache
    def mma_backward_rows(*operands: UOp) -> UOp:
        return Rows(score, fragment, layout, named.backward(outputs, score, Rotation(), operands)).build()

    return mma_backward_rows


@functools.cache
def keys_kernel(score: Score, fragment: Fragment, layout: Layout) -> Callable[..., UOp]:
    """The kernel that owns keys: dk, dv, q, k, v, do, top, inverse, delta, operands of the score."""

    @functools.cache
    def mma_backward_keys(*operands: UOp) -> UOp:
        return Keys(score, fragment, layout, named.backward(2, score, Rotation(), operands)).build()

    return mma_backward_keys


class Backward:
    """What both passes share."""

    def __init__(self, score: Score, fragment: Fragment, layout: Layout, given: BackwardOperands) -> None:
        self.outputs, self.q, self.k, self.v, self.do = given.outputs, given.q, given.k, given.v, given.do
        self.top, self.inverse, self.delta = given.top, given.inverse, given.delta
        self.b_size, self.h_size, self.g_size, self.n, self.m, self.d, self.e = given.sizes
        self.score, self.fragment, self.layout = score, fragment, layout
        self.heads = self.h_size // self.g_size
        side = type(self).__name__.lower()
        self.body = body = Body(
            f"flash_bwd_{side}_d{self.d}_e{self.e}_{fragment.name}_{layout.name}_{self.q.dtype.name}_{score.name}"
        )
        self.warps = Warps(body, fragment, layout, layout.rows if side == "rows" else layout.keys, self.q.dtype)
        self.scores = WarpScore(self.warps, score, given.of_score, self.n, self.m)

    def top_of(self, b: UOp, h: UOp, i: UOp) -> UOp:
        """What is taken from the scores of a row: nan where it met a broken number."""
        at = (b, h, i.minimum(self.n - 1))
        top, inverse, delta = self.kept_of(*at)
        return broken_top(top, inverse, delta + self.scores.broken_row(*at))

    def is_broken(self, b: UOp, h: UOp, i: UOp) -> UOp:
        """Whether a row met a broken number."""
        at = (b, h, i.minimum(self.n - 1))
        _, inverse, delta = self.kept_of(*at)
        return is_broken_row(inverse, delta + self.scores.broken_row(*at))

    def kept_of(self, b: UOp, h: UOp, row: UOp) -> tuple[UOp, UOp, UOp]:
        """top, inverse and delta of a row."""
        top, inverse, delta = (element(x, b, h, row) for x in (self.top, self.inverse, self.delta))
        return top, inverse, delta

    def rows_from(self, b: UOp, h: UOp, i0: UOp) -> Callable[[UOp], UOp]:
        """Rows of queries among those of all heads; rows that pad the last block repeat the last one."""
        return lambda i: (b * self.h_size + h) * self.n + (i0 + i).minimum(self.n - 1)

    def keys_from(self, b: UOp, g: UOp, first: UOp) -> Callable[[UOp], UOp]:
        """Keys among those of all heads; keys that pad the last block repeat the last one."""
        return lambda j: (b * self.g_size + g) * self.m + (first + j).minimum(self.m - 1)


class Rows(Backward):
    """The pass that owns queries. A group owns a block of rows of one head."""

    def build(self) -> UOp:
        """The whole kernel."""
        body, warps, layout = self.body, self.warps, self.layout
        dq, *sums = self.outputs
        at_k, at_v = warps.block(layout.keys, self.d), warps.block(layout.keys, self.e)
        at_ds = None if self.fragment.chain else warps.block(layout.rows, layout.keys)
        tile, table = warps.sums(self.d), TableSums(warps, self.scores) if sums else None
        block, h, b = body.groups(ceildiv(self.n, layout.rows), self.h_size, self.b_size)
        i0, g = block * layout.rows, h // self.heads
        body.together([*warps.writes(tile, warps.zeros(self.d)), *(table.clear() if table else [])])
        q, do = (warps.rows_of(x, self.rows_from(b, h, i0)) for x in (self.q, self.do))
        self.scores.load_table(h)

        def writes(step: UOp) -> list[Write]:
            key = self.keys_from(b, g, step * layout.keys)
            factors = [*warps.moves(at_k, self.k, key), *warps.moves(at_v, self.v, key)]
            return [*factors, *self.scores.moves(b, g, step * layout.keys)]

        with warps.fed(writes, self.scores.key_blocks(b, i0)) as step:
            first = step * layout.keys
            self.scores.place = (b, h, first)
            ds = self.gradient(q, do, at_k, at_v, b, h, i0, first)
            (factors,) = warps.exchange((at_ds, ds))
            dq_tiles = warps.multiply(
                warps.read(tile, self.d), warps.steps(layout.keys), held(factors),
                lambda n, step: warps.across(at_k, self.d, n, step),
            )  # fmt: skip
            body.together(warps.writes(tile, dq_tiles))
            if table is not None:
                table.add(ds, factors, b, i0, first)
        if table is not None:
            table.write(sums[0], b, h, i0, self.n, lambda i: self.is_broken(b, h, i))
        scaled = [
            [
                [self.is_broken(b, h, i0 + warps.row(u, e)).where(math.nan, x * self.score.scale)
                 for e, x in enumerate(t)]
                for t in tiles
            ]
            for u, tiles in enumerate(warps.read(tile, self.d))
        ]  # fmt: skip
        warps.put(dq, (b, h), scaled, lambda i: i0 + i, self.n)
        return body.finish()

    def gradient(
        self, q: list[list[UOp]], do: list[list[UOp]], at_k: UOp, at_v: UOp, b: UOp, h: UOp, i0: UOp, first: UOp
    ) -> list[list[Tile]]:
        """ds of one block of scores; in rows that are nan 1 for what they see and 0 for what they do not.

        A product with nan, as those with k and with the classes of the keys, would lose which of the two it was.
        """
        warps, keys, factor = self.warps, self.layout.keys, self.score.scale * LOG2E
        s = warps.multiply(
            warps.zeros(keys), warps.steps(self.d), held(q),
            lambda n, step: warps.along(at_k, self.d, n, step),
        )  # fmt: skip
        dp = warps.multiply(
            warps.zeros(keys), warps.steps(self.e), held(do),
            lambda n, step: warps.along(at_v, self.e, n, step),
        )  # fmt: skip

        def slope(u: int, n: int, e: int) -> UOp:
            i = i0 + warps.row(u, e)
            top, (_, inverse, delta) = self.top_of(b, h, i), self.kept_of(b, h, i.minimum(self.n - 1))
            value = self.scores.value(s[u][n][e] * factor, b, h, i, first, warps.column(n, e), top)
            p = value.exp2() * finite(inverse)
            return self.is_broken(b, h, i).where(p.ne(0.0).where(1.0, 0.0), p * (dp[u][n][e] - finite(delta)))

        return warps.tiles(keys, slope)


class Keys(Backward):
    """The pass that owns keys. A group owns a block of keys of one key head, and walks over its query heads."""

    def build(self) -> UOp:
        """The whole kernel."""
        body, warps, layout = self.body, self.warps, self.layout
        dk, dv = self.outputs
        at_q, at_do = warps.block(layout.rows, self.d), warps.block(layout.rows, self.e)
        is_kept = self.d + self.e <= RESIDENT
        kept = None if is_kept else [warps.block(layout.keys, width) for width in (self.d, self.e)]
        exchanged = [None if self.fragment.chain else warps.block(layout.keys, layout.rows) for _ in range(2)]
        self.stats = [warps.line(layout.rows) for _ in range(3)]
        sum_k, sum_v = warps.sums(self.d), warps.sums(self.e)
        block, g, b = body.groups(ceildiv(self.m, layout.keys), self.g_size, self.b_size)
        first = block * layout.keys
        body.together([*warps.writes(sum_k, warps.zeros(self.d)), *warps.writes(sum_v, warps.zeros(self.e))])
        key = self.keys_from(b, g, first)
        own = [warps.rows_of(x, key) for x in (self.k, self.v)] if is_kept else None
        start = self.scores.moves(b, g, first)
        if kept is not None:
            start += [*warps.moves(kept[0], self.k, key), *warps.moves(kept[1], self.v, key)]
        if start:
            warps.copy(start)

        def factor(which: int, width: int) -> Callable[[int, int], UOp]:
            if own is not None:
                return held(own[which])
            assert kept is not None
            return lambda u, step: warps.stored_rows(kept[which], width, u, step)

        with body.loop(self.heads) as head:
            h = g * self.heads + head
            self.scores.place = (b, h, first)
            self.scores.load_table(h)

            def writes(step: UOp, h: UOp = h) -> list[Write]:
                i0 = step * layout.rows
                row = self.rows_from(b, h, i0)
                factors = [*warps.moves(at_q, self.q, row), *warps.moves(at_do, self.do, row)]
                return [*factors, *self.numbers(b, h, i0)]

            with warps.fed(writes, self.scores.row_blocks(first)) as step:
                i0 = step * layout.rows
                s = warps.multiply(
                    warps.zeros(layout.rows), warps.steps(self.d), factor(0, self.d),
                    lambda n, step: warps.along(at_q, self.d, n, step),
                )  # fmt: skip
                dp = warps.multiply(
                    warps.zeros(layout.rows), warps.steps(self.e), factor(1, self.e),
                    lambda n, step: warps.along(at_do, self.e, n, step),
                )  # fmt: skip
                p, ds = self.weigh(s, dp, b, h, i0, first)
                of_p, of_ds = warps.exchange((exchanged[0], p), (exchanged[1], ds))
                depth = warps.steps(layout.rows)
                tiles_v = warps.multiply(
                    warps.read(sum_v, self.e), depth, held(of_p),
                    lambda n, step: warps.across(at_do, self.e, n, step),
                )  # fmt: skip
                tiles_k = warps.multiply(
                    warps.read(sum_k, self.d), depth, held(of_ds),
                    lambda n, step: warps.across(at_q, self.d, n, step),
                )  # fmt: skip
                body.together([*warps.writes(sum_k, tiles_k), *warps.writes(sum_v, tiles_v)])
            body.barrier()  # else tinygrad adds one, and then takes statements after this loop for statements inside
        scaled = [[[x * self.score.scale for x in t] for t in tiles] for tiles in warps.read(sum_k, self.d)]
        warps.put(dv, (b, g), warps.read(sum_v, self.e), lambda j: first + j, self.m)
        warps.put(dk, (b, g), scaled, lambda j: first + j, self.m)
        return body.finish()

    def numbers(self, b: UOp, h: UOp, i0: UOp) -> list[Write]:
        """The writes of top, inverse and delta of a block of rows; rows that pad it have no probabilities."""
        rows, threads = self.layout.rows, self.layout.threads
        writes: list[Write] = []
        for turn in range(ceildiv(rows, threads)):
            i = (self.warps.thread + turn * threads).minimum(rows - 1)
            top, (_, inverse, delta) = self.top_of(b, h, i0 + i), self.kept_of(b, h, (i0 + i).minimum(self.n - 1))
            values = ((i0 + i < self.n).where(top, NEVER), finite(inverse), finite(delta))
            writes += [(line, (i,), value) for line, value in zip(self.stats, values, strict=True)]
        return writes

    def weigh(
        self, s: list[list[Tile]], dp: list[list[Tile]], b: UOp, h: UOp, i0: UOp, first: UOp
    ) -> tuple[list[list[Tile]], list[list[Tile]]]:
        """p and ds of one block of transposed scores."""
        warps, rows, factor = self.warps, self.layout.rows, self.score.scale * LOG2E

        def probability(u: int, n: int, e: int) -> UOp:
            i, j = warps.column(n, e), warps.row(u, e)
            top, inverse = (self.body.read(line, i) for line in self.stats[:2])
            return self.scores.value(s[u][n][e] * factor, b, h, i0 + i, first, j, top).exp2() * inverse

        p = warps.tiles(rows, probability)
        ds = warps.tiles(
            rows, lambda u, n, e: p[u][n][e] * (dp[u][n][e] - self.body.read(self.stats[2], warps.column(n, e)))
        )
        return p, ds
