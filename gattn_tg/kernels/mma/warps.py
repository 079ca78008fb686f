"""Warps of a group that compute tiles with matrix units: the `mma` schedule.

A warp owns `up` tiles of rows; a fragment of B is read along the rows of a block where they are columns of the product
(k in q k^T), or across them where they are its depth (v in p v). Sums stay in registers, and a result becomes the
factor of the next product in registers where the fragment allows it, else through shared memory.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from tinygrad import UOp, dtypes
from tinygrad.dtype import DType
from tinygrad.uop.ops import Ops

from gattn_tg.kernels.mma.feed import Feed
from gattn_tg.kernels.mma.fragment import Fragment
from gattn_tg.kernels.mma.layout import Layout, Tile, Write, place
from gattn_tg.kernels.tiles.body import Body


def held(factors: Sequence[Sequence[UOp]]) -> Callable[[int, int], UOp]:
    """Fragments in registers as a function of tile and step."""
    return lambda u, step: factors[u][step]


class Warps(Feed):
    """The threads of one group inside one kernel.

    Args:
        body: the kernel under construction.
        fragment: the matrix instruction.
        layout: how the warps cut their work.
        owned: rows of the group's products, divided among the warps.
        dtype: of the factors.
    """

    def __init__(self, body: Body, fragment: Fragment, layout: Layout, owned: int, dtype: DType) -> None:
        super().__init__(body, layout, dtype)
        self.fragment = fragment
        self.up = owned // (layout.warps * fragment.rows)
        self.lane, self.warp = self.thread % fragment.lanes, self.thread // fragment.lanes
        self.top = self.warp * (self.up * fragment.rows)  # first row of this warp
        self.slots = self.up * (1 + max(fragment.own_rows))  # rows of C that a lane has elements of

    @functools.cached_property
    def scratch(self) -> UOp:
        """Shared memory for one number a slot of every lane."""
        return self.body.shared(self.layout.threads, self.slots)

    # ---- places

    def row(self, u: int, e: int) -> UOp:
        """Row of the group's product that element e of the warp's tile u belongs to."""
        return self.top + (self.fragment.c(self.lane, e)[0] + u * self.fragment.rows)

    def column(self, tile: int, e: int) -> UOp:
        """Column of element e of a tile of scores."""
        place: UOp = self.fragment.c(self.lane, e)[1] + tile * self.fragment.columns
        return place

    def channel(self, width: int, tile: int, column: UOp) -> UOp:
        """Channel that stands in a column of a tile: neighbours in memory belong to one lane."""
        tiles = width // self.fragment.columns
        group = next(size for size in (8, 4, 2, 1) if tiles % size == 0)
        return column * group + (tile // group * group * self.fragment.columns + tile % group)

    def slot(self, u: int, e: int) -> int:
        """Number of an element's row among the rows that a lane has elements of."""
        return u * (self.slots // self.up) + self.fragment.own_rows[e]

    def one_each(self) -> list[tuple[int, int]]:
        """One (u, element) for every slot."""
        rows = self.fragment.own_rows
        return [(u, rows.index(r)) for u in range(self.up) for r in sorted(set(rows))]

    @property
    def share(self) -> UOp:
        """Number of this lane among those that share its rows."""
        place = UOp.const(0, dtypes.weakint)
        for x in range(1, self.fragment.sharers):
            place = self.fragment.sharer(self.lane, x).eq(self.lane).where(x, place)
        return place

    # ---- fragments

    def _read(self, block: UOp, row: UOp, x: UOp, width: int) -> UOp:
        return self.body.read(block, row, place(row, x, width))

    def zeros(self, columns: int) -> list[list[Tile]]:
        """Tiles of C that are 0."""
        tile = [UOp.const(0.0, dtypes.float32)] * self.fragment.elements[2]
        return [[tile] * (columns // self.fragment.columns) for _ in range(self.up)]

    def tiles(self, columns: int, element: Callable[[int, int, int], UOp]) -> list[list[Tile]]:
        """Tiles of C made of element(u, tile, element)."""
        return [
            [
                [element(u, n, e) for e in range(self.fragment.elements[2])]
                for n in range(columns // self.fragment.columns)
            ]
            for u in range(self.up)
        ]

    def sums(self, columns: int) -> UOp:
        """Registers for tiles of C that last."""
        return self.body.array(self.up * (columns // self.fragment.columns) * self.fragment.elements[2])

    def read(self, sums: UOp, columns: int) -> list[list[Tile]]:
        """The tiles that registers hold."""
        size, tiles = self.fragment.elements[2], columns // self.fragment.columns
        return [
            [[self.body.read(sums, (u * tiles + n) * size + e) for e in range(size)] for n in range(tiles)]
            for u in range(self.up)
        ]

    def writes(self, sums: UOp, tiles: list[list[Tile]]) -> list[Write]:
        """The writes that keep tiles in registers."""
        return [(sums, (at,), value) for at, value in enumerate(x for by_u in tiles for tile in by_u for x in tile)]

    def put(
        self, out: UOp, place: tuple[UOp, UOp], tiles: list[list[Tile]], row: Callable[[UOp], UOp], rows: int
    ) -> None:
        """out[*place, row(i)] = tiles, by channels, for those rows that are among `rows`."""
        for u, by_u in enumerate(tiles):
            for n, tile in enumerate(by_u):
                for e, value in enumerate(tile):
                    i = row(self.row(u, e))
                    x = self.channel(out.shape[-1], n, self.fragment.c(self.lane, e)[1])
                    at = (*place, i.minimum(rows - 1), x)
                    self.body.write(out, at, value.cast(out.dtype), when=i < rows)

    def _factor(self, width: int, step: int, k: UOp) -> UOp:
        # the last of an odd number of steps stands for itself
        is_mixed = step < width // self.fragment.depth // self.fragment.steps_together * self.fragment.steps_together
        place: UOp = self.fragment.channel(step, k) if is_mixed else step * self.fragment.depth + k
        return place

    def rows_of(self, source: UOp, row: Callable[[UOp], UOp]) -> list[list[UOp]]:
        """The warp's rows of A from memory: fragments of every tile and step."""
        width = source.shape[-1]

        def element(r: UOp, x: UOp) -> UOp:
            return self._element(source, row(r) * width, x)

        return [[self._rows(element, width, u, step) for step in self.steps(width)] for u in range(self.up)]

    def stored_rows(self, block: UOp, width: int, u: int, step: int) -> UOp:
        """One fragment of the warp's rows of A from a block: A[i, x] = block[i, x]."""
        return self._rows(lambda r, x: self._read(block, r, x, width), width, u, step)

    def steps(self, width: int) -> range:
        """Steps of a product of this depth."""
        return range(width // self.fragment.depth)

    def _rows(self, element: Callable[[UOp, UOp], UOp], width: int, u: int, step: int) -> UOp:
        places = [self.fragment.a(self.lane, i) for i in range(self.fragment.elements[0])]
        first = self.top + u * self.fragment.rows
        return UOp.stack(*[element(first + r, self._factor(width, step, k)) for r, k in places])

    def _element(self, source: UOp, start: UOp, x: UOp) -> UOp:
        if not self.layout.is_cuda or self.dtype.itemsize == 4:
            return self.body.read(source.base, start + x)
        # nvcc does not know that such pointers are aligned, and would load every 2 bytes alone
        word = self.body.read(source.base.bitcast(dtypes.uint32), start // 2 + x // 2)
        is_odd = (x % 2).simplify()
        half = (word >> 16) if is_odd.base.vmin == 1 else word & 0xFFFF
        return half.cast(dtypes.uint16).bitcast(self.dtype)

    def along(self, block: UOp, width: int, tile: int, step: int) -> UOp:
        """B where columns are rows of a block: B[k, j] = block[j, k]."""
        places = [self.fragment.b(self.lane, i) for i in range(self.fragment.elements[1])]
        return UOp.stack(*[
            self._read(block, column + tile * self.fragment.columns, self._factor(width, step, k), width)
            for k, column in places
        ])  # fmt: skip

    def across(self, block: UOp, width: int, tile: int, step: int) -> UOp:
        """B where the depth is rows of a block: B[k, x] = block[k, x]."""
        places = [self.fragment.b(self.lane, i) for i in range(self.fragment.elements[1])]
        return UOp.stack(*[
            self._read(block, k + step * self.fragment.depth, self.channel(width, tile, column), width)
            for k, column in places
        ])  # fmt: skip

    def exchange(self, *given: tuple[UOp | None, list[list[Tile]]]) -> list[list[list[UOp]]]:
        """A from tiles of C, for every (block, tiles): fragments of every u and step.

        In registers where the fragment allows it, else through the blocks, shared memory of rows x columns each.
        """
        if self.fragment.chain is not None:
            return [[self._chained(tiles) for tiles in by_u] for _, by_u in given]
        columns = self.fragment.columns
        self.body.together([
            (block, (i := self.row(u, e), place(i, self.column(n, e), len(tiles) * columns)), value.cast(self.dtype))
            for block, by_u in given for u, tiles in enumerate(by_u) for n, tile in enumerate(tiles)
            for e, value in enumerate(tile) if block is not None
        ])  # fmt: skip
        self.body.barrier()
        made = []
        for block, by_u in given:
            assert block is not None
            width = len(by_u[0]) * self.fragment.columns
            made.append(
                [[self.stored_rows(block, width, u, step) for step in self.steps(width)] for u in range(self.up)]
            )
        return made

    def _chained(self, tiles: list[Tile]) -> list[UOp]:
        assert self.fragment.chain is not None
        together = self.fragment.depth // self.fragment.columns
        return [
            UOp.stack(*[tiles[step + tile][e].cast(self.dtype) for tile, e in self.fragment.chain])
            for step in range(0, len(tiles), together)
        ]

    def multiply(
        self, c: list[list[Tile]], steps: Sequence[int], a: Callable[[int, int], UOp], b: Callable[[int, int], UOp]
    ) -> list[list[Tile]]:
        """C + A B: c[u][tile], a(u, step), b(tile, step)."""
        out: list[list[Tile]] = [[] for _ in c]
        for tile in range(len(c[0])):
            sums = [UOp.stack(*c[u][tile]) for u in range(len(c))]
            for step in steps:
                factor = b(tile, step)
                sums = [self.fragment.multiply(a(u, step), factor, total) for u, total in enumerate(sums)]
            for u, total in enumerate(sums):
                out[u].append([total.index(e) for e in range(self.fragment.elements[2])])
        return out

    # ---- rows

    def fold(self, values: Sequence[UOp], combine: Callable[[UOp, UOp], UOp]) -> list[UOp]:
        """One number a slot, combined over the lanes that share the row, in the same order for all of them."""
        if self.layout.is_cuda:
            return [self._shuffled(value, combine) for value in values]
        self.body.together([(self.scratch, (self.thread, slot), value) for slot, value in enumerate(values)])
        self.body.barrier()
        folded = []
        for slot in range(len(values)):
            total = None
            for x in range(self.fragment.sharers):
                lane = self.warp * self.fragment.lanes + self.fragment.sharer(self.lane, x)
                other = self.body.read(self.scratch, lane, slot)
                total = other if total is None else combine(total, other)
            assert total is not None
            folded.append(total)
        return folded

    def _shuffled(self, value: UOp, combine: Callable[[UOp, UOp], UOp]) -> UOp:
        # sharers are neighbours; a statement of its own, because all lanes must take part whatever is done with it
        if value.op is Ops.INDEX:
            value = value.load()
        for step in (1, 2):
            text = f"__shfl_xor_sync(0xffffffffu, {{0}}, {step})"
            value = combine(value, UOp(Ops.CUSTOM, dtypes.float32, (value,), text))
        return value

    def by_slot(self, tiles: Sequence[Sequence[Tile]], combine: Callable[[UOp, UOp], UOp]) -> list[UOp]:
        """One number a slot from a lane's own elements: tiles[u][n][e]."""
        folded: list[UOp | None] = [None] * self.slots
        for u, of_u in enumerate(tiles):
            for tile in of_u:
                for e, value in enumerate(tile):
                    slot = self.slot(u, e)
                    kept = folded[slot]
                    folded[slot] = value if kept is None else combine(kept, value)
        return [value for value in folded if value is not None]
