"""Cross-entropy of logits against class labels, the loss of every task that names one of some classes."""

from __future__ import annotations

import functools
import math

from tinygrad import Tensor, dtypes

from gattn_tg.errors import ConfigError, ShapeError
from gattn_tg.kernels.dense.cross_entropy import backward, forward
from gattn_tg.kernels.dense.rowwise import chunks
from gattn_tg.ops.launch import Output, launch, on_one_cpu
from gattn_tg.types import Float, Int


def cross_entropy(
    logits: Float[Tensor, "... c"], labels: Int[Tensor, "..."], smoothing: float = 0.0,
    weights: Float[Tensor, "..."] | None = None,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The sum of losses in nats over the rows that count, differentiable in the logits, and the number of these rows.

        loss[r] = -(1 - s) log p[r, label] - s mean_c log p[r, c]      p = softmax of the row

    Args:
        logits: scores of the classes.
        labels: true class; a row whose label is not in 0..c-1 (-1, or an N among four bases) does not count.
        smoothing: s, the share of the target spread evenly over all classes.
        weights: of the rows, in the sum and in the count; None weighs all alike.

    Returns:
        The sum and the count, float32; their quotient is the mean loss.

    Raises:
        ShapeError: labels or weights are not one per row of logits, or labels are not integers.
        ConfigError: smoothing is not in [0, 1).

    Numerics: float32, sums in an order that depends on the shape alone. Without weights one kernel each way on the CPU.
    """
    if tuple(labels.shape) != tuple(logits.shape[:-1]) or not dtypes.is_int(labels.dtype):
        raise ShapeError(
            f"cross_entropy: expected integer labels of shape {tuple(logits.shape[:-1])}, one per row of logits, "
            f"got {labels.dtype} of shape {tuple(labels.shape)}; reshape or cast them"
        )
    if not 0.0 <= smoothing < 1.0:
        raise ConfigError(f"cross_entropy: expected smoothing in [0, 1), got {smoothing}; 0 smooths nothing")
    m, n = math.prod(labels.shape), logits.shape[-1]
    x, y = logits.reshape(m, n), labels.reshape(m)
    if weights is not None and weights.shape != labels.shape:
        raise ShapeError(f"cross_entropy: expected weights of shape {tuple(labels.shape)}, one per row of logits, got "
                         f"{tuple(weights.shape)}; reshape them")
    if weights is None and on_one_cpu(logits) and on_one_cpu(labels):
        return _by_kernel(x, y, smoothing)
    counts = (y >= 0) & (y < n)
    # a row that does not count may hold nan, and 0 times nan would be its gradient
    log_p = counts.unsqueeze(-1).where(x.cast(dtypes.float32), 0.0).log_softmax()
    y = y.clamp(0, n - 1).cast(dtypes.int32)  # after the comparison: a label of 2^32 must not become 0
    picked = (y.unsqueeze(-1) == Tensor.arange(n, dtype=dtypes.int32)).where(log_p, 0.0).sum(-1)
    loss = -(1.0 - smoothing) * picked - (smoothing * log_p.mean(-1) if smoothing else 0.0)
    weighed = counts.cast(dtypes.float32) if weights is None else counts.where(weights.reshape(m), 0.0)
    return (weighed * loss).sum(), weighed.sum()


def _by_kernel(x: Tensor, labels: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
    m, n = x.shape

    def gradient(cotangents: list[Tensor], results: list[Tensor], inputs: list[Tensor]) -> list[Tensor | None]:
        x, labels = inputs
        # the sums of all chunks are added up, so the cotangent of each is that of their total
        scale = cotangents[0][0, 0].reshape(1).cast(dtypes.float32)
        back = _backward(smoothing)
        return [launch(back, [Output((m, n), x.dtype)], [x, labels, results[1], scale])[0], None]

    outputs = [Output((chunks(m), 2), dtypes.float32), Output((m,), dtypes.float32)]
    sums = launch(_forward(smoothing), outputs, [x, labels], gradient)[0]
    total = sums.sum(0)
    return total[0], total[1].detach()


_forward, _backward = functools.cache(forward), functools.cache(backward)
