"""Flash attention, forward, for bfloat16 on CPUs that multiply pairs of it: the algorithm of `forward.py`.

Both products run over pairs: q k^T over pairs of channels, p v over pairs of keys, with p rounded to bfloat16. Scores,
softmax and sums are float32.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from tinygrad import UOp, dtypes

from gattn_tg.kernels.loops.forward import OUTPUTS, Forward
from gattn_tg.kernels.loops.pair_rows import WIDEST_BFLOAT16, PairRows
from gattn_tg.kernels.loops.units import query_rows, runs
from gattn_tg.kernels.pairs import unit as pair_unit
from gattn_tg.kernels.pairs.unit import Place
from gattn_tg.kernels.tiles import operands as named
from gattn_tg.kernels.tiles.body import element
from gattn_tg.kernels.tiles.operands import Operands
from gattn_tg.kernels.tiles.rotation import Rotation
from gattn_tg.kernels.tiles.score import LOG2E, Score
from gattn_tg.kernels.tiles.tile import LANES, Arena, ceildiv, padded, saturate

TOGETHER = (32, 16)  # rows of one product and one softmax


def arena(b: int, h: int, n: int, d: int, e: int) -> tuple[int, Arena]:
    """Rows per unit, and the scratch memory of one part, in words."""
    most, least = TOGETHER
    step = most if n > least else least
    rows = ceildiv(query_rows(b * h, n, max(d, e)), step) * step
    return rows, Arena(
        q=rows * d // 2, k=LANES * d // 2, v=LANES // 2 * padded(e), acc=rows * padded(e),
        wide=LANES * d, narrow=LANES * d // 2, p=most * LANES // 2,
    )  # fmt: skip


def scratch_shape(b: int, h: int, n: int, d: int, e: int) -> tuple[int, int]:
    """Shape of the scratch operand."""
    rows, panels = arena(b, h, n, d, e)
    return runs(b * h * ceildiv(n, rows)), panels.size


@functools.cache
def kernel(score: Score, rotation: Rotation, pairs: str) -> Callable[..., UOp]:
    """The kernel of a score function and a rotation on given instructions, with the operands of `forward.kernel`."""

    @functools.cache
    def pairs_forward(*operands: UOp) -> UOp:
        return PairForward(score, rotation, named.forward(OUTPUTS, score, rotation, operands), pairs).build()

    return pairs_forward


class PairForward(Forward):
    """The forward kernel over pairs under construction."""

    together_sizes = TOGETHER

    def __init__(self, score: Score, rotation: Rotation, given: Operands, pairs: str) -> None:
        self.pairs = pairs
        super().__init__(score, rotation, given)

    def arena(self) -> tuple[int, Arena]:
        """Rows per unit, and scratch memory."""
        return arena(self.b_size, self.h_size, self.n, self.d, self.e)

    def way(self) -> str:
        """The instructions."""
        return self.pairs

    def take_panels(self, part: UOp) -> None:
        """Names the scratch memory of one part."""
        self.at_q, self.at_k, self.at_v, self.acc, wide, self.narrow, self.at_p = self.panels.panels(
            self.body, self.scratch, part
        )
        self.laid = PairRows(self.body, self.pairs, wide)

    def take_rows(self) -> None:
        """The rows of q: where they are, or laid out."""
        self.is_in_place = self.reads_q_in_place(dtypes.bfloat16)
        if not self.is_in_place:
            self.lay_out_q()

    def lay_out_q(self) -> None:
        """The rows of q, turned, some at a time."""
        turn = self.turn_of_rows()
        step = next(x for x in (LANES, *TOGETHER) if self.rows % x == 0)
        with self.body.loop(self.rows // step) as piece:
            r = piece * step
            self.laid.lay_out(
                turn, step, self.d, lambda i: self.row(r + i),
                lambda i, x: element(self.q, self.b, self.h, self.row(r + i), x),
                Place.of(self.at_q, self.d // 2, r * (self.d // 2)),
            )  # fmt: skip

    def lay_out_k(self, first: UOp) -> None:
        """k, a pair of channels after another."""
        if not self.rotation.channels and self.k.dtype == dtypes.bfloat16 and self.m % LANES == 0:
            rows = Place(self.k, (self.b, self.g, first, 0), self.d)
        else:
            rows = Place.of(self.narrow, self.d // 2)
            self.laid.lay_out(
                self.turn_of_keys(), LANES, self.d, lambda j: self.key(first, j),
                lambda j, x: element(self.k, self.b, self.g, self.key(first, j), x), rows,
            )  # fmt: skip
        pair_unit.transpose(self.body, Place.of(self.at_k, LANES), rows, LANES, self.d // 2)

    def lay_out_v(self, first: UOp) -> None:
        """v, a pair of keys after another; broken numbers become large ones, which rows that see them do not use."""

        def value(j: UOp, x: UOp) -> UOp:
            number = element(self.v, self.b, self.g, self.key(first, j), x).cast(dtypes.float32)
            return saturate(number, WIDEST_BFLOAT16).cast(dtypes.bfloat16)

        with self.body.loops(LANES // 2, self.e) as (j, x):
            self.at_v.write(j * self.width + x, pair_unit.pair(value(j * 2, x), value(j * 2 + 1, x)))

    def multiply(self, r: UOp, first: UOp) -> None:
        """s = q k^T for the rows from r."""
        if self.is_in_place:
            rows = Place(self.q, (self.b, self.h, self.i0 + r, 0), self.d)
        else:
            rows = Place.of(self.at_q, self.d // 2, r * (self.d // 2))
        sums, lanes = Place(self.s, (0, 0), LANES), Place.of(self.at_k, LANES)
        pair_unit.multiply(self.body, self.pairs, sums, rows, lanes, self.together, LANES, self.d // 2, clear=True)

    def scaled(self, s: UOp) -> UOp:
        """A product in units of the score."""
        return s * (self.score.scale * LOG2E)

    def add(self, r: UOp) -> None:
        """acc = acc * shrink + s v for the rows from r."""
        body, wide = self.body, self.width
        p, sums = Place.of(self.at_p, LANES // 2), Place.of(self.acc, wide, r * wide)
        pair_unit.narrow(body, self.pairs, p, Place(self.s, (0, 0), LANES), self.together, LANES)
        with body.loops(self.together, wide) as (i, x):
            at = (r + i) * wide + x
            self.acc.write(at, self.acc.read(at) * body.read(self.shrink, i))
        pair_unit.multiply(body, self.pairs, sums, p, Place.of(self.at_v, wide), self.together, wide, LANES // 2)
