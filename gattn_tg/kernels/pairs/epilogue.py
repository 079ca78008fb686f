"""The epilogue of `tiles/epilogue.py` for tiles of pairs, whose results instructions round to bfloat16."""

from __future__ import annotations

from dataclasses import dataclass

from tinygrad import UOp, dtypes

from gattn_tg.kernels.pairs import unit
from gattn_tg.kernels.pairs.unit import Place
from gattn_tg.kernels.tiles.body import element
from gattn_tg.kernels.tiles.epilogue import Epilogue, activate

WHOLE = 16  # float32 that are rounded together


@dataclass(frozen=True)
class PairEpilogue(Epilogue):
    """The same statements, with the results in place of the sums before they are rounded and stored.

    Args:
        c: Output, a matrix in bfloat16.
        pairs: Instructions.
    """

    c: UOp
    pairs: str

    @staticmethod
    def serves(c: UOp, width: int) -> bool:
        """Whether an output of this type and tiles of this width are rounded so."""
        return c.dtype == dtypes.bfloat16 and width % WHOLE == 0

    def __call__(self, r0: UOp, n0: UOp) -> None:
        """Finish the tile whose first element is (r0, n0)."""
        body, acc, residual = self.body, self.acc, self.residual
        if (bias := self.bias) is not None:
            with body.loops(self.height, self.width) as (i, j):
                body.write(acc, (i, j), body.read(acc, i, j) + bias[n0 + j].cast(dtypes.float32))
        if self.z is not None:
            self.keep(self.z, r0, n0)
        if self.activation is not None or residual is not None:
            with body.loops(self.height, self.width) as (i, j):
                value = activate(self.activation, body.read(acc, i, j))
                if residual is not None:
                    value = value + element(residual, r0 + i, n0 + j).cast(dtypes.float32)
                body.write(acc, (i, j), value)
        self.keep(self.c, r0, n0)

    def keep(self, out: UOp, r0: UOp, n0: UOp) -> None:
        """out = the tile, rounded."""
        place, tile = Place(out, (r0, n0), out.shape[1]), Place(self.acc, (0, 0), self.acc.shape[1])
        unit.narrow(self.body, self.pairs, place, tile, self.height, self.width)
