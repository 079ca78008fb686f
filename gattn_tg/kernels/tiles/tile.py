"""Tiles: small blocks that stay in registers, and the panels in memory that feed them.

A product runs as a sum of outer products over `depth`: a few rows times 64 contiguous lanes. The C compiler of
tinygrad's CPU device turns exactly this loop nest (an inner loop of 32 or 64 contiguous lanes) into fused multiply-adds
on registers; shorter inner loops are unrolled before the vectoriser sees them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from tinygrad import UOp, dtypes

from gattn_tg.kernels.tiles.body import Body
from gattn_tg.machine import sizes as plan_table

ROWS, LANES = 4, 64
LARGEST = 3.4028234e38  # float32
FOLD = 16  # lanes in which a row is folded before it becomes one number

# 2**f for |f| <= 1/2, exact at 0: minimax over degree 5, relative error 9e-8
EXP2 = (0.001326472731307149, 0.009671512991189957, 0.05550733581185341, 0.24022242426872253, 0.6931470036506653, 1.0)

Element = Callable[[UOp, UOp], UOp]


def ceildiv(a: int, b: int) -> int:
    """a / b rounded up."""
    return -(-a // b)


def lane_groups(width: int) -> tuple[tuple[int, int], ...]:
    """Cover `width` lanes by groups (start, lanes) of 64, the last one of 32 or 16 where that is enough."""
    groups = [(start, LANES) for start in range(0, width, LANES)]
    start, _ = groups[-1]
    groups[-1] = (start, next(lanes for lanes in (LANES // 4, LANES // 2, LANES) if width - start <= lanes))
    return tuple(groups)


def padded(width: int) -> int:
    """Lanes that `lane_groups(width)` covers."""
    start, lanes = lane_groups(width)[-1]
    return start + lanes


class Arena:
    """Named float32 panels in one scratch buffer of shape (parts, size); every part owns one row of it.

    Panels live there and not on the stack because worker threads have small stacks on some systems.
    """

    def __init__(self, **sizes: int) -> None:
        self.size = 0
        self.sizes = sizes
        self.starts: dict[str, int] = {}
        for name, size in sizes.items():
            self.starts[name] = self.size
            self.size += ceildiv(size, FOLD) * FOLD

    def panels(self, body: Body, scratch: UOp, part: UOp) -> list[Panel]:
        """The panels of one part, in the order in which they were named."""
        return [Panel(body, scratch, part, start) for start in self.starts.values()]


class Panel:
    """A flat piece of scratch memory."""

    def __init__(self, body: Body, scratch: UOp, part: UOp, start: int) -> None:
        self._body, self._scratch, self._part, self._start = body, scratch, part, start

    def read(self, index: UOp) -> UOp:
        """The element as it is after the last statement."""
        return self._body.read(self._scratch, self._part, index + self._start)

    def write(self, index: UOp, value: UOp | float) -> None:
        """The statement `panel[index] = value`."""
        self._body.write(self._scratch, (self._part, index + self._start), value)

    def address(self, index: UOp | int) -> tuple[UOp, tuple[UOp, UOp]]:
        """The buffer that an element lies in, and its place there."""
        return self._scratch, (self._part, index + UOp.const(self._start, dtypes.weakint))

    def fill(self, size: int, value: float) -> None:
        """Set the first `size` elements."""
        with self._body.loop(size) as i:
            self.write(i, value)

    def rows(self, wide: int, r: UOp) -> Element:
        """(i, x) -> element x of row r + i, rows of `wide` elements."""
        return lambda i, x: self.read((r + i) * wide + x)

    def columns(self, wide: int, r: UOp) -> Element:
        """(j, i) -> element r + j of row i."""
        return lambda j, i: self.read(i * wide + (r + j))

    def lanes(self, wide: int, start: int) -> Element:
        """(x, j) -> element start + j of row x."""
        return lambda x, j: self.read(x * wide + (start + j))


class View:
    """Rows of an operand that need no laying out: float32, whole tiles, nothing that turns. Read like a panel."""

    def __init__(self, element: Element) -> None:
        self._element = element

    def rows(self, wide: int, r: UOp) -> Element:
        """(i, x) -> element x of row r + i."""
        return lambda i, x: self._element(r + i, x)

    def lanes(self, wide: int, start: int) -> Element:
        """(x, j) -> element start + j of row x."""
        return lambda x, j: self._element(x, start + j)


def registers() -> tuple[int, int]:
    """Rows and lanes that a product sums at once on this machine."""
    return plan_table.tile()


# clang 15 unrolls a loop of so many turns whole, and then keeps the sums of a product in memory: a head of 16 channels
# took longer than one of 32. Two loops of half of it stay as they are. (clang 22 keeps them in registers either way.)
UNROLLED = 16


def product(
    body: Body, tile: UOp, depth: int, rows: Element, lanes: Element, width: int = LANES, row: UOp | int = 0
) -> None:
    """tile[row + i, j] += sum_x rows(i, x) * lanes(x, j), in pieces that fit the registers."""
    most_rows, most_lanes = registers()
    for top in range(0, ROWS, most_rows):
        for left in range(0, width, most_lanes):
            turns = 2 if depth == UNROLLED else 1
            inner = depth // turns
            with body.loops(turns, inner, most_rows, min(most_lanes, width - left)) as (turn, step, i, j):
                x = turn * inner + step
                at = (row + (top + i), left + j)
                body.write(tile, at, body.read(tile, *at) + rows(top + i, x) * lanes(x, at[1]))


def tree(terms: list[UOp], combine: Callable[[UOp, UOp], UOp]) -> UOp:
    """All terms combined in pairs, pairs of pairs, and so on: fewer of them wait for each other than in a row."""
    while len(terms) > 1:
        terms = [combine(*terms[i : i + 2]) if i + 1 < len(terms) else terms[i] for i in range(0, len(terms), 2)]
    return terms[0]


def fold(body: Body, partial: UOp, combine: Callable[[UOp, UOp], UOp], rows: int = ROWS) -> None:
    """partial[i, 0] = all FOLD lanes of row i combined, by halving."""
    width = FOLD
    while width > 1:
        width //= 2
        with body.loops(rows, width) as (i, j):
            body.write(partial, (i, j), combine(body.read(partial, i, j), body.read(partial, i, j + width)))


def exp2(x: UOp, down: int = 0) -> UOp:
    """2**(x - down) for x <= 0, relative error 1.6e-7, exactly 0 below -126.5; every step is a plain lane operation.

    tinygrad's own exp2 carries selects for nan and infinity through every lane.
    """
    x = x.maximum(down - 127.0)
    whole = (x - 0.5).cast(dtypes.int)  # truncation of x - 0.5 rounds x <= 0 to the nearest integer
    part = x - whole.cast(dtypes.float32)
    p = UOp.const(EXP2[0], dtypes.float32)
    for coefficient in EXP2[1:]:
        p = p * part + coefficient
    return p * ((whole + (127 - down)) * (1 << 23)).bitcast(dtypes.float32)


def at_most(x: UOp, limit: float) -> UOp:
    """min(x, limit) in one instruction, and limit for nan: tinygrad's own minimum is -max(-x, -limit)."""
    return (x < limit).where(x, limit)


def saturate(x: UOp, limit: float) -> UOp:
    """x kept in +-limit; nan (inf - inf in a product) becomes a number."""
    x = at_most(x, limit)
    return (x > -limit).where(x, -limit)


def bounded(x: UOp, limit: float) -> UOp:
    """x kept in +-limit; nan stays nan."""
    x = (x > limit).where(limit, x)
    return (x < -limit).where(-limit, x)


def finite(x: UOp) -> UOp:
    """x, but 0 for nan and infinities, so that 0 times what nobody sees is 0."""
    return is_finite(x).where(x, 0.0)


def is_finite(x: UOp) -> UOp:
    """Whether x is neither nan nor an infinity."""
    return (x < math.inf) & (x > -math.inf)


def is_nan(x: UOp) -> UOp:
    """Whether x is nan."""
    return x.ne(x)
