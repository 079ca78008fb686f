"""Flash attention, forward, for one or two rows of queries per head, as in decoding against a cache of keys.

Every key is used once or twice, so reading it is what takes the time. Keys and values are read where they are; the
product of a row and a key runs over lanes of channels, which are folded in two steps:

    lanes[j, x] = sum_c q[16 c + x] k[j, 16 c + x]      x < 16
    quads[j, x] = sum_y lanes[j, 4 y + x]               x < 4          s[j] = sum_x quads[j, x]

Steps of halves, each reading what the one before has just written, take ten times as long.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager

from tinygrad import UOp, dtypes
from tinygrad.dtype import DType

from gattn_tg.kernels.loops.forward import OUTPUTS, Forward
from gattn_tg.kernels.tiles import operands as named
from gattn_tg.kernels.tiles.body import element
from gattn_tg.kernels.tiles.operands import Operands
from gattn_tg.kernels.tiles.rotation import Rotation, Turn
from gattn_tg.kernels.tiles.score import LOG2E, Score
from gattn_tg.kernels.tiles.tile import (
    FOLD,
    LANES,
    LARGEST,
    Element,
    Panel,
    View,
    ceildiv,
    lane_groups,
    saturate,
    tree,
)

FEW = 2  # rows of one head for which laying keys out by channel costs more than it saves
QUAD = 4


@functools.cache
def kernel(score: Score, rotation: Rotation) -> Callable[..., UOp]:
    """The kernel of a score function and a rotation, with the operands of `loops/forward.kernel`."""

    @functools.cache
    def loops_few(*operands: UOp) -> UOp:
        return FewRows(score, rotation, named.forward(OUTPUTS, score, rotation, operands)).build()

    return loops_few


class FewRows(Forward):
    """The forward kernel for at most FEW rows per head."""

    def __init__(self, score: Score, rotation: Rotation, given: Operands) -> None:
        super().__init__(score, rotation, given)
        self.together = self.n
        self.q_width = ceildiv(self.d, FOLD) * FOLD
        self.partial, self.quads = self.body.array(LANES, FOLD), self.body.array(LANES, QUAD)

    def reads_q_in_place(self, dtype: DType) -> bool:
        """Never: q carries the factor of the score, and products read it beyond its width."""
        return False

    @property
    def reads_k_in_place(self) -> bool:
        """Whether rows of k serve as they are."""
        return not self.rotation.channels and self.q_width == self.d

    def tiles(self, first: UOp) -> AbstractContextManager[UOp]:
        """All rows at once."""
        return self.body.loop(1)

    def start(self) -> None:
        """As for many rows; the lanes that pad a row of q and of k are 0."""
        if self.q_width > self.d:
            self.at_q.fill(self.rows * self.q_width, 0.0)
            self.at_k.fill(LANES * self.q_width, 0.0)
        super().start()

    def lay_out_q(self) -> None:
        """The rows of q, turned, in units of the score."""
        factor = self.score.scale * LOG2E
        turn = Turn(self.body, self.rotation, self.angles.get("cos_q"), self.angles.get("sin_q"), self.b)
        turn.lay_out(
            self.rows, self.d, self.row,
            lambda i, x: element(self.q, self.b, self.h, self.row(i), x).cast(dtypes.float32) * factor,
            lambda i, x, value: self.at_q.write(i * self.q_width + x, value),
        )  # fmt: skip

    def lay_out_keys(self, first: UOp) -> None:
        """k and v; what the score needs waits for the products, which tell whether k is broken."""
        self.lay_out_k(first)
        self.lay_out_v(first)

    def lay_out_v(self, first: UOp) -> None:
        """v, key after key, without broken numbers; whole blocks of float32 rows serve as they are."""
        if self.width == self.e and self.m % LANES == 0 and self.v.dtype == dtypes.float32:
            self.lanes_of_v: Panel | View = View(
                lambda j, x: saturate(element(self.v, self.b, self.g, first + j, x), LARGEST)
            )  # fmt: skip
            return
        self.lanes_of_v = self.at_v
        super().lay_out_v(first)

    def lay_out_k(self, first: UOp) -> None:
        """Rows of keys, turned and padded to whole lanes, where they do not serve as they are."""
        wide = self.q_width
        if self.reads_k_in_place:
            self.rows_of_k: Element = lambda j, x: (
                element(self.k, self.b, self.g, self.key(first, j), x).cast(dtypes.float32)
            )  # fmt: skip
            return
        self.rows_of_k = lambda j, x: self.at_k.read(j * wide + x)
        self.turn_of_keys().lay_out(
            LANES, self.d, lambda j: self.key(first, j),
            lambda j, x: element(self.k, self.b, self.g, self.key(first, j), x).cast(dtypes.float32),
            lambda j, x, value: self.at_k.write(j * wide + x, value),
        )  # fmt: skip

    def multiply(self, r: UOp, first: UOp) -> None:
        """s = q k^T, through lanes and quads; then broken keys are known."""
        body, partial, quads, wide = self.body, self.partial, self.quads, self.q_width
        with body.loop(self.n) as i:
            with body.loops(LANES, FOLD) as (j, x):
                terms = [self.at_q.read(i * wide + c + x) * self.rows_of_k(j, x + c) for c in range(0, wide, FOLD)]
                body.write(partial, (j, x), tree(terms, UOp.__add__))
            with body.loops(LANES, QUAD) as (j, x):
                terms = [body.read(partial, j, x + y) for y in range(0, FOLD, QUAD)]
                body.write(quads, (j, x), tree(terms, UOp.__add__))
            with body.loop(LANES) as j:
                body.write(self.s, (i, j), tree([body.read(quads, j, y) for y in range(QUAD)], UOp.__add__))
        self.broken.clear()
        with body.loops(self.n, LANES) as (i, j):
            body.write(self.broken.sums, (j,), body.read(self.broken.sums, j) + body.read(self.s, i, j))
        self.broken.add(self.v, self.b, self.g, first)
        self.broken.find(self.b, self.g, first)
        self.scores.load(self.b, self.h, first)

    def add_values(self, r: UOp, at: UOp) -> None:
        """acc = acc * shrink + s v."""
        body, c = self.body, self.c
        for start, size in lane_groups(self.e):
            lanes = self.lanes_of_v.lanes(self.width, start)
            with body.loops(self.n, size) as (i, x):
                before = self.acc.read(i * self.width + (start + x))
                body.write(c, (i, x), before * body.read(self.shrink, i))
            with body.loops(LANES, self.n, size) as (j, i, x):
                body.write(c, (i, x), body.read(c, i, x) + body.read(self.s, i, j) * lanes(j, x))
            with body.loops(self.n, size) as (i, x):
                self.acc.write(i * self.width + (start + x), body.read(c, i, x))
