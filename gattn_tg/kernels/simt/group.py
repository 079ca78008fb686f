"""Groups of GPU threads that compute one tile together: the `simt` schedule, for devices without matrix units.

A group of `down * across` threads lays blocks of rows out in shared memory, once for all, and every thread keeps a
small register tile of each product: of `rows` outputs every down-th one, of `columns` every across-th one, so that
neighbouring threads touch neighbouring words. Rows in shared memory have one spare word, which keeps both directions of
reading free of bank conflicts: the same block serves as rows of one product and as columns of the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tinygrad import UOp, dtypes
from tinygrad.dtype import DType

from gattn_tg.kernels.tiles.body import Body, element
from gattn_tg.kernels.tiles.rotation import Rotation
from gattn_tg.kernels.tiles.tile import FOLD, ROWS, Element, ceildiv, exp2

TERMS = 4  # terms of a sum at once, where one thread is alone


@dataclass(frozen=True)
class Layout:
    """How a group of threads cuts its work.

    Args:
        down, across: threads along the rows and along the columns of a tile.
        rows: queries at a time, a multiple of down.
        keys: keys at a time, a multiple of down and of across, a divisor of 64.
    """

    down: int
    across: int
    rows: int
    keys: int

    @property
    def threads(self) -> int:
        """Threads of a group."""
        return self.down * self.across

    @property
    def name(self) -> str:
        """The part of a kernel's name that tells layouts apart."""
        return f"simt{self.down}x{self.across}_{self.rows}x{self.keys}"

    def padded(self, width: int) -> int:
        """Columns that the threads cover."""
        return ceildiv(width, self.across) * self.across

    def wide(self, width: int) -> int:
        """Words of a row of a block: one to spare, which a thread that is alone has no use for."""
        return width if self.threads == 1 else self.padded(width) + 1


