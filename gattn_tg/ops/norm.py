"""Layer normalisation over the last axis."""

from __future__ import annotations

import functools
import math

from tinygrad import Tensor, dtypes

from gattn_tg.errors import ShapeError
from gattn_tg.kernels.dense.rowwise import chunks, normalise, normalise_back
from gattn_tg.ops.launch import Output, launch, on_one_cpu
from gattn_tg.ops.lookup import added_up
from gattn_tg.types import Float


def layer_norm(
    x: Float[Tensor, "... w"], weight: Float[Tensor, "w"], bias: Float[Tensor, "w"], eps: float = 1e-5
) -> Float[Tensor, "... w"]:
    """(x - mean) / sqrt(var + eps) * weight + bias over the last axis, differentiable in all operands.

    Args:
        x: Input; its dtype is that of the result.
        weight: Factor per channel.
        bias: Shift per channel.
        eps: Added to the variance.

    Raises:
        ShapeError: weight or bias are not as wide as x.

    Numerics: statistics in float32, the variance from centred values. One kernel each way on the CPU.
    Source: Ba, Kiros and Hinton 2016, eq. 4.
    """
    w = x.shape[-1]
    if weight.shape != (w,) or bias.shape != (w,):
        raise ShapeError(
            f"layer_norm: expected weight and bias of shape ({w},) like the last axis of x, got {weight.shape} and "
            f"{bias.shape}; normalise over the last axis"
        )
    if on_one_cpu(x):
        return _by_kernel(x.reshape(-1, w), weight, bias, eps).reshape(x.shape)
    centred = x.float() - x.float().mean(-1, keepdim=True)
    scale = (centred.square().mean(-1, keepdim=True) + eps).rsqrt()
    return (centred * scale * weight + bias).cast(x.dtype)


def _by_kernel(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    m, w = math.prod(x.shape[:-1]), x.shape[-1]

    def gradient(cotangents: list[Tensor], results: list[Tensor], inputs: list[Tensor]) -> list[Tensor | None]:
        x, weight, bias = inputs
        outputs = [Output((m, w), x.dtype), Output((chunks(m), 2, w), dtypes.float32)]
        dx, sums = launch(normalise_back, outputs, [cotangents[0], x, results[1], weight])
        both = added_up(sums)
        return [dx, both[0].cast(weight.dtype), both[1].cast(bias.dtype)]

    outputs = [Output((m, w), x.dtype), Output((m, 2), dtypes.float32)]
    return launch(_kernel(eps), outputs, [x, weight, bias], gradient)[0]


_kernel = functools.cache(normalise)
