"""Convolution of every channel by itself."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor

from gattn_tg.nn.initial import normal
from gattn_tg.types import Float


class Depthwise:
    """y[b, r, c] = sum_t weight[c, t] x[b, r + t - kernel // 2, c]: same length, zeros beyond both ends.

    Args:
        width: channels.
        kernel: odd number of positions that one output sees.
        rng: source of the weight, N(0, 1 / kernel).
    """

    def __init__(self, width: int, kernel: int, rng: np.random.Generator) -> None:
        self.weight: Float[Tensor, "w k"] = normal(rng, (width, kernel), kernel**-0.5)

    def __call__(self, x: Float[Tensor, "b n w"]) -> Float[Tensor, "b n w"]:
        n, kernel = x.shape[1], self.weight.shape[1]
        wide = x.pad((None, (kernel // 2, kernel // 2), None))
        found = wide[:, :n] * self.weight[:, 0]
        for t in range(1, kernel):
            found = found + wide[:, t : t + n] * self.weight[:, t]
        return found.cast(x.dtype)
