"""The sums that a table's gradient is made of, where warps own rows of queries: no atomics, one fixed order.

    sums[i, c] = sum over j of ds[i, j] where the class of (i, j) is c

Where the key alone decides the class this is one more product, ds times the one-hot classes of the keys; `ordered`
takes two, of the scores on either side. For the others every lane adds its own elements, class by class, and the lanes
of a row add up at the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from tinygrad import UOp, dtypes

from gattn_tg.kernels.mma.fragment import Fragment
from gattn_tg.kernels.mma.layout import Tile, Write, stride
from gattn_tg.kernels.mma.score import WarpScore
from gattn_tg.kernels.mma.warps import Warps, held
from gattn_tg.kernels.tiles.score import Score
from gattn_tg.kernels.tiles.tile import ceildiv


def padded_classes(score: Score, fragment: Fragment) -> int:
    """Columns of the product that sums by class."""
    return ceildiv(score.classes, fragment.columns) * fragment.columns


def registers(score: Score, fragment: Fragment, up: int) -> int:
    """Words of one thread that hold sums."""
    if not score.kind.is_by_row:
        return 0  # memory of a thread that is indexed by values does not lie in registers
    return up * score.kind.sides * padded_classes(score, fragment) // fragment.columns * fragment.elements[2]


class TableSums:
    """Statements that collect those sums inside one kernel.

    Args:
        warps: the threads.
        scores: the score function.
    """

    def __init__(self, warps: Warps, scores: WarpScore) -> None:
        self.warps, self.scores, self.body, self.kind = warps, scores, warps.body, scores.score.kind
        self.classes, self.width = scores.score.classes, padded_classes(scores.score, warps.fragment)
        self.by_key = self.kind.is_by_row
        size = self.kind.sides * self.width
        self.sums = warps.sums(size) if self.by_key else self.body.array(warps.slots * self.classes)
        self.blocks: list[UOp | None] = [None] * self.kind.sides
        if self.kind.is_ordered and warps.fragment.chain is None:
            self.blocks = [warps.block(warps.layout.rows, warps.layout.keys) for _ in self.blocks]

    def clear(self) -> list[Write]:
        """The writes that empty the sums."""
        if self.by_key:
            return self.warps.writes(self.sums, self.warps.zeros(self.width * len(self.blocks)))
        return [(self.sums, (x,), 0.0) for x in range(self.warps.slots * self.classes)]

    def add(self, ds: list[list[Tile]], factors: list[list[UOp]], b: UOp, i0: UOp, first: UOp) -> None:
        """Add the gradients of one block of scores; factors are the same numbers as fragments."""
        if self.by_key:
            self._multiply(self._sides(ds, b, i0, first) if self.kind.is_ordered else [factors])
            return
        warps = self.warps
        for u, tiles in enumerate(ds):
            for n, tile in enumerate(tiles):
                for e, value in enumerate(tile):
                    i, j = i0 + warps.row(u, e), warps.column(n, e)
                    at = self.scores.class_of(b, i, first, j).cast(dtypes.weakint) + warps.slot(u, e) * self.classes
                    self.body.write(self.sums, (at,), self.body.read(self.sums, at) + value)

    def _sides(self, ds: list[list[Tile]], b: UOp, i0: UOp, first: UOp) -> list[list[list[UOp]]]:
        """Fragments of those elements whose row comes first, and of the others."""
        warps = self.warps

        def side(is_forth: bool) -> list[list[Tile]]:
            return [
                [
                    [
                        self.scores.is_forth(b, i0 + warps.row(u, e), first, warps.column(n, e)).where(
                            *((x, 0.0) if is_forth else (0.0, x))
                        )
                        for e, x in enumerate(tile)
                    ]
                    for n, tile in enumerate(tiles)
                ]
                for u, tiles in enumerate(ds)
            ]

        return warps.exchange((self.blocks[0], side(True)), (self.blocks[1], side(False)))

    def _multiply(self, sides: list[list[list[UOp]]]) -> None:
        warps, fragment = self.warps, self.warps.fragment
        width = self.width * len(sides)
        kept = warps.read(self.sums, width)

        def one_hot(tile: int, step: int) -> UOp:
            places = [fragment.b(warps.lane, i) for i in range(fragment.elements[1])]
            return UOp.stack(*[
                self.scores.lane("ids_k", k + step * fragment.depth)
                .eq((column + tile * fragment.columns).cast(dtypes.int)).where(1.0, 0.0).cast(warps.dtype)
                for k, column in places
            ])  # fmt: skip

        tiles: list[list[Tile]] = [[] for _ in kept]
        per_side = self.width // fragment.columns
        for side, factors in enumerate(sides):
            part = [by_u[side * per_side : (side + 1) * per_side] for by_u in kept]
            part = warps.multiply(
                part,
                warps.steps(warps.layout.keys),
                held(factors),
                one_hot,
            )
            for of_u, more in zip(tiles, part, strict=True):
                of_u.extend(more)
        self.body.together(warps.writes(self.sums, tiles))

    def write(self, out: UOp, b: UOp, h: UOp, i0: UOp, n: int, is_broken: Callable[[UOp], UOp]) -> None:
        """The sums go to out[b, h, row, column]; in broken rows, which have counted, nan for all but 0."""

        def of(i: UOp, value: UOp) -> UOp:
            return is_broken(i).where(value.ne(0.0).where(math.nan, 0.0), value)

        if not self.by_key:
            self._write_folded(out, b, h, i0, n, of)
            return
        warps, fragment = self.warps, self.warps.fragment
        per_side = self.width // fragment.columns
        for u, tiles in enumerate(warps.read(self.sums, self.width * len(self.blocks))):
            for t, tile in enumerate(tiles):
                for e, value in enumerate(tile):
                    i, c = i0 + warps.row(u, e), warps.column(t % per_side, e)
                    row = i.minimum(n - 1)
                    at = (b, h, row, c.minimum(self.classes - 1) + t // per_side * self.classes)
                    kept = self.kind.kept(self.scores, b, row, c, of(i, value))
                    self.body.write(out, at, kept, when=(i < n) & (c < self.classes))

    def _write_folded(
        self, out: UOp, b: UOp, h: UOp, i0: UOp, n: int, of: Callable[[UOp, UOp], UOp]
    ) -> None:
        warps, body = self.warps, self.body
        assert self.scores.score.columns == self.classes
        with body.loop(self.classes) as c:
            values = [body.read(self.sums, c + slot * self.classes) for slot in range(warps.slots)]
            folded = warps.fold(values, UOp.__add__)
            for u, e in warps.one_each():
                i = i0 + warps.row(u, e)
                when = (i < n) & warps.share.eq(0)
                body.write(out, (b, h, i.minimum(n - 1), c), of(i, folded[warps.slot(u, e)]), when=when)
            body.barrier()


def shared_elements(score: Score, fragment: Fragment, rows: int, keys: int) -> int:
    """Factors in shared memory that the sums take."""
    return 2 * rows * stride(keys) if score.kind.is_ordered and fragment.chain is None else 0
