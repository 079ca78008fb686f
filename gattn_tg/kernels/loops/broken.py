"""Keys of a block that hold a NaN or an infinity in k or v: their scores become NaN for the rows that see them.

    lanes[j] = NaN where k[j] or v[j] holds one, else 0

The sum of all numbers of a block is finite unless one of them is broken (or their sum overflows); only where it is not
finite are numbers looked at one by one.
"""

from __future__ import annotations

import math

from tinygrad import UOp, dtypes

from gattn_tg.kernels.tiles.body import Body, element
from gattn_tg.kernels.tiles.tile import FOLD, LANES, is_finite, tree

QUAD = 4
AT_ONCE = 8  # keys that are added up before the sums in memory are


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

    def number(self, x: UOp, b: UOp, g: UOp, key: UOp, c: UOp) -> UOp:
        """A number of a key; keys that pad the last block repeat the last one."""
        return element(x, b, g, key.minimum(self.m - 1), c).cast(dtypes.float32)

    def clear(self) -> None:
        """Start the sums of a block."""
        with self.body.loop(LANES) as c:
            self.body.write(self.sums, (c,), 0.0)

    def add(self, x: UOp, b: UOp, g: UOp, first: UOp) -> None:
        """Add the numbers of a block of keys of k or v to the sums."""
        body = self.body
        for start in range(0, x.shape[3], LANES):
            with body.loops(LANES // AT_ONCE, min(LANES, x.shape[3] - start)) as (j, c):
                numbers = [self.number(x, b, g, first + j * AT_ONCE + i, start + c) for i in range(AT_ONCE)]
                body.write(self.sums, (c,), body.read(self.sums, c) + tree(numbers, UOp.__add__))

    def find(self, b: UOp, g: UOp, first: UOp) -> None:
        """Mark the broken keys of a block from its sums."""
        body, sums = self.body, self.sums
        with body.loop(LANES) as j:
            body.write(self.lanes, (j,), 0.0)
        for width in (FOLD, QUAD):  # every step is a few lanes wide: one chain of 64 additions takes longer
            with body.loop(width) as c:
                numbers = [body.read(sums, c + start) for start in range(0, LANES if width == FOLD else FOLD, width)]
                body.write(sums, (c,), tree(numbers, UOp.__add__))
        body.write(self.one, (0,), tree([body.read(sums, c) for c in range(QUAD)], UOp.__add__))
        size = LANES * max(x.shape[3] for x in self.given)
        some = is_finite(body.read(self.one, 0)).where(1, size)
        with body.span(some * 0, some, size) as turn:
            j, c = turn % LANES, turn // LANES
            of_k, of_v = (is_finite(self.number(x, b, g, first + j, c.minimum(x.shape[3] - 1))) for x in self.given)
            body.write(self.lanes, (j,), body.read(self.lanes, j) + (of_k & of_v).where(0.0, math.nan))

    def mark(self, b: UOp, g: UOp, first: UOp) -> None:
        """Mark the broken keys of the block that starts at key `first`."""
        self.clear()
        for x in self.given:
            self.add(x, b, g, first)
        self.find(b, g, first)
