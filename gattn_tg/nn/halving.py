"""Half the positions: a mean of every two neighbours with weights that follow from both."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor

from gattn_tg.errors import ShapeError
from gattn_tg.nn.linear import Linear
from gattn_tg.ops.activation import sigmoid
from gattn_tg.types import Float


class WeightedHalving:
    """y[r] = w x[2 r] + (1 - w) x[2 r + 1], w = softmax of (W x[2 r], W x[2 r + 1]), channel by channel.

    Two weights that add up to 1 are a sigmoid of the difference of what they follow from.

    Args:
        width: channels.
        rng: source of W.

    Source: Avsec et al. 2021 (Enformer), Methods: attention pooling.
    """

    def __init__(self, width: int, rng: np.random.Generator) -> None:
        self.score = Linear(width, width, rng, bias=False)

    def __call__(self, x: Float[Tensor, "b n w"]) -> Float[Tensor, "b n/2 w"]:
        b, n, w = x.shape
        if n % 2:
            raise ShapeError(f"WeightedHalving: expected an even number of positions, got x {x.shape}; pad or crop one")
        score = self.score(x).reshape(b, n // 2, 2, w)
        first = sigmoid(score[:, :, 0] - score[:, :, 1]).cast(x.dtype)
        x = x.reshape(b, n // 2, 2, w)
        return (x[:, :, 1] + (x[:, :, 0] - x[:, :, 1]) * first).contiguous()
