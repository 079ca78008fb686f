"""Tiles of paired 16-bit products: one interface to the instructions of several makers.

A pair is two bfloat16 that follow each other along the sum, in one 32-bit word. All instructions read the same two
layouts, with any distance between rows:

    left    rows of a matrix as it is: word [i, x] = (A[i, 2x], A[i, 2x + 1])
    right   lanes side by side:        word [x, j] = (B[2x, j], B[2x + 1, j])

    sums[i, j] += sum_x left[i, x] . right[x, j]     in float32, in an order that depends on the sizes alone

The compiler finds these instructions nowhere by itself, so a tile is one statement of C with a line of assembly in it.
bfloat16 below 2^-126 count as 0.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from types import MappingProxyType

from tinygrad import UOp, dtypes
from tinygrad.uop.ops import Ops

from gattn_tg.kernels.pairs import amx, arm, avx512, turn
from gattn_tg.kernels.pairs.tile import Tile, first_half
from gattn_tg.kernels.tiles.body import Body
from gattn_tg.kernels.tiles.tile import Panel
from gattn_tg.machine import cpu
from gattn_tg.machine import pairs as pairs_here

TEXTS = MappingProxyType(
    {"amx_bf16": amx.text, "avx512_bf16": avx512.text, "arm_bfmmla": arm.matrix, "arm_bfdot": arm.dots}
)
NARROW = MappingProxyType(
    {"amx_bf16": avx512.narrow, "avx512_bf16": avx512.narrow, "arm_bfmmla": arm.narrow, "arm_bfdot": arm.narrow}
)
# rows and lanes of a tile of a matrix product: what the registers of each hold
SIZES = MappingProxyType({"amx_bf16": (32, 32), "avx512_bf16": (6, 64), "arm_bfmmla": (8, 32), "arm_bfdot": (8, 32)})
SIDE = turn.SIDE  # rows that are laid out together


@dataclass(frozen=True)
class Place:
    """Where a matrix of words or sums lies.

    Args:
        at: Its first element, as a tensor and an index into it.
        stride: Elements of that tensor from one row to the next.
    """

    buffer: UOp
    index: tuple[UOp | int, ...]
    stride: int

    @property
    def words(self) -> int:
        """Words from one row to the next."""
        return self.stride * int(self.buffer.dtype.itemsize) // 4

    @property
    def halves(self) -> int:
        """bfloat16 from one row to the next."""
        return self.stride * int(self.buffer.dtype.itemsize) // 2

    @classmethod
    def of(cls, panel: Panel, stride: int, index: UOp | int = 0) -> Place:
        """A place in a panel of words or of float32."""
        return cls(*panel.address(index), stride)


def size(name: str, turned: int = 0) -> tuple[int, int]:
    """Rows and lanes of a tile of a matrix product.

    Args:
        name: Instructions, one of `TEXTS`.
        turned: Rows of the matrix where they are laid out by `transpose_pairs`, in whole multiples of `SIDE`.
    """
    rows, lanes = SIZES[name]
    if turned:
        rows = max(SIDE, min(rows, turned) // SIDE * SIDE)
    return rows, lanes


def multiply(
    body: Body,
    name: str,
    sums: Place,
    left: Place,
    right: Place,
    rows: int,
    lanes: int,
    pairs: int,
    *,
    clear: bool = False,
) -> None:
    """The statement sums += left . right, for `rows` x `lanes` sums of float32; left is bfloat16 or words.

    Args:
        body: Kernel under construction.
        name: Instructions, one of `TEXTS`.
        sums: Where the sums are, and stay.
        left: Rows, read where they are.
        right: Lanes, in words.
        rows: Rows of the tile, at most 32 or a multiple of 16.
        lanes: Lanes of the tile, a multiple of 16.
        pairs: Length of the sum in pairs.
        clear: The sums start at 0.
    """
    pairs_here.available()  # a process that uses tiles has asked for them
    tile = Tile(rows, lanes, pairs, sums.stride, left.words, right.stride, clear)
    _state(body, sums, (sums, left, right), _text(name, tile))


def transpose(body: Body, out: Place, source: Place, rows: int, words: int, have: int | None = None) -> None:
    """The statement out[x, i] = source[i, x] for words; rows from `have` on repeat the row before.

    Args:
        body: Kernel under construction.
        out: `words` rows.
        source: `rows` rows of bfloat16 pairs or of words.
        rows: Rows of the source, a multiple of 16.
        words: Words of each.
        have: Rows that exist; None for all.
    """
    text = turn.text(rows, words, source.words, out.stride, rows if have is None else have)
    _state(body, out, (out, source), text)


def zipped(body: Body, out: Place, source: Place, words: int, lanes: int) -> None:
    """The statement out[x, j] = (source[2 x, j], source[2 x + 1, j]) for bfloat16: lanes as `multiply` reads them.

    Args:
        body: Kernel under construction.
        out: `words` rows of words.
        source: 2 * `words` rows of bfloat16.
        words: Pairs of rows.
        lanes: Elements of a row.
    """
    _state(body, out, (out, source), turn.zipped(words, lanes, source.halves, out.stride))


def narrow(body: Body, name: str, out: Place, source: Place, rows: int, lanes: int) -> None:
    """The statement out[i, j] = source[i, j], rounded to bfloat16, for rows of float32; lanes are a multiple of 16.

    `out` is bfloat16, or words of two.
    """
    text = NARROW[name](rows, lanes, source.stride, out.halves)
    _state(body, out, (out, source), text if out.buffer.dtype == dtypes.float32 else first_half(text))


def transpose_pairs(body: Body, out: Place, source: Place, rows: int, words: int) -> None:
    """The statement out[i, x] = (source[2 x, i], source[2 x + 1, i]) for bfloat16: rows as `multiply` reads them.

    Args:
        body: Kernel under construction.
        out: `rows` rows of words.
        source: 2 * `words` rows of bfloat16.
        rows: Columns of the source, a multiple of 16.
        words: Pairs of its rows.
    """
    _state(body, out, (out, source), turn.pairs(rows, words, source.halves, out.stride))


def pair(low: UOp, high: UOp) -> UOp:
    """The word of two bfloat16, as a float32 of the same bits."""
    low, high = (x.bitcast(dtypes.ushort).cast(dtypes.uint) for x in (low, high))
    return (low | (high << 16)).bitcast(dtypes.float32)


@functools.cache
def _text(name: str, tile: Tile) -> str:
    return TEXTS[name](tile)


def chosen() -> str | None:
    """The instructions that kernels of this machine use; None where there are none or the compiler knows none."""
    return pairs_here.chosen() if cpu.compiles_natively() else None


def _state(body: Body, out: Place, places: tuple[Place, ...], text: str) -> None:
    """A statement of C over pointers, which leaves what is first in `out` as its value.

    tinygrad waits for stores and loops only, so the value is stored where it is.
    """
    call = UOp(Ops.CUSTOM, out.buffer.dtype, tuple(body.pointer(p.buffer, *p.index) for p in places), text)
    body.write(out.buffer, out.index, call)
