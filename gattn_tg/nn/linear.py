"""Affine map of the last axis."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor

from gattn_tg.nn.initial import filled, normal
from gattn_tg.nn.low_rank import LowRank
from gattn_tg.ops.activation import FUNCTIONS
from gattn_tg.ops.linear import linear
from gattn_tg.types import Float


class Linear:
    """y = x W^T + b, with the parameter names and layout of `torch.nn.Linear`.

    Args:
        n_in: channels in.
        n_out: channels out.
        rng: source of the initial weights, N(0, 1/n_in).
        bias: whether to add b (starts at 0).
        gain: factor on the initial standard deviation.

    Attributes:
        low: an update of low rank, while one is learnt in place of the weight.
    """

    def __init__(self, n_in: int, n_out: int, rng: np.random.Generator, bias: bool = True, gain: float = 1.0) -> None:
        self.weight: Float[Tensor, "n_out n_in"] = normal(rng, (n_out, n_in), gain * n_in**-0.5)
        self.bias: Float[Tensor, "n_out"] | None = filled(0.0, n_out) if bias else None
        self.low: LowRank | None = None

    def __call__(
        self, x: Float[Tensor, "... n_in"], activation: str | None = None,
        residual: Float[Tensor, "... n_out"] | None = None,
    ) -> Float[Tensor, "... n_out"]:
        """f(x W^T + b) + residual; `activation` f and residual as in `ops.linear`, computed in the same pass."""
        if self.low is None:
            return linear(x, self.weight, self.bias, activation, residual)
        y = self.low(x, linear(x, self.weight, self.bias))
        y = y if activation is None else FUNCTIONS[activation](y)
        return y if residual is None else y + residual