class Group:
    """The threads of one group inside one kernel.

    Args:
        body: the kernel under construction.
        layout: how they cut their work.
    """

    def __init__(self, body: Body, layout: Layout) -> None:
        self.body, self.layout = body, layout
        self.thread = body.threads(layout.threads)
        self.parts: dict[int, UOp] = {}
        self.has_written = False
        self.y, self.x = self.thread // layout.across, self.thread % layout.across

    def block(self, rows: int, width: int) -> UOp:
        """Shared memory for rows of `width` elements; a thread that is alone keeps them to itself."""
        shape = (rows, self.layout.wide(width))
        return self.body.array(*shape) if self.layout.threads == 1 else self.body.shared(*shape)

    def line(self, size: int, dtype: DType = dtypes.float32) -> UOp:
        """Shared memory for `size` numbers."""
        return self.body.array(size, dtype=dtype) if self.layout.threads == 1 else self.body.shared(size, dtype=dtype)

    def barrier(self) -> None:
        """Wait for all threads of the group."""
        if self.layout.threads > 1:
            self.body.barrier()

    def tile(self, rows: int, width: int) -> UOp:
        """Registers for one thread's share of a tile."""
        return self.body.array(rows // self.layout.down, ceildiv(width, self.layout.across))

    @contextmanager
    def each(self, tile: UOp) -> Iterator[tuple[UOp, UOp, UOp, UOp]]:
        """The elements of a tile that are this thread's: index in the registers, then row and column of the tile."""
        with self.body.loops(*tile.shape) as (i, j):
            yield i, j, self.row(i), self.column(j)

    def row(self, i: UOp) -> UOp:
        """Row of a tile that stands in row i of the registers."""
        return self.y + i * self.layout.down

    def column(self, j: UOp) -> UOp:
        """Column of a tile that stands in column j of the registers."""
        return self.x + j * self.layout.across

    def exp2(self, x: UOp) -> UOp:
        """2**x for x <= 0: the instruction of a GPU; plain steps, which become vectors, for one thread."""
        return exp2(x) if self.layout.threads == 1 else x.exp2()

    def part(self) -> None:
        """A barrier between two runs of writes to shared memory; else tinygrad places one in every turn."""
        if self.has_written:
            self.barrier()
        self.has_written = True

    def fill(
        self, block: UOp, rows: int, width: int, value: Callable[[UOp, UOp], UOp], is_turned: bool = False
    ) -> None:
        """block[i, x] = value(i, x) for x < width padded to the threads; at block[x, i] where it is turned."""
        width = self.layout.padded(width)
        self.part()
        threads = self.layout.threads
        with self.body.loop(ceildiv(rows * width, threads)) as turn:
            at = turn * threads + self.thread
            # the last turn may write an element twice, the same value: see `GroupScore.load`
            i = (at // width).minimum(rows - 1)
            x = at % width
            self.body.write(block, (x, i) if is_turned else (i, x), value(i, x))

    def clear(self, tile: UOp) -> None:
        """tile = 0."""
        with self.body.loops(*tile.shape) as (i, j):
            self.body.write(tile, (i, j), 0.0)

    def product(self, tile: UOp, depth: int, rows: Element, columns: Element) -> None:
        """tile[i, j] += sum_x rows(x, i) * columns(x, j)."""
        body, (own, wide) = self.body, tile.shape
        if self.layout.threads > 1:
            with body.loop(depth) as x, self.each(tile) as (i, j, row, column):
                body.write(tile, (i, j), body.read(tile, i, j) + rows(x, row) * columns(x, column))
            return
        # a thread that is alone has many rows: four of them take four terms at a time, so that one visit of a sum in
        # memory serves four multiply-adds; PoCL unrolls nothing by itself
        whole = depth // TERMS * TERMS
        for start, stop, step in ((0, whole, TERMS), (whole, depth, 1)):
            if start == stop:
                continue
            with body.loops(own // ROWS, (stop - start) // step, wide) as (r, turn, j):
                for i in range(ROWS):
                    at = (r * ROWS + i, j)
                    value = body.read(tile, *at)
                    for term in range(step):
                        x = turn * step + (start + term)
                        value = value + rows(x, self.row(at[0])) * columns(x, self.column(j))
                    body.write(tile, at, value)

    def fold(self, out: UOp, tile: UOp, start: float, combine: Callable[[UOp, UOp], UOp]) -> None:
        """out[i] = this thread's elements of row i combined, in FOLD lanes where it has many."""
        body, (own, wide) = self.body, tile.shape
        lanes = FOLD if wide % FOLD == 0 else 1
        partial = out if lanes == 1 else self.parts.setdefault(-own, body.array(own, FOLD))
        with body.loops(own, lanes) as (i, x):
            body.write(partial, (i, x), start)
        with body.loops(own, wide // lanes, lanes) as (i, y, x):
            body.write(partial, (i, x), combine(body.read(partial, i, x), body.read(tile, i, y * lanes + x)))
        while lanes > 1:
            lanes //= 2
            with body.loops(own, lanes) as (i, x):
                body.write(partial, (i, x), combine(body.read(partial, i, x), body.read(partial, i, x + lanes)))
        if partial is not out:
            with body.loop(own) as i:
                body.write(out, (i, 0), body.read(partial, i, 0))

    def put(self, block: UOp, tile: UOp, is_turned: bool = False) -> None:
        """block = tile, transposed where it is turned."""
        with self.each(tile) as (i, j, row, column):
            place = (column, row) if is_turned else (row, column)
            self.body.write(block, place, self.body.read(tile, i, j))


def by_row(body: Body, block: UOp) -> Element:
    """(x, i) -> element x of row i."""
    return lambda x, i: body.read(block, i, x)


def by_column(body: Body, block: UOp) -> Element:
    """(x, i) -> element i of row x."""
    return lambda x, i: body.read(block, x, i)


def turned(
    x: UOp, width: int, rotation: Rotation, load: Callable[[UOp], UOp], *, cos: UOp | None, sin: UOp | None,
    b: UOp, row: UOp, back: bool = False,
) -> UOp:  # fmt: skip
    """Channel x of a row, turned by the angles of `row`; some number from `width` on, where nobody looks.

    Args:
        load: channel -> its value.
        back: turn by the opposite angles.
    """
    at, channels = x.minimum(width - 1), rotation.channels
    value = load(at)
    if channels:
        assert cos is not None
        assert sin is not None
        half = channels // 2
        angle = at // 2 if rotation.is_interleaved else at % half
        is_first = (at % 2).eq(0) if rotation.is_interleaved else at < half
        step = 1 if rotation.is_interleaved else half
        partner = is_first.where(at + step, at - step).maximum(0).minimum(width - 1)
        place = (b if cos.shape[0] > 1 else 0, row, angle.minimum(half - 1))
        sign = is_first.where(1.0 if back else -1.0, -1.0 if back else 1.0)
        turn = value * element(cos, *place) + load(partner) * element(sin, *place) * sign
        value = turn if channels >= width else (at < channels).where(turn, value)
    return value
