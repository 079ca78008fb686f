"""The tensors of an attention kernel by name: what a launch hands over in one row, taken apart in one place."""

from __future__ import annotations

from dataclasses import dataclass

from tinygrad import UOp

from gattn_tg.kernels.tiles.rotation import Rotation
from gattn_tg.kernels.tiles.score import Score


@dataclass(frozen=True)
class Operands:
    """The operands of a forward kernel.

    Args:
        outputs: what the kernel writes, scratch memory included.
        q, k, v: (b, h, n, d), (b, g, m, d) and (b, g, m, e).
        of_score: what `score.operands` names.
        by_distance: the factors of products by distance among them, (b, h, n, c) and (h, c, lanes).
        angles: what `rotation.operands` names.
    """

    outputs: tuple[UOp, ...]
    q: UOp
    k: UOp
    v: UOp
    of_score: tuple[UOp, ...]
    by_distance: tuple[UOp, UOp] | None
    angles: dict[str, UOp]

    @property
    def sizes(self) -> tuple[int, int, int, int, int, int, int]:
        """b, h, g, n, m, d, e."""
        b, h, n, d = self.q.shape
        _, g, m, e = self.v.shape
        return b, h, g, n, m, d, e


@dataclass(frozen=True)
class BackwardOperands(Operands):
    """The operands of a backward kernel.

    Args:
        do: gradient of the output.
        top, inverse: maximum of the scores of each row and 1 / its sum, from the forward kernel, (b, h, n).
        delta: rowsum(do * o) - dlse, (b, h, n).
    """

    do: UOp
    top: UOp
    inverse: UOp
    delta: UOp


def forward(outputs: int, score: Score, rotation: Rotation, operands: tuple[UOp, ...]) -> Operands:
    """Outputs, q, k, v, then those of the score and of the rotation."""
    made, (q, k, v, *tensors) = operands[:outputs], operands[outputs:]
    return Operands(made, q, k, v, *_tensors(score, rotation, tuple(tensors)))


def backward(outputs: int, score: Score, rotation: Rotation, operands: tuple[UOp, ...]) -> BackwardOperands:
    """Outputs, q, k, v, do, top, inverse, delta, then those of the score and of the rotation."""
    made, (q, k, v, do, top, inverse, delta, *tensors) = operands[:outputs], operands[outputs:]
    return BackwardOperands(made, q, k, v, *_tensors(score, rotation, tuple(tensors)), do, top, inverse, delta)


def _tensors(
    score: Score, rotation: Rotation, tensors: tuple[UOp, ...]
) -> tuple[tuple[UOp, ...], tuple[UOp, UOp] | None, dict[str, UOp]]:
    count = len(score.operands)
    by_distance = (tensors[count - 2], tensors[count - 1]) if score.relative else None
    return tensors[:count], by_distance, dict(zip(rotation.operands, tensors[count:], strict=True))
