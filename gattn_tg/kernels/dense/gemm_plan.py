"""How a matrix product is cut for the CPU: tiles, panels, pieces of k, and units of work that go to cores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gattn_tg.kernels.pairs import unit as pair_unit
from gattn_tg.kernels.tiles.tile import ceildiv
from gattn_tg.machine import threads, toolchain
from gattn_tg.machine.sizes import gemm_tile

LEAST_LANES, LANE_STEP = 32, 16  # shorter inner loops are unrolled before clang's vectoriser sees them
PAIRED_WHOLE = 1024  # words of pairs; longer sums come in pieces of at most as many
WHOLE = {"mk": 1024, "km": 512}  # sums up to this long are done at once, longer ones in pieces of about half of it
CACHED = 512 * 1024  # bytes of B that a unit lays out: they stay in the second-level cache
PAIRED_CACHED = 1024 * 1024  # of pairs, whose tiles pass over A in a fraction of the time
LAID_OUT = 1024 * 1024  # bytes of A that a unit lays out
LINE = 16  # float32 in a cache line
WIDE = 3  # rows of A cost this many times more to lay out than columns of B: below it rows are dealt to cores

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
        stride: With pairs, elements from one row of A to the next in flat memory, where rows overlap; 0 where they do
            not, and A is a matrix.
        batches: Sequences of rows of such memory, all of one length.
        gap: Rows between two sequences that are no rows of A.
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
    stride: int = 0
    batches: int = 1
    gap: int = 0

    @property
    def tile(self) -> tuple[int, int]:
        """Rows and columns that the registers hold."""
        return pair_unit.size(self.pairs, self.m if self.rows == "km" else 0) if self.pairs else gemm_tile(self.bits)

    @property
    def height(self) -> int:
        """Rows of a tile."""
        return min(self.tile[0], self.m if self.rows == "km" else self.sequence)

    @property
    def sequence(self) -> int:
        """Rows of memory in one sequence."""
        return (self.m if self.rows == "mk" else self.k) // self.batches

    @property
    def row_tiles(self) -> int:
        """Tiles of rows of C; none of them reaches from one sequence to the next."""
        return ceildiv(self.m, self.height) if self.rows == "km" else self.batches * ceildiv(self.sequence, self.height)

    @property
    def width(self) -> int:
        """Columns of a tile, padded where the whole matrix is narrower."""
        most = self.tile[1]
        return most if self.n >= most else max(min(LEAST_LANES, most), ceildiv(self.n, LANE_STEP) * LANE_STEP)

    @property
    def stored(self) -> int:
        """Columns of a tile that exist."""
        return min(self.width, self.n)

    @property
    def blocks(self) -> int:
        """Equal pieces of k; sums wait in scratch memory from one piece to the next."""
        whole = PAIRED_WHOLE if self.pairs else WHOLE[self.rows]
        batches = self.batches if self.rows == "km" else 1
        words = self.words // batches
        least = 1 if words <= whole else ceildiv(words if self.pairs else 2 * words, whole)
        return batches * next((s for s in range(least, 4 * least) if words % s == 0), 1)

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
        cached = PAIRED_CACHED if self.pairs else CACHED
        most = min(panels, max(1, cached // (4 * self.depth * self.width)))
        return next((d for d in range(most, 1, -1) if panels % d == 0 and panels // d >= self.parts), 1)

    @property
    def groups(self) -> int:
        """Groups of row tiles, more than one where panels do not deal out evenly to the cores."""
        tiles = self.row_tiles
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
        return ceildiv(self.row_tiles, self.groups)

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
        kind += f"_every{self.stride}_{self.batches}x{self.gap}" if self.stride else ""
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
