"""How much of every motif a whole sequence has: two numbers each, from its strengths at every base."""

from __future__ import annotations

from tinygrad import Tensor

from gattn_tg.nn.pool import valid_positions
from gattn_tg.types import Float, Int


def summary(strengths: Float[Tensor, "b n t"], lengths: Int[Tensor, "b"]) -> Float[Tensor, "b 2t"]:
    """The strongest site of every motif, and log(1 + sum of its strengths), in float32."""
    valid = valid_positions(strengths.shape[1], lengths).unsqueeze(-1)
    s = valid.where(strengths.float(), 0.0)  # strengths are never negative
    return s.max(1).cat((1.0 + s.sum(1)).log(), dim=-1)
