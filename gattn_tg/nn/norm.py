"""Layer normalisation."""

from __future__ import annotations

from tinygrad import Tensor

from gattn_tg.nn.initial import filled
from gattn_tg.ops.norm import layer_norm
from gattn_tg.types import Float


class LayerNorm:
    """(x - mean) / sqrt(var + eps) * weight + bias over the last axis, statistics in float32.

    Source: Ba, Kiros and Hinton 2016, eq. 4.
    """

    def __init__(self, width: int, eps: float = 1e-5) -> None:
        self.eps = eps
        self.weight: Float[Tensor, "w"] = filled(1.0, width)
        self.bias: Float[Tensor, "w"] = filled(0.0, width)

    def __call__(self, x: Float[Tensor, "... w"]) -> Float[Tensor, "... w"]:
        return layer_norm(x, self.weight, self.bias, self.eps)
