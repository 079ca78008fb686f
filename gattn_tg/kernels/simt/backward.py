"""Flash attention backward by groups of GPU threads: two passes, nothing of size n*m stored, no atomics.

    s = q k^T + bias      p = 2^(s - top) / total       dp = do v^T      ds = p (dp - delta)

with top and 1 / total of the forward pass and delta = rowsum(do o) - dlse. A group of the first pass (`rows.py`)
owns rows of queries, and sums dq += ds k and the sums of ds per class of key that the table's gradient is made of. A
group of the second pass (`keys.py`) owns keys, and sums dv += p^T do and dk += ds^T q over all query heads that
read them. Every sum has one owner and a fixed order; s and dp are computed twice for it. Here: what both passes share.

Source: Dao 2023, FlashAttention-2, algorithm 2.
"""

from __future__ import annotations

from collections.abc import Callable

from tinygrad import UOp, dtypes

from gattn_tg.kernels.simt.group import Group, Layout, by_column, by_row, turned
from gattn_tg.kernels.tiles.body import Body, element
from gattn_tg.kernels.tiles.group_score import GroupScore
from gattn_tg.kernels.tiles.operands import BackwardOperands
from gattn_tg.kernels.tiles.rotation import Rotation
from gattn_tg.kernels.tiles.score import LOG2E, NEVER, Score, broken_top
from gattn_tg.kernels.tiles.tile import ceildiv, finite


def tiles(layout: Layout) -> int:
    """Words of registers of one thread for s and dp."""
    return 2 * (layout.rows // layout.down) * (layout.keys // layout.across)


class Backward:
    """What both passes share: p and ds of one tile."""

    def __init__(self, score: Score, rotation: Rotation, layout: Layout, given: BackwardOperands) -> None:
        self.outputs, self.q, self.k, self.v, self.do = given.outputs, given.q, given.k, given.v, given.do
        self.b_size, self.h_size, self.g_size, self.n, self.m, self.d, self.e = given.sizes
        self.score, self.rotation, self.layout = score, rotation, layout
        self.heads = self.h_size // self.g_size
        side = type(self).__name__.lower()
        self.body = body = Body(
            f"flash_bwd_{side}_d{self.d}_e{self.e}_{layout.name}_{self.q.dtype.name}_{score.name}{rotation.name}"
        )
        self.angles = given.angles
        self.group = group = Group(body, layout)
        self.scores = GroupScore(group, score, given.of_score, self.n, self.m)
        rows, keys = layout.rows, layout.keys
        self.at_q, self.at_do = group.block(rows, self.d), group.block(rows, self.e)
        self.kt, self.vt = (group.block(layout.padded(width), keys) for width in (self.d, self.e))
        self.at_ds = group.block(rows, keys)
        self.s, self.dp = group.tile(rows, keys), group.tile(rows, keys)
        self.b = UOp.const(0, dtypes.weakint)  # the batch row, once the grid is known
        stats = (given.top, given.inverse, given.delta)
        self.stats = [(x, body.array(rows // layout.down, 1)) for x in stats]

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
                x, self.d, self.rotation, lambda c: element(self.q, b, h, row, c).cast(dtypes.float32),
                cos=cos, sin=sin, b=b, row=row,
            )  # fmt: skip

        def gradient(i: UOp, x: UOp) -> UOp:
            return element(self.do, b, h, self.row(i0, i), x.minimum(self.e - 1)).cast(dtypes.float32)

        self.group.fill(self.at_q, self.layout.rows, self.d, channel)
        self.group.fill(self.at_do, self.layout.rows, self.e, gradient)
        for place, (given, kept) in enumerate(self.stats):
            with body.loop(kept.shape[0]) as i:
                at = self.group.row(i)
                value = element(given, b, h, self.row(i0, at))
                if place == 0:
                    # nan makes the probabilities nan of what a broken row sees; rows that pad have no probabilities
                    inverse, delta = (element(other, b, h, self.row(i0, at)) for other, _ in self.stats[1:])
                    of_q = self.scores.broken_row(b, h, self.row(i0, at))
                    value = broken_top(value, inverse, delta + of_q)
                    body.write(kept, (i, 0), (i0 + at < self.n).where(value, NEVER))
                else:
                    body.write(kept, (i, 0), finite(value))

    def lay_out_keys(self, h: UOp, first: UOp, k: UOp | None = None) -> None:
        """k by channel, in units of the score, v by channel; k also by key where that is wanted."""
        b, g = self.b, h // self.heads
        cos, sin = self.angles.get("cos_k"), self.angles.get("sin_k")
        factor = self.score.scale * LOG2E

        def channel(j: UOp, x: UOp) -> UOp:
            key = self.key(first, j)
            return turned(
                x, self.d, self.rotation, lambda c: element(self.k, b, g, key, c).cast(dtypes.float32) * factor,
                cos=cos, sin=sin, b=b, row=key,
            )  # fmt: skip

        def value(j: UOp, x: UOp) -> UOp:
            return element(self.v, b, g, self.key(first, j), x.minimum(self.e - 1)).cast(dtypes.float32)

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
            of_row = body.read(top, i, 0)
            value = self.scores.value(body.read(s, i, j), self.b, h, i0 + row, first, column, of_row)
            body.write(s, (i, j), group.exp2(value) * body.read(inverse, i, 0))
        with group.each(s) as (i, j, _, _):
            body.write(dp, (i, j), body.read(s, i, j) * (body.read(dp, i, j) - body.read(delta, i, 0)))
        group.put(self.at_ds, dp)

    def write_back(
        self, out: UOp, block: UOp, tile: UOp, h: UOp, place: Callable[[UOp], UOp], inside: Callable[[UOp], UOp], *,
        rows: int, factor: float, side: str, is_turned: bool = False,
    ) -> None:  # fmt: skip
        """out = tile * factor, turned back; through shared memory, because partners belong to different threads."""
        body, group, threads = self.body, self.group, self.layout.threads
        cos, sin = self.angles.get(f"cos_{side}"), self.angles.get(f"sin_{side}")
        group.put(block, tile, is_turned)
        group.barrier()
        number = by_column(body, block) if is_turned else by_row(body, block)
        width = out.shape[3]
        with body.loop(ceildiv(rows * width, threads)) as turn:
            at = turn * threads + group.thread
            i = (at // width).minimum(rows - 1)
            x = at % width
            value = turned(
                x, width, self.rotation, lambda c: number(c, i) * factor,
                cos=cos, sin=sin, b=self.b, row=place(i), back=True,
            )  # fmt: skip
            when = (at < rows * width) & inside(i)
            body.write(out, (self.b, h, place(i), x), value.cast(out.dtype), when=when)
