"""Matrix product C = A B on the CPU: one kernel with its own packing, any sizes, float32 or pairs of bfloat16.

A unit of work owns some panels of B, `width` columns each: it lays a piece of them (`depth` rows) out contiguously in
scratch memory, then walks down A in tiles of `height` rows whose sums stay in registers:

    acc[i, j] = sum_k A[r + i, k] * B[k, n + j]        C[r + i, n + j] = f(acc[i, j] + bias[n + j]) + residual

Tiles at the lower and right edge move inwards and compute some elements twice, with the same bits, so no size needs
padding. Every element of C is one sum over k in order, however the units are dealt to cores.

Where the CPU has instructions for pairs of bfloat16 (`kernels/pairs`), pieces of A and B are words of two numbers along
k, and a tile is one statement over them; all else is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tinygrad import UOp, dtypes

from gattn_tg.kernels.pairs import unit as pair_unit
from gattn_tg.kernels.pairs.unit import Place
from gattn_tg.kernels.tiles.body import Body
from gattn_tg.kernels.tiles.epilogue import Epilogue
from gattn_tg.kernels.tiles.tile import ceildiv
from gattn_tg.machine import threads, toolchain
from gattn_tg.machine.sizes import gemm_tile

LEAST_LANES, LANE_STEP = 32, 16  # shorter inner loops are unrolled before clang's vectoriser sees them
PAIRED_WHOLE = 1024  # words
WHOLE = {"mk": 1024, "km": 512}  # sums up to this long are done at once, longer ones in pieces of about half of it
CACHED = 512 * 1024  # bytes of B that a unit lays out: they stay in the second-level cache
LAID_OUT = 1024 * 1024  # bytes of A that a unit lays out
WIDE = 3  # rows of A cost this many times more to lay out than columns of B: below it rows are dealt to cores
LINE = 16  # float32 in a cache line
QUAD = 4  # float32 that one instruction moves on every machine

@dataclass(frozen=True)
class Gemm:
    """One product, as far as the kernel depends on it.

    Args:
        m: Rows of A and C.
        n: Columns of B and C.
        k: Columns of A, rows of B.
        rows: How A comes: "mk" as (m, k) and is read where it is, "km" as (k, m) and is laid out by every unit.
        lanes: How B comes: "kn" as (k, n), "nk" as (n, k).
        transposed: C is stored as (n, m).
        bias: A vector of n is added to every row.
        activation: one of `ACTIVATIONS`, or None; with one, the sum before it is a second output.
        residual: An (m, n) matrix is added at the end.
        parts: Runs of units that may go to different cores.
        bits: Width of the vector registers.
        pairs: Instructions for pairs of bfloat16, which A and B are then made of; None for float32.
    """

    m: int
    n: int
    k: int
    rows: str = "mk"
    lanes: str = "kn"
    transposed: bool = False
    bias: bool = False
    activation: str | None = None
    residual: bool = False
    parts: int = 1
    bits: int = 512
    pairs: str | None = None

    @property
    def tile(self) -> tuple[int, int]:
        """Rows and columns that the registers hold."""
        return pair_unit.size(self.pairs, self.m if self.rows == "km" else 0) if self.pairs else gemm_tile(self.bits)

    @property
    def height(self) -> int:
        """Rows of a tile."""
        return min(self.tile[0], self.m)

    @property
    def width(self) -> int:
        """Columns of a tile, padded where the whole matrix is narrower."""
        most = self.tile[1]
        return most if self.n >= most else max(LEAST_LANES, ceildiv(self.n, LANE_STEP) * LANE_STEP)

    @property
    def stored(self) -> int:
        """Columns of a tile that exist."""
        return min(self.width, self.n)

    @property
    def blocks(self) -> int:
        """Equal pieces of k; sums wait in scratch memory from one piece to the next."""
        whole = PAIRED_WHOLE if self.pairs else WHOLE[self.rows]
        least = 1 if self.words <= whole else ceildiv(2 * self.words, whole)
        return next((s for s in range(least, 4 * least) if self.words % s == 0), 1)

    @property
    def words(self) -> int:
        """Length of a sum in words of 32 bits: one number, or a pair."""
        return self.k // 2 if self.pairs else self.k

    @property
    def depth(self) -> int:
        """Words of one piece of k."""
        return self.words // self.blocks

    @property
    def panels(self) -> int:
        """Panels of B."""
        return ceildiv(self.n, self.width)

    @property
    def together(self) -> int:
        """Panels of one unit: as many as stay in the cache, as few as every core needs to get a share."""
        if self.rows == "km":
            shares = 1 if self.n < WIDE * self.m else self.parts
            return next((self.panels // s for s in range(shares, self.panels + 1) if self.panels % s == 0), 1)
        panels = self.panels
        most = min(panels, max(1, CACHED // (4 * self.depth * self.width)))
        return next((d for d in range(most, 1, -1) if panels % d == 0 and panels // d >= self.parts), 1)

    @property
    def groups(self) -> int:
        """Groups of row tiles, more than one where panels do not deal out evenly to the cores."""
        tiles = ceildiv(self.m, self.height)
        most, shares = max(1, tiles // 16), self.panels // self.together
        least = 1
        if self.rows == "km":
            least = ceildiv(4 * self.m * self.depth, LAID_OUT)
            most = max(most, least)
        wanted = (g for g in range(least, most) if shares * g % self.parts == 0 or shares * g >= 4 * self.parts)
        return next(wanted, most)

    @property
    def tiles(self) -> int:
        """Row tiles of one unit."""
        return ceildiv(ceildiv(self.m, self.height), self.groups)

    @property
    def units(self) -> int:
        """Independent pieces of work."""
        return self.panels // self.together * self.groups

    @property
    def out_shape(self) -> tuple[int, int]:
        """Shape of C as stored."""
        return (self.n, self.m) if self.transposed else (self.m, self.n)

    @property
    def scratch_shape(self) -> tuple[int, int]:
        """What a unit lays out and, where k comes in pieces, its sums; one row per part."""
        waiting = self.tiles * self.together * self.height * self.width if self.blocks > 1 else 0
        return self.parts, self.lanes_size + self.rows_size + waiting

    @property
    def lanes_size(self) -> int:
        """Elements of B that a unit lays out at a time."""
        return (1 if self.rows == "km" else self.together) * self.depth * self.width

    @property
    def rows_size(self) -> int:
        """Elements of A that a unit lays out at a time, in whole cache lines."""
        return ceildiv(self.tiles * self.depth * self.height, LINE) * LINE if self.rows == "km" else 0

    @property
    def name(self) -> str:
        """The name of the kernel."""
        kind = f"{self.rows}_{self.lanes}" + "_t" * self.transposed
        extras = [x for x in ("bias" * self.bias, self.activation, "add" * self.residual) if x]
        way = f"{self.pairs}_" if self.pairs else "loops"
        return "_".join([f"gemm_{kind}_{way}{self.height}x{self.width}_{self.m}x{self.n}x{self.k}", *extras])


def plan(m: int, n: int, k: int, rows: str = "mk", lanes: str = "kn", **extras: Any) -> Gemm:
    """The product on this machine: its vector width and the cores in use."""
    return Gemm(m, n, k, rows, lanes, parts=threads.count(), bits=toolchain.vector_bits(), **extras)


def paired(m: int, k: int, rows: str) -> str | None:
    """The instructions for pairs of bfloat16 that serve a product on this machine, or None.

    Pairs need an even k, and rows that are laid out (`rows` "km") come in whole registers.
    """
    if k % 2 or (rows == "km" and m < pair_unit.SIDE):
        return None
    return pair_unit.chosen()


def kernel(g: Gemm) -> Callable[..., UOp]:
    """The kernel (c, scratch, [z], a, b, [bias], [residual]) -> sink."""

    def gemm(c: UOp, scratch: UOp, *operands: UOp) -> UOp:
        given: Iterator[UOp] = iter(operands)
        z = next(given) if g.activation else None
        a, b = next(given), next(given)
        bias = next(given) if g.bias else None
        residual = next(given) if g.residual else None
        body = Body(g.name)
        acc = body.array(g.height, g.width)
        waiting = g.lanes_size + g.rows_size

        def place(unit: UOp, t: UOp, p: UOp) -> tuple[UOp, UOp, UOp]:
            """Number of a tile of A, its first row and its first column of C."""
            tile = (unit % g.groups * g.tiles + t).minimum(ceildiv(g.m, g.height) - 1)
            column = ((unit // g.groups * g.together + p) * g.width).minimum(g.n - g.stored)
            return tile, (tile * g.height).minimum(g.m - g.height), column

        def store(row: UOp, column: UOp, value: UOp) -> None:
            body.write(c, (column, row) if g.transposed else (row, column), value.cast(c.dtype))

        finish = Epilogue(body, acc, g.height, g.stored, store, bias, z, g.activation, residual)

        def wait(t: UOp, p: UOp, i: UOp, j: UOp) -> tuple[UOp, UOp]:
            """Where an unfinished sum is kept."""
            return part, ((t * g.together + p) * g.height + i) * g.width + (j + waiting)

        def multiply(t: UOp, p: UOp) -> None:
            """One tile of C takes one piece of k."""
            _, r0, n0 = place(unit, t, p)
            with body.loops(g.height, g.width) as (i, j):
                before = body.read(scratch, *wait(t, p, i, j)) if g.blocks > 1 else 0.0
                body.write(acc, (i, j), (block > 0).where(before, 0.0) if g.blocks > 1 else 0.0)
            if g.pairs:
                multiply_pairs(t, p, r0)
            else:
                multiply_numbers(t, p, r0)
            if g.blocks == 1:
                finish(r0, n0)
            else:
                with body.loops(g.height, g.width) as (i, j):
                    body.write(scratch, wait(t, p, i, j), body.read(acc, i, j))

        def multiply_pairs(t: UOp, p: UOp, r0: UOp) -> None:
            """The sums take one piece of k in words."""
            left, slot = Place(a, (r0, k0 * 2), g.k), p
            if g.rows == "km":
                left, slot = Place(scratch, (part, t * g.depth * g.height + g.lanes_size), g.depth), p * 0
            right = Place(scratch, (part, slot * g.depth * g.width), g.width)
            sums = Place(acc, (0, 0), g.width)
            pair_unit.multiply(body, g.pairs or "", sums, left, right, g.height, g.width, g.depth)

        def multiply_numbers(t: UOp, p: UOp, r0: UOp) -> None:
            """The sums take one piece of k in float32."""
            with body.loops(g.depth, g.height, g.width) as (x, i, j):
                if g.rows == "mk":
                    left, slot = a[r0 + i, k0 + x].cast(dtypes.float32), p
                else:
                    left, slot = body.read(scratch, part, (t * g.depth + x) * g.height + (i + g.lanes_size)), p * 0
                right = body.read(scratch, part, (slot * g.depth + x) * g.width + j)
                body.write(acc, (i, j), body.read(acc, i, j) + left * right)

        def pack(p: UOp, slot: UOp) -> None:
            _pack_lanes(body, g, scratch, b, part, slot, k0, place(unit, p, p)[2])

        with body.units(g.units, min(g.parts, g.units)) as (part, unit):
            with body.loop(g.blocks) as block:
                k0 = block * g.depth
                if g.rows == "mk":
                    # a tile of A is read once for all panels
                    with body.loop(g.together) as p:
                        pack(p, p)
                    with body.loops(g.tiles, g.together) as (t, p):
                        multiply(t, p)
                else:
                    # all rows of the unit are laid out, and panels pass by
                    with body.loop(g.tiles) as t:
                        _pack_rows(body, g, scratch, a, part, t, k0, place(unit, t, t)[1])
                    with body.loop(g.together) as p:
                        pack(p, p * 0)
                        with body.loop(g.tiles) as t:
                            multiply(t, p)
            if g.blocks > 1:
                with body.loops(g.tiles, g.together) as (t, p):
                    _, r0, n0 = place(unit, t, p)
                    with body.loops(g.height, g.width) as (i, j):
                        body.write(acc, (i, j), body.read(scratch, *wait(t, p, i, j)))
                    finish(r0, n0)
        return body.finish()

    return gemm


def _pack_lanes(body: Body, g: Gemm, scratch: UOp, b: UOp, part: UOp, p: UOp, k0: UOp, n0: UOp) -> None:
    """scratch[p, x, j] = B[k0 + x, n0 + j]; columns past n repeat the last one and are never stored."""

    def column(j: UOp) -> UOp:
        return (n0 + j).minimum(g.n - 1) if g.width > g.n else n0 + j

    def put(x: UOp, j: UOp, value: UOp) -> None:
        body.write(scratch, (part, (p * g.depth + x) * g.width + j), value.cast(dtypes.float32))

    if g.pairs and g.lanes == "nk":
        out = Place(scratch, (part, p * g.depth * g.width), g.width)
        pair_unit.transpose(body, out, Place(b, (n0, k0 * 2), g.k), g.width, g.depth, g.stored)
        return
    if g.lanes == "kn":
        with body.loops(g.depth, g.width) as (x, j):
            if g.pairs:
                put(x, j, pair_unit.pair(*(b[(k0 + x) * 2 + i, column(j)] for i in (0, 1))))
            else:
                put(x, j, b[k0 + x, column(j)])
        return
    # one cache line of B at a time: it is read whole and dealt to LINE rows of the panel, which stay in the cache
    with body.loops(ceildiv(g.depth, LINE), g.width, min(LINE, g.depth)) as (line, j, y):
        x = (line * LINE + y).minimum(g.depth - 1) if g.depth % LINE else line * LINE + y
        put(x, j, b[column(j), k0 + x])


def _pack_rows(body: Body, g: Gemm, scratch: UOp, a: UOp, part: UOp, t: UOp, k0: UOp, r0: UOp) -> None:
    """scratch[t, x, i] = A[r0 + i, k0 + x] for A given as (k, m).

    `height` numbers at a time would be gathered one by one; four or eight are one instruction. What a row writes too
    much, the next one overwrites, so all rows but the last may.
    """

    if g.pairs:
        out = Place(scratch, (part, t * g.depth * g.height + g.lanes_size), g.depth)
        pair_unit.transpose_pairs(body, out, Place(a, (k0 * 2, r0), g.m), g.height, g.depth)
        return

    def put(x: UOp, i: UOp) -> None:
        at = (t * g.depth + x) * g.height + (i + g.lanes_size)
        body.write(scratch, (part, at), a[k0 + x, r0 + i].cast(dtypes.float32))

    if g.depth > 1:
        wide = ceildiv(g.height, QUAD) * QUAD
        # what is read too much is the start of the next row, where a row is long enough for that
        with body.loops(g.depth - 1, wide if wide - g.height <= g.m else g.height) as (x, i):
            put(x, i)
    with body.loop(g.height) as i:
        put(i * 0 + (g.depth - 1), i)
