"""Sizes of the backward kernels: rows of a chunk, scratch memory, and the shapes of what they fill."""

from __future__ import annotations

from dataclasses import dataclass

from gattn_tg.kernels.loops.distances import band_sizes, slope_sizes
from gattn_tg.kernels.loops.units import key_parts, runs
from gattn_tg.kernels.tiles.score import Score
from gattn_tg.kernels.tiles.tile import FOLD, LANES, ROWS, Arena, ceildiv, padded
from gattn_tg.machine.sizes import chunk_rows

PAIRED_ROWS = 16  # rows of pairs come in whole registers of 16, and many of them in twos


@dataclass(frozen=True)
class BackwardSizes:
    """One problem: batch rows, query heads, key heads, queries, keys, and the widths of q and v.

    Args:
        is_paired: products are of pairs of bfloat16.
        c: width of products by distance, 0 for none.
    """

    b: int
    h: int
    g: int
    n: int
    m: int
    d: int
    e: int
    is_paired: bool = False
    c: int = 0

    @property
    def rows(self) -> int:
        """Rows of a chunk."""
        step = PAIRED_ROWS if self.is_paired else ROWS
        most = ceildiv(chunk_rows(self.d), 2 * step) * 2 * step if self.is_paired else chunk_rows(self.d)
        return min(most, ceildiv(self.n, step) * step)

    @property
    def arena(self) -> Arena:
        """The scratch memory of one part."""
        d, e, rows, wd, we = self.d, self.e, self.rows, padded(self.d), padded(self.e)
        sums = {"dk": LANES * wd, "dv": LANES * we, "p": rows * LANES, "ds": rows * LANES}
        if not self.is_paired:
            sums |= band_sizes(rows, self.c) | slope_sizes(rows, self.c)
            return Arena(kt=d * LANES, vt=e * LANES, k=LANES * wd, q=rows * wd, do=rows * we, **sums)
        # pairs in words of 32 bits; `wide` holds rows on their way from float32 to bfloat16
        return Arena(
            kt=d // 2 * LANES, vt=e // 2 * LANES, k=LANES // 2 * wd, q=rows // 2 * wd, do=rows // 2 * we, **sums,
            wide=max(rows, LANES) * max(d, e), q_rows=rows * d // 2, do_rows=rows * e // 2,
            k_rows=LANES * max(d, e) // 2, p_rows=rows * LANES // 2, ds_rows=rows * LANES // 2,
            turned=LANES * rows // 2,
        )  # fmt: skip

    @property
    def dq_shape(self) -> tuple[int, int, int, int, int]:
        """Partial sums of dq, (parts, b, h, rows, lanes): rows and lanes are padded."""
        shape = (self.b, self.h, self.padded_n, padded(self.d))
        size = shape[0] * shape[1] * (shape[2] * shape[3] + self.rows_of_distances * self.width_of_distances)
        return (key_parts(self.b * self.g, self.m, 4 * size), *shape)

    @property
    def padded_n(self) -> int:
        """Queries in whole chunks."""
        return ceildiv(self.n, self.rows) * self.rows

    @property
    def rows_of_distances(self) -> int:
        """Distances between padded queries and padded keys."""
        return self.padded_n + ceildiv(self.m, LANES) * LANES

    @property
    def width_of_distances(self) -> int:
        """Lanes of a distance, with the one that tells broken sums."""
        return padded(self.c) + FOLD if self.c else 0

    @property
    def distance_shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Partial sums of the gradients of both factors of products by distance."""
        parts = self.dq_shape[0]
        return ((parts, self.b, self.h, self.padded_n, padded(self.c)),
                (self.b, self.h, parts, self.rows_of_distances, self.width_of_distances))

    def dtable_shape(self, score: Score) -> tuple[int, int, int, int]:
        """Partial sums of the table gradient, (b, h, parts, entries); one number where there is no table."""
        return self.b, self.h, self.dq_shape[0], score.entries

    @property
    def scratch_shape(self) -> tuple[int, int]:
        """Shape of the scratch operand."""
        return runs(self.b * self.g * self.dq_shape[0]), self.arena.size
