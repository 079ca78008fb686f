"""Products by distance, as part of the attention kernels: what a query and the key of a distance give to a score.

    s[i, j] += <a[i], r[j - i + n - 1]>         da[i] = sum_j ds[i, j] r[j - i + n - 1]
                                                dr[x] = sum of ds[i, j] a[i] over j - i + n - 1 = x

A block of rows and a block of keys meet at `rows + LANES - 1` distances, a band of the relative keys. These come by
channel, so that row i finds those of all keys as LANES lanes in a row, which begin one lane earlier for every row:
lane t = j - i + rows - 1. Before and behind the n + m - 1 distances there are lanes for rows and keys that are padding.
Backward, ds is kept by (i, t) as well, with zeros around it, and both sums are plain products of that panel, over t and
over i.

A relative key that holds a NaN or an infinity makes the scores NaN that it is part of; a relative query, its row.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from tinygrad import UOp, dtypes

from gattn_tg.kernels.loops.broken import BrokenKeys
from gattn_tg.kernels.tiles.body import Body, element
from gattn_tg.kernels.tiles.score import LOG2E
from gattn_tg.kernels.tiles.tile import (
    FOLD,
    LANES,
    LARGEST,
    ROWS,
    Panel,
    View,
    ceildiv,
    finite,
    is_nan,
    lane_groups,
    padded,
    product,
    registers,
    saturate,
    tree,
)

BEHIND = 2 * LANES  # lanes of padding behind the relative keys; before them are as many as a block has rows, or more
STEPS = (16, 8, ROWS)  # rows whose slopes are added to the gradients of distances at a time: few of them are far apart


def band_lanes(rows: int) -> int:
    """Lanes of a band, in whole blocks."""
    return ceildiv(rows + LANES - 1, LANES) * LANES


def band_sizes(rows: int, c: int) -> dict[str, int]:
    """The panels of products by distance of width c; none where there are none."""
    # channels begin an odd number of cache lines apart, so that those of one lane do not share a set of the cache
    return {"of_q": rows * padded(c), "band": (c + 1) * (band_lanes(rows) + FOLD)} if c else {}


def slope_sizes(rows: int, c: int) -> dict[str, int]:
    """The panels that their gradients need besides."""
    wide = band_lanes(rows)
    return {"far": wide * padded(c), "skew": rows * wide, "marks": wide} if c else {}


class Distances:
    """Statements for products by distance inside one kernel.

    Args:
        body: the kernel under construction.
        factors: a (b, h, n, c) and r (h, c, lanes); the last of n + m - 1 distances stands BEHIND lanes before the end.
        m: keys.
        rows: of a block.
        broken: what finds broken numbers.
    """

    def __init__(self, body: Body, factors: tuple[UOp, UOp], m: int, rows: int, broken: BrokenKeys) -> None:
        self.body, self.m, self.rows, self.broken = body, m, rows, broken
        self.of_q, self.of_k = factors
        self.n, self.c = self.of_q.shape[2:]
        self.before = self.of_k.shape[2] - BEHIND - (self.n + m - 1)
        self.width, self.stride = padded(self.c), band_lanes(rows) + FOLD

    def take_panels(self, panels: list[Panel]) -> None:
        """Names the scratch memory of one part."""
        self.at_q, self.band = panels

    def clear(self) -> None:
        """The lanes that pad the panels."""
        if self.width > self.c:
            self.at_q.fill(self.rows * self.width, 0.0)

    def broken_row(self, b: UOp, h: UOp, row: UOp, x: UOp) -> UOp:
        """Lane x of FOLD of what is nan where a row of queries is broken, else 0."""
        numbers = [element(self.of_q, b, h, row, (x + c).minimum(self.c - 1)) for c in range(0, self.c, FOLD)]
        return tree([self.broken.times_zero(y) for y in numbers], UOp.__add__)

    def lay_out_rows(self, b: UOp, h: UOp, row: Callable[[UOp], UOp]) -> None:
        """The rows of queries, in units of the score."""
        with self.body.loops(self.rows, self.c) as (i, x):
            value = element(self.of_q, b, h, row(i), x).cast(dtypes.float32) * LOG2E
            self.at_q.write(i * self.width + x, saturate(value, LARGEST))

    def lay_out_band(self, h: UOp, i0: UOp, first: UOp) -> None:
        """The relative keys between rows i0.. and keys first.., by channel, and nan for the broken ones, else 0."""
        body, band, stride, c = self.body, self.band, self.stride, self.c
        begin = first + (self.before + self.n - self.rows) - i0
        with body.loops(c, band_lanes(self.rows)) as (x, t):
            band.write(x * stride + t, element(self.of_k, h, x, begin + t).cast(dtypes.float32))
        with body.loop(stride) as t:
            band.write(c * stride + t, 0.0)
        with body.loops(c, band_lanes(self.rows)) as (x, t):
            band.write(c * stride + t, band.read(c * stride + t) + self.broken.times_zero(band.read(x * stride + t)))

    def lane(self, i: UOp, j: UOp) -> UOp:
        """Where row i of the block meets key j."""
        return j + (self.rows - 1 - i)

    def mark(self, i: UOp, j: UOp) -> UOp:
        """nan where the relative key between row i of the block and key j is broken, else 0."""
        return self.band.read(self.lane(i, j) + self.c * self.stride)

    def add(self, tile: UOp, r: UOp, row: UOp | int = 0) -> None:
        """tile[row + i, j] += <query of row r + i, key of its distance to j>, in pieces that fit the registers."""
        body, (most_rows, most_lanes) = self.body, registers()
        for top in range(0, ROWS, most_rows):
            for left in range(0, LANES, most_lanes):
                with body.loops(self.c, most_rows, most_lanes) as (x, i, j):
                    at = (row + (top + i), left + j)
                    given = self.at_q.read((r + top + i) * self.width + x)
                    met = self.band.read(x * self.stride + self.lane(r + top + i, left + j))
                    body.write(tile, at, body.read(tile, *at) + given * met)


class DistanceGradients(Distances):
    """The same in a backward kernel, where the gradients of both factors are summed.

    Args:
        body, factors, m, rows, broken: as in `Distances`.
        da: (parts, b, h, padded rows, padded c), one partial sum per part of the keys.
        dr: (b, h, parts, padded rows + padded keys, padded c + FOLD), one per batch row and part of the keys; distances
            begin at 1 - padded rows, and the column behind the channels is nan where a broken row was added.
    """

    def __init__(
        self, body: Body, factors: tuple[UOp, UOp], m: int, rows: int, broken: BrokenKeys, da: UOp, dr: UOp
    ) -> None:
        super().__init__(body, factors, m, rows, broken)
        self.da, self.dr = da, dr
        self.wide, self.step = band_lanes(rows), next(x for x in STEPS if rows % x == 0)
        self.tile = body.array(ROWS, LANES)

    def take_panels(self, panels: list[Panel]) -> None:
        """Names the scratch memory of one part."""
        self.at_q, self.band, self.far, self.skew, self.marks = panels

    def start(self, b: UOp, h: UOp, part: UOp) -> None:
        """Empty the sums of a unit for one head."""
        with self.body.loops(*self.da.shape[3:]) as (i, x):
            self.body.write(self.da, (part, b, h, i, x), 0.0)
        with self.body.loops(*self.dr.shape[3:]) as (t, x):
            self.body.write(self.dr, (b, h, part, t, x), 0.0)

    def clear(self) -> None:
        """The lanes that pad the panels, and the zeros around slopes."""
        super().clear()
        self.skew.fill(self.rows * self.wide, 0.0)
        if self.width > self.c:
            self.far.fill(self.wide * self.width, 0.0)

    def lay_out_band(self, h: UOp, i0: UOp, first: UOp) -> None:
        """The relative keys by channel, and by distance without broken numbers."""
        super().lay_out_band(h, i0, first)
        with self.body.loops(self.wide, self.c) as (t, x):
            self.far.write(t * self.width + x, finite(self.band.read(x * self.stride + t)))

    def keep(self, i: UOp, j: UOp, slope: UOp) -> None:
        """The slope of row i of the chunk and key j, 0 for padding."""
        self.skew.write(i * self.wide + self.lane(i, j), slope)

    def finish_chunk(self, b: UOp, h: UOp, part: UOp, i0: UOp, first: UOp) -> None:
        """Adds the slopes of a chunk of rows and a block of keys to both gradients."""
        with self.body.loop(self.rows // ROWS) as block:
            self._add_to_rows(b, h, part, i0, block * ROWS)
        # where the band begins among all distances
        start = first + (self.dr.shape[3] - ceildiv(self.m, LANES) * LANES) - i0 - self.rows
        with self.body.loop(self.rows // self.step) as piece:
            r = piece * self.step
            with self.body.loop(ceildiv(self.step + LANES - 1, ROWS)) as block:
                self._add_to_distances((b, h, part), start, r, block * ROWS)
        self.marks.fill(self.wide, 0.0)
        with self.body.loops(self.rows, self.wide) as (i, t):
            self.marks.write(t, self.marks.read(t) + self.skew.read(i * self.wide + t))
        with self.body.loop(self.wide) as t:
            at = (b, h, part, start + t, self.width)
            self.body.write(self.dr, at, self.body.read(self.dr, *at) + self.marks.read(t))

    def _slope(self, i: UOp, t: UOp) -> UOp:
        """The slope of row i of the chunk at lane t, 0 where it meets no key of the block."""
        return self.skew.read(i * self.wide + t)

    def _add_to_rows(self, b: UOp, h: UOp, part: UOp, i0: UOp, r: UOp) -> None:
        """da of ROWS rows: they meet LANES + ROWS - 1 distances, from those of the last row on."""
        body, tile, t = self.body, self.tile, self.rows - ROWS - r
        at = (part, b, h)
        for start, size in lane_groups(self.c):
            with body.loops(ROWS, size) as (i, x):
                body.write(tile, (i, x), body.read(self.da, *at, i0 + r + i, start + x))
            lanes = View(lambda x, y: self.far.read((t + x) * self.width + y)).lanes(self.width, start)
            product(body, tile, LANES + ROWS - 1, lambda i, x: self._slope(r + i, t + x), lanes, size)
            with body.loops(ROWS, size) as (i, x):
                body.write(self.da, (*at, i0 + r + i, start + x), body.read(tile, i, x))

    def _add_to_distances(self, place: tuple[UOp, ...], begin: UOp, r: UOp, ahead: UOp) -> None:
        """dr of ROWS distances from `ahead` on after the first one that the rows r..r + step - 1 meet."""
        body, tile, t = self.body, self.tile, self.rows - self.step - r + ahead
        for start, size in lane_groups(self.c):
            with body.loops(ROWS, size) as (i, x):
                body.write(tile, (i, x), body.read(self.dr, *place, begin + t + i, start + x))
            lanes = View(lambda x, y: self.at_q.read((r + x) * self.width + y)).lanes(self.width, start)
            product(body, tile, self.step, lambda i, x: self._slope(r + x, t + i), lanes, size)
            with body.loops(ROWS, size) as (i, x):
                body.write(self.dr, (*place, begin + t + i, start + x), body.read(tile, i, x))

    def finish(self, b: UOp, h: UOp, part: UOp, is_broken: Callable[[UOp], UOp]) -> None:
        """Both sums of a unit for one head, in units of scores; nan only where a broken row is part of them."""
        body = self.body
        with body.loops(self.da.shape[3], self.c) as (i, x):
            value = saturate(body.read(self.da, part, b, h, i, x), LARGEST)
            value = is_broken(i.minimum(self.n - 1)).where(math.nan, value)
            body.write(self.da, (part, b, h, i, x), value)
        with body.loops(self.dr.shape[3], self.c) as (t, x):
            value = saturate(body.read(self.dr, b, h, part, t, x), LARGEST) * (1 / LOG2E)
            is_nan_here = is_nan(body.read(self.dr, b, h, part, t, self.width))
            body.write(self.dr, (b, h, part, t, x), is_nan_here.where(math.nan, value))
