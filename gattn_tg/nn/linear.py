"""Affine map and the initial values of every parameter."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor

from gattn_tg.ops.linear import linear
from gattn_tg.types import Float


def normal(rng: np.random.Generator, shape: tuple[int, ...], std: float) -> Tensor:
    """Float32 values from N(0, std**2), drawn by NumPy so that every device starts from the same model."""
    return Tensor((rng.standard_normal(shape) * std).astype(np.float32))


def filled(value: float, *shape: int) -> Tensor:
    """Float32 memory with one value, made by NumPy: no kernel has to be compiled for it."""
    return Tensor(np.full(shape, value, np.float32))


class Linear:
    """y = x W^T + b, with the parameter names and layout of PyTorch's `nn.Linear`.

    Args:
        n_in: channels in.
        n_out: channels out.
        rng: source of the initial weights, N(0, 1/n_in).
        bias: whether to add b (starts at 0).
        gain: factor on the initial standard deviation.
    """

    def __init__(self, n_in: int, n_out: int, rng: np.random.Generator, bias: bool = True, gain: float = 1.0) -> None:
        self.weight: Float[Tensor, "n_out n_in"] = normal(rng, (n_out, n_in), gain * n_in**-0.5)
        self.bias: Float[Tensor, "n_out"] | None = filled(0.0, n_out) if bias else None

    def __call__(
        self, x: Float[Tensor, "... n_in"], activation: str | None = None,
        residual: Float[Tensor, "... n_out"] | None = None,
    ) -> Float[Tensor, "... n_out"]:
        """f(x W^T + b) + residual; `activation` f and residual as in `ops.linear`, computed in the same pass."""
        return linear(x, self.weight, self.bias, activation, residual)
