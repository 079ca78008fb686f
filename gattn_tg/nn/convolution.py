"""One-dimensional convolution along the sequence."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor

from gattn_tg.errors import ConfigError
from gattn_tg.nn.linear import filled, normal
from gattn_tg.ops.linear import linear
from gattn_tg.types import Float


class Convolution:
    """y[b, i] = bias + sum_t W[:, :, t] x[b, i + t - kernel // 2]: same length, zeros beyond both ends.

    Written as one matrix product over unfolded windows, so that it runs at the speed of `ops.linear`.
    The weight has the layout of PyTorch's `nn.Conv1d`: (n_out, n_in, kernel).

    Args:
        n_in: channels in.
        n_out: channels out.
        kernel: odd number of positions that one output sees.
        rng: source of the initial weights, N(0, 1 / (n_in * kernel)).
    """

    def __init__(self, n_in: int, n_out: int, kernel: int, rng: np.random.Generator) -> None:
        if kernel < 1 or kernel % 2 == 0:
            raise ConfigError(f"Convolution: kernel must be odd, so that it has a centre, but is {kernel}; use "
                              f"{kernel + 1}")
        self.kernel = kernel
        self.weight: Float[Tensor, "o i k"] = normal(rng, (n_out, n_in, kernel), (n_in * kernel) ** -0.5)
        self.bias: Float[Tensor, "o"] = filled(0.0, n_out)

    def __call__(self, x: Float[Tensor, "b n i"]) -> Float[Tensor, "b n o"]:
        b, n, n_in = x.shape
        half = self.kernel // 2
        windows = x.pad(((0, 0), (half, half), (0, 0))).unfold(1, self.kernel, 1)  # (b, n, i, k)
        weight = self.weight.reshape(self.weight.shape[0], n_in * self.kernel)
        return linear(windows.reshape(b, n, n_in * self.kernel), weight, self.bias)
