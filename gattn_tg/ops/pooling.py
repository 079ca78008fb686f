"""Half the positions: the larger of every two neighbours, channel by channel."""

from __future__ import annotations

from tinygrad import Tensor

from gattn_tg.errors import ShapeError
from gattn_tg.kernels.dense.pooling import halve, halve_back
from gattn_tg.ops.launch import Output, launch, on_one_cpu
from gattn_tg.types import Float


def halved(x: Float[Tensor, "b n w"]) -> Float[Tensor, "b n/2 w"]:
    """y[b, r] = max(x[b, 2 r], x[b, 2 r + 1]), differentiable; of equal neighbours the first gets the gradient.

    A NaN is larger than every number, as in NumPy.

    Args:
        x: An even number of positions, channels last.

    Raises:
        ShapeError: An odd number of positions.
    """
    b, n, w = x.shape
    if n % 2:
        raise ShapeError(f"halved: expected an even number of positions, got x {x.shape}; pad or crop one")
    if not on_one_cpu(x):
        first, second = (x.reshape(b, n // 2, 2, w)[:, :, i] for i in range(2))
        return ((first < second) | second.isnan()).where(second, first)

    dtype = x.dtype  # gradient must not hold x: tinygrad adds up a .grad of every tensor that is alive, in place

    def gradient(cotangents: list[Tensor], _: list[Tensor], inputs: list[Tensor]) -> list[Tensor | None]:
        return [launch(halve_back, [Output((b * n, w), dtype)], [cotangents[0], inputs[0]])[0]]

    return launch(halve, [Output((b * n // 2, w), dtype)], [x.reshape(b * n, w)], gradient)[0].reshape(b, n // 2, w)
