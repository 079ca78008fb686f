"""Affine map of the last axis."""

from __future__ import annotations

from tinygrad import Tensor

from gattn_tg.types import Float


def linear(
    x: Float[Tensor, "... n_in"], weight: Float[Tensor, "n_out n_in"], bias: Float[Tensor, "n_out"] | None = None
) -> Float[Tensor, "... n_out"]:
    """y = x W^T + b over the last axis, in the dtype of x."""
    y = x.matmul(weight.transpose())
    return y if bias is None else y + bias
