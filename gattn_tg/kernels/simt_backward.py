"""Flash attention backward by groups of GPU threads: two passes, nothing of size n*m stored, no atomics.

    s = q k^T + bias      p = 2^(s - top) / total       dp = do v^T      ds = p (dp - delta)

with top and 1 / total of the forward pass and delta = rowsum(do o) - dlse. A group of the first pass owns rows of
queries, and sums dq += ds k and the sums of ds per class of key that the table's gradient is made of. A group of the
second pass owns keys, and sums dv += p^T do and dk += ds^T q over all query heads that read them. Every sum has one
owner and a fixed order; s and dp are computed twice for it.

Source: Dao 2023, FlashAttention-2, algorithm 2.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager

from tinygrad import UOp, dtypes

from gattn_tg.kernels.body import Body
from gattn_tg.kernels.rotation import Rotation
from gattn_tg.kernels.score import LOG2E, NEVER, Score
from gattn_tg.kernels.simt import Group, Layout, by_column, by_row, turned
from gattn_tg.kernels.simt_score import GroupScore, table_columns, words
from gattn_tg.kernels.tile import ceildiv


def rows_bytes(layout: Layout, d: int, e: int, score: Score) -> int:
    """Shared memory of one group of the pass that owns queries."""
    wd, we, rows, keys = layout.padded(d), layout.padded(e), layout.rows, layout.keys
    own = rows * (wd + we + 2) + rows * (keys + 1) + (rows + 1) * (table_columns(score) + 1)
    return 4 * (own + keys * (wd + 1) + (wd * (keys + 1) if layout.threads == 1 else 0) + we * (keys + 1)
                + words(score, keys))  # fmt: skip


def keys_bytes(layout: Layout, d: int, e: int, score: Score) -> int:
    """Shared memory of one group of the pass that owns keys."""
    wd, we, rows, keys = layout.padded(d), layout.padded(e), layout.rows, layout.keys
    return 4 * ((wd + we) * (keys + 1) + rows * (wd + we + 2) + 2 * rows * (keys + 1) + words(score, keys))


def registers(layout: Layout, d: int, e: int) -> int:
    """Words of register tiles of one thread, of the pass that needs more."""
    tiles = 2 * (layout.rows // layout.down) * (layout.keys // layout.across)
    of_rows = layout.rows // layout.down * (layout.padded(d) // layout.across + 3)
    of_keys = layout.keys // layout.down * ((layout.padded(d) + layout.padded(e)) // layout.across)
    return tiles + max(of_rows, of_keys)


@functools.cache
def rows_kernel(score: Score, rotation: Rotation, layout: Layout) -> Callable[..., UOp]:
    """The kernel that owns queries.

    Its operands are dq, where there is a table also the sums per row, then q, k, v, do, top, inverse, delta, and those
    of the score and of the rotation.
    """
    outputs = 2 if table_columns(score) else 1

    @functools.cache
    def simt_backward_rows(*operands: UOp) -> UOp:
        return Rows(score, rotation, layout, operands[:outputs], *operands[outputs:]).build()

    return simt_backward_rows


@functools.cache
def keys_kernel(score: Score, rotation: Rotation, layout: Layout) -> Callable[..., UOp]:
    """The kernel that owns keys: dk, dv, q, k, v, do, top, inverse, delta, operands of score and rotation."""

    @functools.cache
    def simt_backward_keys(*operands: UOp) -> UOp:
        return Keys(score, rotation, layout, operands[:2], *operands[2:]).build()

    return simt_backward_keys


class Backward:
    """What both passes share: p and ds of one tile."""

    def __init__(
        self, score: Score, rotation: Rotation, layout: Layout, outputs: tuple[UOp, ...], q: UOp, k: UOp, v: UOp,
        do: UOp, top: UOp, inverse: UOp, delta: UOp, *tensors: UOp,
    ) -> None:  # fmt: skip
        self.outputs, self.q, self.k, self.v, self.do = outputs, q, k, v, do
        self.b_size, self.h_size, self.n, self.d = q.shape
        _, self.g_size, self.m, self.e = v.shape
        self.score, self.rotation, self.layout = score, rotation, layout
        self.heads = self.h_size // self.g_size
        side = type(self).__name__.lower()
        self.body = body = Body(
            f"flash_bwd_{side}_d{self.d}_e{self.e}_{layout.name}_{q.dtype.name}_{score.name}{rotation.name}"
        )
        self.angles = dict(zip(rotation.operands, tensors[len(score.operands) :], strict=True))
        self.group = group = Group(body, layout)
        self.scores = GroupScore(group, score, tensors[: len(score.operands)], self.n, self.m)
        rows, keys = layout.rows, layout.keys
        self.at_q, self.at_do = group.block(rows, self.d), group.block(rows, self.e)
        self.kt, self.vt = (body.shared(layout.padded(width), keys + 1) for width in (self.d, self.e))
        self.at_ds = body.shared(rows, keys + 1)
        self.s, self.dp = group.tile(rows, keys), group.tile(rows, keys)
        self.b = UOp.const(0, dtypes.weakint)  # the batch row, once the grid is known
        self.stats = [(given, body.array(rows // layout.down, 1)) for given in (top, inverse, delta)]

    def row(self, i0: UOp, i: UOp) -> UOp:
        """A row of q; rows that pad the last block repeat the last one."""
        return (i0 + i).minimum(self.n - 1)

    def key(self, first: UOp, j: UOp) -> UOp:
        """A key; keys that pad the last block repeat the last one."""
        return (first + j).minimum(self.m - 1)

    def lay_out_rows(self, h: UOp, i0: UOp) -> None:
        """q, do, and three numbers per row."""
        body, b = self.body, self.b
        cos, sin = self.angles.get("cos_q"), self.angles.get("sin_q")

        def channel(i: UOp, x: UOp) -> UOp:
            row = self.row(i0, i)
            return turned(
                x, self.d, self.rotation, lambda c: self.q[b, h, row, c].cast(dtypes.float32), cos, sin, b, row
            )

        def gradient(i: UOp, x: UOp) -> UOp:
            return self.do[b, h, self.row(i0, i), x.minimum(self.e - 1)].cast(dtypes.float32)

        self.group.fill(self.at_q, self.layout.rows, self.d, channel)
        self.group.fill(self.at_do, self.layout.rows, self.e, gradient)
        for place, (given, kept) in enumerate(self.stats):
            with body.loop(kept.shape[0]) as i:
                at = self.group.row(i)
                value = given[b, h, self.row(i0, at)]
                # rows that pad the block have no probabilities
                body.write(kept, (i, 0), (i0 + at < self.n).where(value, NEVER) if place == 0 else value)

    def lay_out_keys(self, h: UOp, first: UOp, k: UOp | None = None) -> None:
        """k by channel, in units of the score, v by channel; k also by key where that is wanted."""
        b, g = self.b, h // self.heads
        cos, sin = self.angles.get("cos_k"), self.angles.get("sin_k")
        factor = self.score.scale * LOG2E

        def channel(j: UOp, x: UOp) -> UOp:
            key = self.key(first, j)
            return turned(
                x, self.d, self.rotation, lambda c: self.k[b, g, key, c].cast(dtypes.float32) * factor, cos, sin, b, key
            )

        def value(j: UOp, x: UOp) -> UOp:
            return self.v[b, g, self.key(first, j), x.minimum(self.e - 1)].cast(dtypes.float32)

        keys = self.layout.keys
        if k is not None:
            self.group.fill(k, keys, self.d, channel)
        if k is None or self.layout.threads == 1:
            self.group.fill(self.kt, keys, self.d, channel, is_turned=True)
        self.group.fill(self.vt, keys, self.e, value, is_turned=True)

    def weigh(self, h: UOp, i0: UOp, first: UOp, k: UOp | None = None) -> None:
        """s becomes p, and dp becomes ds."""
        body, group, s, dp = self.body, self.group, self.s, self.dp
        top, inverse, delta = (kept for _, kept in self.stats)
        columns = by_column(body, self.kt) if k is None or self.layout.threads == 1 else by_row(body, k)
        group.clear(s)
        group.product(s, self.d, by_row(body, self.at_q), columns)
        group.clear(dp)
        group.product(dp, self.e, by_row(body, self.at_do), by_column(body, self.vt))
        with group.each(s) as (i, j, row, column):
            value = self.scores.value(body.read(s, i, j), self.b, h, i0 + row, first, column)
            body.write(s, (i, j), group.exp2(value - body.read(top, i, 0)) * body.read(inverse, i, 0))
        with group.each(s) as (i, j, _, _):
            body.write(dp, (i, j), body.read(s, i, j) * (body.read(dp, i, j) - body.read(delta, i, 0)))
        group.put(self.at_ds, dp)

    def write_back(
        self, out: UOp, block: UOp, tile: UOp, h: UOp, place: Callable[[UOp], UOp], inside: Callable[[UOp], UOp],
        rows: int, factor: float, side: str, is_turned: bool = False,
    ) -> None:  # fmt: skip
        """out = tile * factor, turned back; through shared memory, because partners belong to different threads."""
        body, group, threads = self.body, self.group, self.layout.threads
        cos, sin = self.angles.get(f"cos_{side}"), self.angles.get(f"sin_{side}")
        group.put(block, tile, is_turned)
        body.barrier()
        element = by_column(body, block) if is_turned else by_row(body, block)
        width = out.shape[3]
        with body.loop(ceildiv(rows * width, threads)) as turn:
            at = turn * threads + group.thread
            i = (at // width).minimum(rows - 1)
            x = at % width
            value = turned(x, width, self.rotation, lambda c: element(c, i) * factor, cos, sin, self.b, place(i), True)
            when = (at < rows * width) & inside(i)
            body.write(out, (self.b, h, place(i), x), value.cast(out.dtype), when=when)


class Rows(Backward):
    """The pass that owns queries. A group owns a block of rows of one head."""

    def build(self) -> UOp:
        """The whole kernel."""
        body, group, layout = self.body, self.group, self.layout
        dq, *sums = self.outputs
        at_k = group.block(layout.keys, self.d)
        tile = group.tile(layout.rows, self.d)
        classes = table_columns(self.score)
        by_class = body.shared(layout.rows + 1, classes + 1) if classes else None
        block, h, self.b = body.groups(ceildiv(self.n, layout.rows), self.h_size, self.b_size)
        i0 = block * layout.rows
        self.lay_out_rows(h, i0)
        self.scores.load_table(h)
        group.clear(tile)
        if by_class is not None:
            self.each_row(lambda i: self.empty(by_class, classes, i))
        with self.blocks(i0) as step:
            first = step * layout.keys
            self.lay_out_keys(h, first, at_k)
            self.scores.load(self.b, h, first)
            body.barrier()
            self.weigh(h, i0, first, at_k)
            body.barrier()
            group.product(tile, layout.keys, by_row(body, self.at_ds), by_column(body, at_k))
            if by_class is not None:
                self.each_row(lambda i: self.add(by_class, i0, first, i))
            body.barrier()
        if by_class is not None:
            self.each_row(lambda i: self.write_sums(sums[0], by_class, classes, h, i0, i))
        # the k that dq was summed from carries scale * log2 e, dq wants scale
        self.write_back(
            dq, self.at_q, tile, h, lambda i: self.row(i0, i), lambda i: i0 + i < self.n, layout.rows, 1 / LOG2E, "q"
        )
        return body.finish()

    def blocks(self, i0: UOp) -> AbstractContextManager[UOp]:
        """The blocks of keys that any of the rows sees."""
        keys = self.layout.keys
        size = ceildiv(self.m, keys)
        if self.score.reach == (None, None) and not self.score.has_lengths:
            return self.body.loop(size)
        start, stop = self.scores.seen_keys(self.b, i0, i0 + (self.layout.rows - 1))
        return self.body.span(start // keys, (stop + (keys - 1)) // keys, size)

    def each_row(self, do: Callable[[UOp], None]) -> None:
        """Rows of the block, one thread each. Threads without a row of their own share row `rows`, which nobody reads.

        A condition would not do: tinygrad 0.14 simplifies indices of conditional accesses, and with them the statements
        that an index read from memory depends on.
        """
        rows, threads = self.layout.rows, self.layout.threads
        with self.body.loop(ceildiv(rows, threads)) as turn:
            do((turn * threads + self.group.thread).minimum(rows))

    def empty(self, sums: UOp, classes: int, i: UOp) -> None:
        """No gradient yet."""
        with self.body.loop(classes) as c:
            self.body.write(sums, (i, c), 0.0)

    def add(self, sums: UOp, i0: UOp, first: UOp, i: UOp) -> None:
        """ds of one row, added by class of the key."""
        row = i.minimum(self.layout.rows - 1)
        with self.body.loop(self.layout.keys) as j:
            c, value = self.scores.column(self.body.read(self.at_ds, row, j), self.b, i0 + row, first, j)
            self.body.write(sums, (i, c), self.body.read(sums, i, c) + value)

    def write_sums(
        self, out: UOp, sums: UOp, classes: int, h: UOp, i0: UOp, i: UOp
    ) -> None:  # fmt: skip
        """The sums of one row go to memory."""
        inside = (i0 + i < self.n) & (i < self.layout.rows)
        with self.body.loop(classes) as c:
            self.body.write(out, (self.b, h, self.row(i0, i), c), self.body.read(sums, i, c), when=inside)


class Keys(Backward):
    """The pass that owns keys. A group owns a block of keys of one key head, and walks over its query heads."""

    def build(self) -> UOp:
        """The whole kernel."""
        body, group, layout = self.body, self.group, self.layout
        dk, dv = self.outputs
        at_p = body.shared(layout.rows, layout.keys + 1)
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
                body.barrier()
                self.weigh(h, i0, first)
                group.put(at_p, self.s)
                body.barrier()
                group.product(tile_v, layout.rows, by_column(body, at_p), by_column(body, self.at_do))
                group.product(tile_k, layout.rows, by_column(body, self.at_ds), by_column(body, self.at_q))
                body.barrier()

        def place(j: UOp) -> UOp:
            return self.key(first, j)

        with group.each(tile_v) as (i, x, row, column):
            value = body.read(tile_v, i, x).cast(dv.dtype)
            when = (first + row < self.m) & (column < self.e)
            body.write(dv, (self.b, g, place(row), column.minimum(self.e - 1)), value, when=when)
        self.write_back(
            dk, self.kt, tile_k, g, place, lambda j: first + j < self.m, layout.keys, self.score.scale, "k", True
        )
        return body.finish()

    def blocks(self, first: UOp) -> AbstractContextManager[UOp]:
        """The blocks of rows that see any key of the block."""
        rows = self.layout.rows
        size = ceildiv(self.n, rows)
        if self.score.reach == (None, None):
            return self.body.loop(size)
        start, stop = self.scores.seeing_rows(first)
        return self.body.span(start // rows, (stop + (rows - 1)) // rows, size)
