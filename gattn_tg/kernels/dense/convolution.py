"""Convolution along the sequence on the CPU, as products over overlapping rows: no window is ever copied.

For x with channels last, the window of an output row is one run of `kernel * n_in` contiguous floats, which begins
`n_in` floats after the window of the row before. So the windows are a matrix already, with rows that overlap:

    y[r, o] = f(sum_x window(r)[x] * w[x, o] + bias[o]) + residual[r, o]
    dw[x, o] = sum_r window(r)[x] * dy[r, o]

and the gradient of x is the first product again, over dy, with the taps in reverse order. Rows at both ends, whose
windows reach beyond the sequence, are computed apart with zeros in place of what is not there. Tiles overlap where rows
do not divide and then write the same bits twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tinygrad import UOp, dtypes
from tinygrad.uop.ops import AxisType

from gattn_tg.kernels.dense.gemm_plan import LEAST_LANES
from gattn_tg.kernels.tiles.body import Body, element
from gattn_tg.kernels.tiles.epilogue import Epilogue
from gattn_tg.kernels.tiles.tile import ceildiv
from gattn_tg.machine import threads, toolchain
from gattn_tg.machine.sizes import gemm_tile

WIDTHS = (64, 48, 32, 16)  # lanes of a tile, as far as the tile of matrix products reaches
MOST_ROWS = 8  # with 12 rows clang leaves the loop over them rolled, and the sums in memory: a quarter of the speed
TILES = 32  # row tiles of a unit: its input stays in the second-level cache while the panels of w pass by
BLOCK = 128  # rows of dy that stay in the first-level cache while the gradient of w walks over its tiles
PIECES, LEAST_ROWS = 16, 512  # partial sums of the gradient of w at most, rows of one at least


@dataclass(frozen=True)
class Windows:
    """One convolution, as far as the kernels depend on it.

    Args:
        b: Sequences.
        n: Rows of each, in and out.
        n_in: Channels in.
        n_out: Channels out.
        kernel: Odd number of rows that one output sees.
        bias: A vector of n_out is added to every row.
        activation: one of `ACTIVATIONS`, or None; with one, the sum before it is a second output.
        residual: A matrix of the shape of y is added at the end.
        parts: Runs of units that may go to different cores.
        bits: Width of the vector registers.
    """

    b: int
    n: int
    n_in: int
    n_out: int
    kernel: int
    bias: bool = False
    activation: str | None = None
    residual: bool = False
    parts: int = 1
    bits: int = 512

    @property
    def half(self) -> int:
        """Rows of a window on each side of its centre."""
        return self.kernel // 2

    @property
    def depth(self) -> int:
        """Floats of a window."""
        return self.kernel * self.n_in

    @property
    def width(self) -> int:
        """Lanes of a tile; 0 where none divides the channels."""
        _, most = gemm_tile(self.bits)
        return next((w for w in WIDTHS if min(LEAST_LANES, most) <= w <= most and self.n_out % w == 0), 0)

    @property
    def most(self) -> int:
        """Rows of a tile that fit the registers."""
        rows, lanes = gemm_tile(self.bits)
        return max(1, min(MOST_ROWS, rows * lanes // self.width))

    @property
    def panels(self) -> int:
        """Panels of w, `width` columns each."""
        return self.n_out // self.width

    @property
    def inner(self) -> int:
        """Rows of a sequence whose windows lie inside it."""
        return self.n - 2 * self.half

    @property
    def is_served(self) -> bool:
        """True where the kernels take this size."""
        return self.width > 0 and self.n >= LEAST_ROWS and self.inner >= 2 * self.half + BLOCK

    @property
    def panel_shape(self) -> tuple[int, int, int]:
        """Shape of w as `forward` reads it: panels, floats of a window, lanes."""
        return self.panels, self.depth, self.width

    @property
    def slices(self) -> int:
        """Pieces of a sequence that the gradient of w sums apart, by the shape alone and not by the cores."""
        return max(1, min(ceildiv(PIECES, self.b), self.n // LEAST_ROWS))

    @property
    def sums_shape(self) -> tuple[int, int, int]:
        """Partial sums of the gradient of w."""
        return self.b * self.slices, self.depth, self.n_out

    @property
    def name(self) -> str:
        """Sizes for the name of a kernel."""
        extras = [x for x in ("bias" * self.bias, self.activation, "add" * self.residual) if x]
        return "_".join([f"{self.b}x{self.n}_{self.n_in}to{self.n_out}_k{self.kernel}", *extras])


def plan(b: int, n: int, n_in: int, n_out: int, kernel: int, **extras: object) -> Windows:
    """The convolution on this machine: its vector width and the cores in use."""
    return Windows(b, n, n_in, n_out, kernel, parts=threads.count(), bits=toolchain.vector_bits(), **extras)  # type: ignore[arg-type]


def forward(g: Windows) -> Callable[..., UOp]:
    """The kernel (y, [z], x, w, [bias], [residual]) -> sink; x flat, w of `panel_shape`, the others (b n, n_out)."""

    def convolve(y: UOp, *operands: UOp) -> UOp:
        given: Iterator[UOp] = iter(operands)
        z = next(given) if g.activation else None
        x, w = next(given), next(given)
        bias = next(given) if g.bias else None
        residual = next(given) if g.residual else None
        height = g.most
        body = Body(f"convolve_loops{height}x{g.width}_{g.name}")
        acc = body.array(height, g.width)

        def clear() -> None:
            with body.loops(height, g.width) as (i, j):
                body.write(acc, (i, j), 0.0)

        def store(row: UOp, column: UOp, value: UOp) -> None:
            body.write(y, (row, column), value.cast(y.dtype))

        finish = Epilogue(body, acc, height, g.width, store, bias, z, g.activation, residual)
        tiles = ceildiv(g.inner, height)
        together = min(TILES, tiles)
        groups, ends = ceildiv(tiles, together), ceildiv(g.half, height)
        with body.loop(g.parts, AxisType.THREAD) as part:
            units = g.b * groups
            mine = body.span(part * units // g.parts, (part + 1) * units // g.parts, units)
            with mine as unit, body.loops(g.panels, together) as (p, t):
                tile = (unit % groups * together + t).minimum(tiles - 1)
                first = unit // groups * g.n + (tile * height).minimum(g.inner - height)  # of its windows
                clear()
                with body.loops(g.depth, height, g.width) as (d, i, j):
                    left = x[(first + i) * g.n_in + d].cast(dtypes.float32)
                    body.write(acc, (i, j), body.read(acc, i, j) + left * element(w, p, d, j).cast(dtypes.float32))
                finish(first + g.half, p * g.width)
            if ends:
                # every core does some of the ends, and where there are fewer than cores the same ones twice
                some = body.span(part * g.b // g.parts, ((part + 1) * g.b + g.parts - 1) // g.parts, g.b)
                with some as batch, body.loops(2, ends, g.panels) as (side, e, p):
                    row = (side > 0).where(g.n - (e + 1) * height, e * height)
                    clear()
                    with body.loops(g.kernel, g.n_in, height, g.width) as (tap, c, i, j):
                        at = row + i + tap - g.half
                        inside = (at >= 0) & (at < g.n)
                        value = x[(batch * g.n + at.maximum(0).minimum(g.n - 1)) * g.n_in + c]
                        left = inside.where(value.cast(dtypes.float32), 0.0)
                        right = element(w, p, tap * g.n_in + c, j).cast(dtypes.float32)
                        body.write(acc, (i, j), body.read(acc, i, j) + left * right)
                    finish(batch * g.n + row, p * g.width)
        return body.finish()

    return convolve


def weight_gradient(g: Windows) -> Callable[[UOp, UOp, UOp], UOp]:
    """The kernel sums[piece, x, o] = sum over its rows r of window(r)[x] * dy[r, o]; x flat, dy (b n, n_out)."""

    def kernel(sums: UOp, x: UOp, dy: UOp) -> UOp:
        # rows of a tile divide the window: a tile that overlaps another would count twice
        height = next(h for h in range(g.most, 0, -1) if g.depth % h == 0)
        body = Body(f"convolution_weight_loops{height}x{g.width}_{g.name}")
        acc = body.array(height, g.width)
        units = g.b * g.slices
        blocks = ceildiv(g.n, g.slices * BLOCK)
        with body.units(units, min(units, g.parts)) as (_, unit):
            batch, piece = unit // g.slices, unit % g.slices
            with body.loops(g.depth, g.n_out) as (d, j):
                body.write(sums, (unit, d, j), 0.0)

            def tile(d0: UOp, n0: UOp, start: bool, unit: UOp = unit) -> None:
                """The sums so far come to the registers, or go back."""
                with body.loops(height, g.width) as (i, j):
                    at = (unit, d0 + i, n0 + j)
                    if start:
                        body.write(acc, (i, j), body.read(sums, *at))
                    else:
                        body.write(sums, at, body.read(acc, i, j))

            with body.loops(blocks, g.panels, g.depth // height) as (block, p, t):
                d0, n0 = t * height, p * g.width
                tile(d0, n0, True)
                count, turn = g.slices * blocks, piece * blocks + block
                start, stop = turn * g.inner // count, (turn + 1) * g.inner // count
                with body.span(start, stop, g.inner) as r, body.loops(height, g.width) as (i, j):
                    left = x[(batch * g.n + r) * g.n_in + (d0 + i)].cast(dtypes.float32)
                    right = element(dy, batch * g.n + r + g.half, n0 + j).cast(dtypes.float32)
                    body.write(acc, (i, j), body.read(acc, i, j) + left * right)
                tile(d0, n0, False)
            if g.half:
                with body.loops(g.panels, g.depth // height) as (p, t):
                    d0, n0 = t * height, p * g.width
                    tile(d0, n0, True)
                    with body.loops(2, g.half, height, g.width) as (side, e, i, j):
                        row = (side > 0).where(g.n - g.half + e, e)
                        mine = (side > 0).where(piece, g.slices - 1 - piece).eq(g.slices - 1)
                        at = row - g.half + (d0 + i) // g.n_in
                        inside = (at >= 0) & (at < g.n) & mine
                        value = x[(batch * g.n + at.maximum(0).minimum(g.n - 1)) * g.n_in + (d0 + i) % g.n_in]
                        left = inside.where(value.cast(dtypes.float32), 0.0)
                        right = element(dy, batch * g.n + row, n0 + j).cast(dtypes.float32)
                        body.write(acc, (i, j), body.read(acc, i, j) + left * right)
                    tile(d0, n0, False)
        return body.finish()

    return kernel
