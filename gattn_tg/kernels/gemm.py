"""Matrix product C = A B on the CPU: one kernel with its own packing, any sizes, float32.

A unit of work owns LANES columns of C: it lays the K x LANES panel of B out contiguously in scratch memory, then walks
down A in tiles of ROWS rows whose sums stay in registers:

    acc[i, j] = sum_k A[r + i, k] * B[k, n + j]        C[r + i, n + j] = f(acc[i, j] + bias[n + j]) + residual

Tiles at the lower and right edge move inwards and compute some elements twice, with the same bits, so no size needs
padding. Every element of C is one sum over k in order, however the units are dealt to cores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tinygrad import UOp, dtypes

from gattn_tg.kernels import threads, toolchain
from gattn_tg.kernels.body import Body
from gattn_tg.kernels.tile import ceildiv, exp2

# Rows and lanes of the register tile by vector width. 6 x 64 float32 are 24 of 32 registers of 512 bits: each step
# of k loads 4 vectors of B for 24 multiply-adds (measured on one core, 1024^3: 4 x 64 139, 6 x 64 152 GFLOP/s).
TILES = {512: (6, 64), 256: (3, 32), 128: (6, 32)}
LEAST_LANES, LANE_STEP = 32, 16  # shorter inner loops are unrolled before clang's vectoriser sees them
LONGEST = 4096  # k of one panel: 4096 x 64 floats are 1 MB, half of a common second-level cache
LINE = 16  # float32 in a cache line
GELU_SCALE, GELU_CUBE = 0.7978845608028654, 0.044715  # sqrt(2 / pi); Hendrycks & Gimpel 2016, tanh form
LOG2E = 1.4426950408889634

ACTIVATIONS = ("gelu", "relu")


@dataclass(frozen=True)
class Gemm:
    """One product, as far as the kernel depends on it.

    Args:
        m: Rows of A and C.
        n: Columns of B and C.
        k: Columns of A, rows of B.
        rows_packed: A comes as `pack_rows` lays it out, not as (m, k).
        lanes_transposed: B comes as (n, k), not as (k, n).
        bias: A vector of n is added to every row.
        activation: "gelu", "relu" or None; with one, the sum before it is a second output.
        residual: An (m, n) matrix is added at the end.
        parts: Runs of units that may go to different cores.
        bits: Width of the vector registers.
    """

    m: int
    n: int
    k: int
    rows_packed: bool = False
    lanes_transposed: bool = False
    bias: bool = False
    activation: str | None = None
    residual: bool = False
    parts: int = 1
    bits: int = 512

    @classmethod
    def plan(cls, m: int, n: int, k: int, **kind: object) -> Gemm:
        """The product on this machine: its vector width and the cores in use."""
        one = cls(m, n, k, bits=toolchain.vector_bits(), **kind)  # type: ignore[arg-type]
        return cls(m, n, k, bits=one.bits, parts=min(threads.count(), one.units), **kind)  # type: ignore[arg-type]

    @property
    def rows(self) -> int:
        """Rows of a tile."""
        return min(TILES[self.bits][0], self.m)

    @property
    def lanes(self) -> int:
        """Columns of a tile, padded where the whole matrix is narrower."""
        most = TILES[self.bits][1]
        return most if self.n >= most else max(LEAST_LANES, ceildiv(self.n, LANE_STEP) * LANE_STEP)

    @property
    def splits(self) -> int:
        """Equal pieces of k that are summed apart, so that a panel of B stays in the cache."""
        least = ceildiv(self.k, LONGEST)
        return next((s for s in range(least, 4 * least) if self.k % s == 0), 1)

    @property
    def depth(self) -> int:
        """k of one piece."""
        return self.k // self.splits

    @property
    def panels(self) -> int:
        return ceildiv(self.n, self.lanes)

    @property
    def groups(self) -> int:
        """Groups of row tiles per panel, more than one where panels are few; fixed by the shape."""
        most = max(1, ceildiv(self.m, self.rows) // 16)
        return min(most, ceildiv(8, self.panels * self.splits))

    @property
    def tiles(self) -> int:
        """Row tiles of one group."""
        return ceildiv(ceildiv(self.m, self.rows), self.groups)

    @property
    def units(self) -> int:
        return self.splits * self.panels * self.groups

    @property
    def out_shape(self) -> tuple[int, ...]:
        """(splits, m, n) where k is split; the caller sums over the first axis."""
        return (self.m, self.n) if self.splits == 1 else (self.splits, self.m, self.n)

    @property
    def scratch_shape(self) -> tuple[int, int]:
        return self.parts, self.depth * self.lanes

    @property
    def packed_rows_shape(self) -> tuple[int, int, int]:
        """What `pack_rows` writes."""
        return ceildiv(self.m, self.rows), self.k, self.rows

    @property
    def name(self) -> str:
        kind = "".join(("p" if self.rows_packed else "n", "t" if self.lanes_transposed else "n"))
        extras = [x for x in ("bias" * self.bias, self.activation, "add" * self.residual) if x]
        return "_".join([f"gemm_{kind}_loops{self.rows}x{self.lanes}_{self.m}x{self.n}x{self.k}", *extras])


def kernel(plan: Gemm) -> Callable[..., UOp]:
    """The kernel (c, scratch, [z], a, b, [bias], [residual]) -> sink."""

    def gemm(c: UOp, scratch: UOp, *operands: UOp) -> UOp:
        given: Iterator[UOp] = iter(operands)
        z = next(given) if plan.activation else None
        a, b = next(given), next(given)
        bias = next(given) if plan.bias else None
        residual = next(given) if plan.residual else None
        rows, lanes, depth = plan.rows, plan.lanes, plan.depth
        stored = min(lanes, plan.n)

        body = Body(plan.name)
        acc = body.array(rows, lanes)
        with body.units(plan.units, plan.parts) as (part, unit):
            split, panel, group = (
                unit // (plan.panels * plan.groups),
                unit // plan.groups % plan.panels,
                unit % plan.groups,
            )
            n0 = (panel * lanes).minimum(plan.n - stored)
            k0 = split * depth
            _pack_lanes(body, plan, scratch, b, part, k0, n0)
            with body.loop(plan.tiles) as t:
                tile = (group * plan.tiles + t).minimum(ceildiv(plan.m, rows) - 1)
                r0 = (tile * rows).minimum(plan.m - rows)
                with body.loops(rows, lanes) as (i, j):
                    body.write(acc, (i, j), 0.0)
                with body.loops(depth, rows, lanes) as (x, i, j):
                    left = a[tile, k0 + x, i] if plan.rows_packed else a[r0 + i, k0 + x]
                    right = body.read(scratch, part, x * lanes + j)
                    body.write(acc, (i, j), body.read(acc, i, j) + left.cast(dtypes.float32) * right)
                if bias is not None:
                    with body.loops(rows, stored) as (i, j):
                        body.write(acc, (i, j), body.read(acc, i, j) + bias[n0 + j].cast(dtypes.float32))
                if z is not None:
                    with body.loops(rows, stored) as (i, j):
                        body.write(z, (r0 + i, n0 + j), body.read(acc, i, j).cast(z.dtype))
                with body.loops(rows, stored) as (i, j):
                    value = activate(plan.activation, body.read(acc, i, j))
                    if residual is not None:
                        value = value + residual[r0 + i, n0 + j].cast(dtypes.float32)
                    at = (r0 + i, n0 + j) if plan.splits == 1 else (split, r0 + i, n0 + j)
                    body.write(c, at, value.cast(c.dtype))
        return body.finish()

    return gemm


def _pack_lanes(body: Body, plan: Gemm, scratch: UOp, b: UOp, part: UOp, k0: UOp, n0: UOp) -> None:
    """scratch[x, j] = B[k0 + x, n0 + j]; columns past n repeat the last one and are never stored."""
    lanes, depth = plan.lanes, plan.depth
    if not plan.lanes_transposed:
        with body.loops(depth, lanes) as (x, j):
            value = b[k0 + x, (n0 + j).minimum(plan.n - 1) if lanes > plan.n else n0 + j]
            body.write(scratch, (part, x * lanes + j), value.cast(dtypes.float32))
        return
    # one cache line of B at a time: it is read whole and dealt to LINE rows of the panel, which stay in the first cache
    with body.loops(ceildiv(depth, LINE), lanes, min(LINE, depth)) as (block, j, y):
        x = (block * LINE + y).minimum(depth - 1) if depth % LINE else block * LINE + y
        value = b[(n0 + j).minimum(plan.n - 1) if lanes > plan.n else n0 + j, k0 + x]
        body.write(scratch, (part, x * lanes + j), value.cast(dtypes.float32))


def pack_rows(plan: Gemm) -> Callable[[UOp, UOp], UOp]:
    """The kernel packed[tile, k, i] = A[k, r + i] for A given as (k, m), so that tiles read A in one stream."""

    def pack(packed: UOp, a: UOp) -> UOp:
        body = Body(f"pack_rows{plan.rows}_{plan.m}x{plan.k}")
        tiles = packed.shape[0]
        with body.units(tiles, min(plan.parts, tiles)) as (_, tile):
            r0 = (tile * plan.rows).minimum(plan.m - plan.rows)
            with body.loops(plan.k, plan.rows) as (x, i):
                body.write(packed, (tile, x, i), a[x, r0 + i].cast(dtypes.float32))
        return body.finish()

    return pack


def activate(name: str | None, x: UOp) -> UOp:
    """The activation of one element.

    gelu(x) = x / (1 + exp(-2 u)),  u = sqrt(2 / pi) (x + 0.044715 x^3), the tanh form; exp through 2^-|y| on lanes.
    """
    if name is None:
        return x
    if name == "relu":
        return x.maximum(0.0)
    y = (x + GELU_CUBE * x * x * x) * (2 * GELU_SCALE * LOG2E)
    small = exp2((y > 0).where(-y, y))
    return x * (y > 0).where(UOp.const(1.0, dtypes.float32), small) / (1 + small)
