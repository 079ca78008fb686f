"""A factor and a shift for each channel."""

from __future__ import annotations

from tinygrad import Tensor

from gattn_tg.nn.initial import filled
from gattn_tg.types import Float


class Affine:
    """y = weight x + bias, channel by channel of the last axis: what batch normalisation is once its statistics stand.

        gamma (x - mean) / sqrt(var + eps) + beta = weight x + bias

    Args:
        width: channels.
    """

    def __init__(self, width: int) -> None:
        self.weight: Float[Tensor, "w"] = filled(1.0, width)
        self.bias: Float[Tensor, "w"] = filled(0.0, width)

    def __call__(self, x: Float[Tensor, "... w"]) -> Float[Tensor, "... w"]:
        return (x * self.weight + self.bias).cast(x.dtype)
