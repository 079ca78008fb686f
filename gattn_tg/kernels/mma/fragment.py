"""Fragments: how the matrix units of each maker spread a small product over the lanes of a warp. One table for all.

    C (rows x columns) += A (rows x depth) B (depth x columns)

Where a maker's lanes own columns of C, the table lists the transposed product, B^T A^T: then a lane always owns whole
rows of scores, or shares them with few others, and the sums of a row cross as few lanes as the hardware allows. The
order of `depth` inside a product is free as long as A and B agree, and the numbering here makes use of that.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tinygrad import UOp, dtypes
from tinygrad.dtype import DType

# (lane, element) -> coordinates, for numbers and for expressions alike
Place = Callable[[Any, int], tuple[Any, Any]]


@dataclass(frozen=True)
class Fragment:
    """One kind of matrix instruction.

    Args:
        name: in the names of kernels.
        maker: tinygrad's name of the instruction's family.
        lanes: threads of a warp.
        rows, columns, depth: sizes of the product, as the kernels see it.
        elements: elements of A, B and C that one lane holds.
        a: (lane, element) -> (row, depth) in A.
        b: (lane, element) -> (depth, column) in B.
        c: (lane, element) -> (row, column) in C.
        sharers: lanes that hold elements of one row of C.
        sharer: (lane, x) -> the x-th lane of those that share its rows.
        is_turned: the instruction computes the transposed product.
        spread: (step, depth) -> place of that factor among the factors of all steps.
    """

    name: str
    maker: str
    lanes: int
    rows: int
    columns: int
    depth: int
    elements: tuple[int, int, int]
    a: Place
    b: Place
    c: Place
    sharers: int
    sharer: Callable[[Any, int], Any]
    is_turned: bool = False
    spread: Callable[[int, Any], Any] | None = None

    def channel(self, step: int, k: Any) -> Any:
        """Place of factor k of one step among the factors of all steps."""
        return step * self.depth + k if self.spread is None else self.spread(step, k)

    @property
    def steps_together(self) -> int:
        """Steps whose factors are mixed, so that a lane reads 16 bytes at once."""
        return 1 if self.spread is None else 2

    @functools.cached_property
    def own_rows(self) -> tuple[int, ...]:
        """For every element of C the number of its row among the rows that a lane holds."""
        rows = [self.c(0, e)[0] for e in range(self.elements[2])]
        order = sorted(set(rows))
        return tuple(order.index(row) for row in rows)

    @functools.cached_property
    def chain(self) -> tuple[tuple[int, int], ...] | None:
        """For every element of A the (tile, element) of C that the same lane holds; None where another lane has it.

        `depth / columns` neighbouring tiles of C are one A, so results can be factors without leaving registers.
        """
        found = []
        for i in range(self.elements[0]):
            pairs = [
                (tile, e)
                for tile in range(-(-self.depth // self.columns))
                for e in range(self.elements[2])
                if all(
                    self.a(lane, i) == (self.c(lane, e)[0], self.c(lane, e)[1] + tile * self.columns)
                    for lane in range(self.lanes)
                )
            ]
            if not pairs:
                return None
            found.append(pairs[0])
        return tuple(found)

    def multiply(self, a: UOp, b: UOp, c: UOp) -> UOp:
        """C + A B."""
        if self.is_turned:
            return UOp.wmma(b, a, c, (self.rows, self.columns, self.depth), self.maker, self.lanes)
        return UOp.wmma(a, b, c, (self.columns, self.rows, self.depth), self.maker, self.lanes)


def _cuda_spread(step: int, k: Any) -> Any:
    # lane t of four holds 2t, 2t+1, 2t+8, 2t+9 of a step: here eight neighbours of two steps
    return step // 2 * 32 + k % 8 // 2 * 8 + step % 2 * 4 + k // 8 * 2 + k % 2


# mma.sync.m16n8k16, sm_80 and later
CUDA = Fragment(
    "m16n8k16", "CUDA", 32, 16, 8, 16, (8, 4, 4),
    a=lambda lane, i: (lane // 4 + i // 2 % 2 * 8, lane % 4 * 2 + i % 2 + i // 4 * 8),
    b=lambda lane, i: (lane % 4 * 2 + i % 2 + i // 2 * 8, lane // 4),
    c=lambda lane, e: (lane // 4 + e // 2 * 8, lane % 4 * 2 + e % 2),
    sharers=4,
    sharer=lambda lane, x: lane // 4 * 4 + x,
    spread=_cuda_spread,
)  # fmt: skip


def _metal(lane: Any, i: int) -> tuple[Any, Any]:
    return lane // 2 % 4 + lane // 16 * 4, lane % 2 * 2 + lane // 8 % 2 * 4 + i


# simdgroup_multiply_accumulate, Apple GPUs from family 7 on
METAL = Fragment(
    "simdgroup8x8x8", "METAL", 32, 8, 8, 8, (2, 2, 2), a=_metal, b=_metal, c=_metal, sharers=4,
    sharer=lambda lane, x: lane // 16 * 16 + lane // 2 % 4 * 2 + x % 2 + x // 2 * 8,
)  # fmt: skip

# v_wmma 16x16x16 of RDNA 3: both halves of a warp hold all of A and B
RDNA3 = Fragment(
    "rdna3_16x16x16", "AMD", 32, 16, 16, 16, (16, 16, 8),
    a=lambda lane, i: (lane % 16, i),
    b=lambda lane, i: (i, lane % 16),
    c=lambda lane, e: (lane % 16, lane // 16 + e * 2),
    sharers=2,
    sharer=lambda lane, x: lane % 16 + x * 16,
    is_turned=True,
)  # fmt: skip

# v_wmma 16x16x16 of RDNA 4
RDNA4 = Fragment(
    "rdna4_16x16x16", "AMD", 32, 16, 16, 16, (8, 8, 8),
    a=lambda lane, i: (lane % 16, lane // 16 * 8 + i),
    b=lambda lane, i: (lane // 16 * 8 + i, lane % 16),
    c=lambda lane, e: (lane % 16, lane // 16 * 8 + e),
    sharers=2,
    sharer=lambda lane, x: lane % 16 + x * 16,
    is_turned=True,
)  # fmt: skip

# v_mfma 16x16x16 of CDNA
CDNA = Fragment(
    "cdna_16x16x16", "AMD", 64, 16, 16, 16, (4, 4, 4),
    a=lambda lane, i: (lane % 16, lane // 16 * 4 + i),
    b=lambda lane, i: (lane // 16 * 4 + i, lane % 16),
    c=lambda lane, e: (lane % 16, lane // 16 * 4 + e),
    sharers=4,
    sharer=lambda lane, x: lane % 16 + x * 16,
    is_turned=True,
)  # fmt: skip

HALVES = (dtypes.bfloat16, dtypes.float16)


def find(maker: str, arch: str, dtype: DType) -> Fragment | str:
    """The fragment of a device for operands of a dtype, or why there is none.

    Args:
        maker: what tinygrad calls the device.
        arch: what tinygrad compiles for, "sm_90" or "gfx1100".
    """
    if maker in ("CUDA", "NV"):
        if dtype == dtypes.float32:
            return "expected operands of float16 or bfloat16, got float32, of which tf32 would keep 10 bits of 23"
        if int(arch.removeprefix("sm_").rstrip("a") or 0) < 80:
            return f"expected a device of sm_80 or later, got {arch}"
        return CUDA if dtype in HALVES else f"expected operands of float16 or bfloat16, got {dtype}"
    if maker == "METAL":
        if arch != "METAL" and not (arch.startswith("Apple") and int(arch[5:]) >= 7):
            return f"expected a device of Apple7 or later, got {arch}"
        if dtype in (*HALVES, dtypes.float32):
            return METAL
        return f"expected operands of float16, bfloat16 or float32, got {dtype}"
    if maker == "AMD":
        if dtype not in HALVES:
            return f"expected operands of float16 or bfloat16, got {dtype}"
        for names, fragment in ((("gfx942", "gfx950"), CDNA), (("gfx120",), RDNA4), (("gfx11",), RDNA3)):
            if arch.startswith(names):
                return fragment
        return f"expected a device with matrix instructions that it knows, got {arch}"
    return f"expected a device with matrix instructions that it knows, got {maker}"
