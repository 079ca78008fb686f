"""Rows of an operand laid out as bfloat16 for products of pairs: turned in float32, rounded once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tinygrad import UOp, dtypes

from gattn_tg.kernels.pairs import unit as pair_unit
from gattn_tg.kernels.pairs.unit import Place
from gattn_tg.kernels.tiles.body import Body
from gattn_tg.kernels.tiles.rotation import Load, Turn
from gattn_tg.kernels.tiles.tile import Panel

WIDEST_BFLOAT16 = 3.3895313892515355e38


class PairRows:
    """Statements that lay out rows inside one kernel.

    Args:
        body: The kernel under construction.
        pairs: Instructions.
        wide: Memory for the rows in float32, on their way.
    """

    def __init__(self, body: Body, pairs: str, wide: Panel) -> None:
        self.body, self.pairs, self.wide = body, pairs, wide

    def lay_out(
        self, turn: Turn, rows: int, width: int, row: Callable[[UOp], UOp], load: Load, out: Place
    ) -> None:
        """out[i, x] = turned load(i, x) in bfloat16, for `rows` rows, a multiple of 16, that follow each other."""
        turn.lay_out(
            rows, width, row, lambda i, x: load(i, x).cast(dtypes.float32),
            lambda i, x, value: self.wide.write(i * width + x, value),
        )  # fmt: skip
        # both are one row of memory, so widths need not fill registers
        flat, wide = replace(out, stride=rows * out.stride), Place.of(self.wide, rows * width)
        pair_unit.narrow(self.body, self.pairs, flat, wide, 1, rows * width)
