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

from tinygrad import UOp, dtypes

from gattn_tg.kernels.dense.gemm_plan import LINE, Gemm
from gattn_tg.kernels.pairs import unit as pair_unit
from gattn_tg.kernels.pairs.epilogue import PairEpilogue
from gattn_tg.kernels.pairs.unit import Place
from gattn_tg.kernels.tiles.body import Body, element
from gattn_tg.kernels.tiles.epilogue import Epilogue
from gattn_tg.kernels.tiles.tile import ceildiv

QUAD = 4  # float32 that one instruction moves on every machine


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
            tile = (unit % g.groups * g.tiles + t).minimum(g.row_tiles - 1)
            column = ((unit // g.groups * g.together + p) * g.width).minimum(g.n - g.stored)
            if g.rows == "km" or g.batches == 1:
                return tile, (tile * g.height).minimum(g.m - g.height), column
            batch, within = tile // (g.row_tiles // g.batches), tile % (g.row_tiles // g.batches)
            return tile, batch * g.sequence + (within * g.height).minimum(g.sequence - g.height), column

        def store(row: UOp, column: UOp, value: UOp) -> None:
            body.write(c, (column, row) if g.transposed else (row, column), value.cast(c.dtype))

        of_tile = (body, acc, g.height, g.stored, store, bias, z, g.activation, residual)
        finish = Epilogue(*of_tile)
        if g.pairs and PairEpilogue.serves(c, g.stored):
            finish = PairEpilogue(*of_tile, c, g.pairs)

        def wait(t: UOp, p: UOp, i: UOp, j: UOp) -> tuple[UOp, UOp]:
            """Where an unfinished sum is kept."""
            return part, ((t * g.together + p) * g.height + i) * g.width + (j + waiting)

        def multiply(t: UOp, p: UOp) -> None:
            """One tile of C takes one piece of k."""
            _, r0, n0 = place(unit, t, p)
            if g.pairs:
                multiply_pairs(t, p, r0)
            else:
                with body.loops(g.height, g.width) as (i, j):
                    before = body.read(scratch, *wait(t, p, i, j)) if g.blocks > 1 else 0.0
                    body.write(acc, (i, j), (block > 0).where(before, 0.0) if g.blocks > 1 else 0.0)
                multiply_numbers(t, p, r0)
            if g.blocks == 1:
                finish(r0, n0)
            elif not g.pairs:
                with body.loops(g.height, g.width) as (i, j):
                    body.write(scratch, wait(t, p, i, j), body.read(acc, i, j))

        def multiply_pairs(t: UOp, p: UOp, r0: UOp) -> None:
            """The sums take one piece of k in words; those that wait are in memory all the time."""
            left, slot = _rows_of(g, a, r0, k0 * 2), p
            if g.rows == "km":
                left, slot = Place(scratch, (part, t * g.depth * g.height + g.lanes_size), g.depth), p * 0
            right = Place(scratch, (part, slot * g.depth * g.width), g.width)
            zero = UOp.const(0, dtypes.weakint)
            sums = Place(acc, (0, 0), g.width) if g.blocks == 1 else Place(scratch, wait(t, p, zero, zero), g.width)
            pair_unit.multiply(
                body, g.pairs or "", sums, left, right, g.height, g.width, g.depth, clear=g.blocks == 1
            )

        def multiply_numbers(t: UOp, p: UOp, r0: UOp) -> None:
            """The sums take one piece of k in float32."""
            with body.loops(g.depth, g.height, g.width) as (x, i, j):
                if g.rows == "mk":
                    left, slot = element(a, r0 + i, k0 + x).cast(dtypes.float32), p
                else:
                    left, slot = body.read(scratch, part, (t * g.depth + x) * g.height + (i + g.lanes_size)), p * 0
                right = body.read(scratch, part, (slot * g.depth + x) * g.width + j)
                body.write(acc, (i, j), body.read(acc, i, j) + left * right)

        def pack(p: UOp, slot: UOp) -> None:
            _pack_lanes(body, g, scratch, b, part, slot, k0, place(unit, p, p)[2])

        with body.units(g.units, min(g.parts, g.units)) as (part, unit):
            if g.pairs and g.blocks > 1:
                with body.loop(g.tiles * g.together * g.height * g.width) as i:
                    body.write(scratch, (part, i + waiting), 0.0)
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


def _rows_of(g: Gemm, a: UOp, row: UOp, at: UOp) -> Place:
    """Rows of A in memory from a row and an element of it on."""
    if not g.stride:
        return Place(a, (row, at), g.k if g.rows == "mk" else g.m)
    if g.batches > 1:
        row = row + row // g.sequence * g.gap
    return Place(a, (row * g.stride + at,), g.stride)


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
                put(x, j, pair_unit.pair(*(element(b, (k0 + x) * 2 + i, column(j)) for i in (0, 1))))
            else:
                put(x, j, element(b, k0 + x, column(j)))
        return
    # one cache line of B at a time: it is read whole and dealt to LINE rows of the panel, which stay in the cache
    with body.loops(ceildiv(g.depth, LINE), g.width, min(LINE, g.depth)) as (line, j, y):
        x = (line * LINE + y).minimum(g.depth - 1) if g.depth % LINE else line * LINE + y
        put(x, j, element(b, column(j), k0 + x))


def _pack_rows(body: Body, g: Gemm, scratch: UOp, a: UOp, part: UOp, t: UOp, k0: UOp, r0: UOp) -> None:
    """scratch[t, x, i] = A[r0 + i, k0 + x] for A given as (k, m).

    `height` numbers at a time would be gathered one by one; four or eight are one instruction. What a row writes too
    much, the next one overwrites, so all rows but the last may.
    """
    if g.pairs:
        out = Place(scratch, (part, t * g.depth * g.height + g.lanes_size), g.depth)
        pair_unit.transpose_pairs(body, out, _rows_of(g, a, k0 * 2, r0), g.height, g.depth)
        return

    def put(x: UOp, i: UOp) -> None:
        at = (t * g.depth + x) * g.height + (i + g.lanes_size)
        body.write(scratch, (part, at), element(a, k0 + x, r0 + i).cast(dtypes.float32))

    if g.depth > 1:
        wide = ceildiv(g.height, QUAD) * QUAD
        # what is read too much is the start of the next row, where a row is long enough for that
        with body.loops(g.depth - 1, wide if wide - g.height <= g.m else g.height) as (x, i):
            put(x, i)
    with body.loop(g.height) as i:
        put(i * 0 + (g.depth - 1), i)
