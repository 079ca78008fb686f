"""Keys of a block that hold a NaN or an infinity in k or v: their scores become NaN for the rows that see them.

    lanes[j] = NaN where k[j] or v[j] holds one, else 0

All numbers of a block times 0 are added up in lanes: the sum is 0, or NaN where any of them is broken, and only then
keys are looked at one by one.
"""

from __future__ import annotations

from tinygrad import UOp, dtypes

from gattn_tg.kernels.tiles.body import Body
from gattn_tg.kernels.tiles.tile import LANES, tree


class BrokenKeys:
    """Statements that mark the broken keys of a block inside one kernel.

    Args:
        body: the kernel under construction.
        k, v: operands of the kernel.
    """

    def __init__(self, body: Body, k: UOp, v: UOp) -> None:
        self.body, self.given, self.m = body, (k, v), k.shape[2]
        self.sums, self.lanes, self.one, self.kept = (body.array(size) for size in (LANES, LANES, 1, 1))

    def start(self) -> None:
        """The 0 that numbers are multiplied with; tinygrad takes x times a constant 0 for 0."""
        self.body.write(self.kept, (0,), 0.0)

    def times_zero(self, x: UOp) -> UOp:
        """0 for a finite number, else NaN."""
        return x.cast(dtypes.float32) * self.body.read(self.kept, 0)

    def mark(self, b: UOp, g: UOp, first: UOp) -> None:
        """Mark the keys of the block that starts at key `first`."""
        body = self.body
        with body.loop(LANES) as j:
            body.write(self.sums, (j,), 0.0)
        for x in self.given:
            for start in range(0, x.shape[3], LANES):
                with body.loops(LANES, min(LANES, x.shape[3] - start)) as (j, c):
                    number = self.times_zero(x[b, g, (first + j).minimum(self.m - 1), start + c])
                    body.write(self.sums, (c,), body.read(self.sums, c) + number)
        with body.loop(LANES) as j:
            body.write(self.lanes, (j,), 0.0)
        body.write(self.one, (0,), tree([body.read(self.sums, x) for x in range(LANES)], UOp.__add__))
        some = body.read(self.one, 0).eq(0.0).where(1, LANES)
        with body.span(some * 0, some, LANES) as j:
            for x in self.given:
                with body.loop(x.shape[3]) as c:
                    number = self.times_zero(x[b, g, (first + j).minimum(self.m - 1), c])
                    body.write(self.lanes, (j,), body.read(self.lanes, j) + number)
