"""Flash attention, backward, for bfloat16 on CPUs that multiply pairs of it: the algorithm of `backward.py`.

    s = q k^T, dp = do v^T       over pairs of channels
    dv += p^T do, dk += ds^T q   over pairs of rows
    dq += ds k                   over pairs of keys

with p and ds rounded to bfloat16; scores, probabilities, slopes and all sums are float32.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from tinygrad import UOp, dtypes

from gattn_tg.kernels.loops.backward import OUTPUTS, Backward
from gattn_tg.kernels.loops.pair_rows import PairRows
from gattn_tg.kernels.pairs import unit as pair_unit
from gattn_tg.kernels.pairs.unit import Place
from gattn_tg.kernels.tiles import operands as named
from gattn_tg.kernels.tiles.body import element
from gattn_tg.kernels.tiles.operands import BackwardOperands
from gattn_tg.kernels.tiles.rotation import Rotation, Turn
from gattn_tg.kernels.tiles.score import LOG2E, Score
from gattn_tg.kernels.tiles.tile import LANES, ROWS, Panel, finite


@functools.cache
def kernel(score: Score, rotation: Rotation, pairs: str) -> Callable[..., UOp]:
    """The kernel of a score function and a rotation on given instructions, with the operands of `backward.kernel`."""

    @functools.cache
    def pairs_backward(*operands: UOp) -> UOp:
        return PairBackward(score, rotation, named.backward(OUTPUTS, score, rotation, operands), pairs).build()

    return pairs_backward


class PairBackward(Backward):
    """The backward kernel over pairs under construction."""

    is_paired = True

    def __init__(self, score: Score, rotation: Rotation, given: BackwardOperands, pairs: str) -> None:
        self.pairs = pairs
        super().__init__(score, rotation, given)

    def way(self) -> str:
        """The instructions."""
        return self.pairs

    def take_panels(self, part: UOp) -> None:
        """Names the scratch memory of one part."""
        (
            self.kt, self.vt, self.at_k, self.at_q, self.at_do, self.at_dk, self.at_dv, self.at_p, self.at_ds,
            wide, self.q_rows, self.do_rows, self.k_rows, self.p_rows, self.ds_rows, self.turned,
        ) = self.panels.panels(self.body, self.scratch, part)  # fmt: skip
        self.laid = PairRows(self.body, self.pairs, wide)
        self.still = Turn(self.body, Rotation(), None, None, part)

    def lay_out_k(self, first: UOp) -> None:
        """k by pairs of keys and by pairs of channels."""
        body, rows = self.body, Place.of(self.k_rows, self.d // 2)
        self.laid.lay_out(
            self.turn_k, LANES, self.d, lambda j: self.key(first, j),
            lambda j, x: finite(element(self.k, self.b, self.g, self.key(first, j), x).cast(dtypes.float32)), rows,
        )  # fmt: skip
        pair_unit.transpose(body, Place.of(self.kt, LANES), rows, LANES, self.d // 2)
        pair_unit.zipped(body, Place.of(self.at_k, self.wd), rows, LANES // 2, self.d)

    def lay_out_v(self, first: UOp) -> None:
        """v by pairs of channels."""
        rows = Place.of(self.k_rows, self.e // 2)
        self.laid.lay_out(
            self.still, LANES, self.e, lambda j: self.key(first, j),
            lambda j, x: element(self.v, self.b, self.g, self.key(first, j), x), rows,
        )  # fmt: skip
        pair_unit.transpose(self.body, Place.of(self.vt, LANES), rows, LANES, self.e // 2)

    def lay_out_factors(self, h: UOp, i0: UOp) -> None:
        """q and do by row, as they are where they can be read there, and by pairs of rows."""
        self.left_q = self.factor(h, i0, self.q, self.turn_q, self.q_rows)
        self.left_do = self.factor(h, i0, self.do, self.still, self.do_rows)
        for rows, panel, wide, width in (
            (self.left_q, self.at_q, self.wd, self.d),
            (self.left_do, self.at_do, self.we, self.e),
        ):
            pair_unit.zipped(self.body, Place.of(panel, wide), rows, self.rows // 2, width)

    def factor(self, h: UOp, i0: UOp, x: UOp, turn: Turn, panel: Panel) -> Place:
        """The rows of a chunk of q or do in bfloat16."""
        width = x.shape[3]
        if not turn.rotation.channels and x.dtype == dtypes.bfloat16 and self.n % self.rows == 0:
            return Place(x, (self.b, h, i0, 0), width)
        rows = Place.of(panel, width // 2)
        self.laid.lay_out(
            turn, self.rows, width, lambda i: self.row(i0, i),
            lambda i, c: element(x, self.b, h, self.row(i0, i), c), rows,
        )  # fmt: skip
        return rows

    def multiply(self, h: UOp, i0: UOp, first: UOp) -> None:
        """The five products of one chunk of rows."""
        body, rows = self.body, self.rows
        p, ds = Place.of(self.at_p, LANES), Place.of(self.at_ds, LANES)
        self.product(p, self.left_q, Place.of(self.kt, LANES), rows, LANES, self.d // 2, clear=True)
        self.product(ds, self.left_do, Place.of(self.vt, LANES), rows, LANES, self.e // 2, clear=True)
        with body.loop(rows // ROWS) as tile:
            self.weigh(h, i0, tile * ROWS, first)
        for sums, source, panel, lanes, wide in (
            (self.at_dv, p, self.p_rows, self.at_do, self.we),
            (self.at_dk, ds, self.ds_rows, self.at_q, self.wd),
        ):
            narrow, turned = Place.of(panel, LANES // 2), Place.of(self.turned, rows // 2)
            pair_unit.narrow(body, self.pairs, narrow, source, rows, LANES)
            pair_unit.transpose_pairs(body, turned, narrow, LANES, rows // 2)
            self.product(Place.of(sums, wide), turned, Place.of(lanes, wide), LANES, wide, rows // 2)
        dq = Place(self.dq, (self.part, self.b, h, i0, 0), self.wd)
        self.product(dq, Place.of(self.ds_rows, LANES // 2), Place.of(self.at_k, self.wd), rows, self.wd, LANES // 2)

    def product(
        self, sums: Place, left: Place, right: Place, rows: int, lanes: int, pairs: int, clear: bool = False
    ) -> None:
        """sums += left . right."""
        pair_unit.multiply(self.body, self.pairs, sums, left, right, rows, lanes, pairs, clear=clear)

    def weigh(self, h: UOp, i0: UOp, r: UOp, first: UOp) -> None:
        """p and ds of one tile, in place of its products."""
        for tile, panel in ((self.s, self.at_p), (self.dp, self.at_ds)):
            with self.body.loops(ROWS, LANES) as (i, j):
                self.body.write(tile, (i, j), panel.read((r + i) * LANES + j))
        self.soften(h, i0, r, first)

    def scaled(self, s: UOp) -> UOp:
        """A product in units of the score."""
        return s * (self.score.scale * LOG2E)

    def dq_factor(self) -> float:
        """What is left to multiply dq with."""
        return self.score.scale
