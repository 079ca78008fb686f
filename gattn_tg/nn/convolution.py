"""One-dimensional convolution along the sequence."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor

from gattn_tg.errors import ConfigError
from gattn_tg.nn.initial import filled, normal
from gattn_tg.ops.convolution import convolution
from gattn_tg.types import Float


class Convolution:
    """y[b, i] = bias + sum_t W[:, :, t] x[b, i + t - kernel // 2]: same length, zeros beyond both ends.

    The weight has the layout of `torch.nn.Conv1d`: (n_out, n_in, kernel).

    Args:
        n_in: channels in.
        n_out: channels out.
        kernel: odd number of positions that one output sees.
        rng: source of the initial weights, N(0, 1 / (n_in * kernel)).
    """

    def __init__(self, n_in: int, n_out: int, kernel: int, rng: np.random.Generator) -> None:
        if kernel < 1 or kernel % 2 == 0:
            raise ConfigError(f"Convolution kernel: expected an odd number, which has a centre, got {kernel}; use "
                              f"{kernel + 1}")
        self.kernel = kernel
        self.weight: Float[Tensor, "o i k"] = normal(rng, (n_out, n_in, kernel), (n_in * kernel) ** -0.5)
        self.bias: Float[Tensor, "o"] = filled(0.0, n_out)

    def __call__(
        self, x: Float[Tensor, "b n i"], activation: str | None = None, residual: Float[Tensor, "b n o"] | None = None
    ) -> Float[Tensor, "b n o"]:
        """f(convolution of x) + residual; `activation` f and residual as in `ops.convolution`, in the same pass."""
        return convolution(x, self.weight, self.bias, activation, residual)
