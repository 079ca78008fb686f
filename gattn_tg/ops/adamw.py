"""The update of all parameters in a few kernels, and the norm of all gradients in one."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

from tinygrad import Tensor, dtypes

from gattn_tg.kernels.dense import optimizer_step
from gattn_tg.ops.launch import Output, launch, on_one_cpu, update
from gattn_tg.types import Float


def adamw(
    parameters: Sequence[Tensor],
    gradients: Sequence[Tensor],
    first: Sequence[Tensor],
    second: Sequence[Tensor],
    rate: Float[Tensor, "1"],
    powers: tuple[Float[Tensor, "1"], Float[Tensor, "1"]],
    scale: Float[Tensor, ""] | float = 1.0,
    *,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    decay: float = 0.0,
) -> None:
    """One step of AdamW; parameters and moments change in place, when they are realised.

        m = b1 m + (1 - b1) g      v = b2 v + (1 - b2) g^2      c = 1 - beta^t
        p = p - rate ((m / c1) / (sqrt(v / c2) + eps) + decay p)

    Args:
        parameters: p.
        gradients: g, before `scale`.
        first: m, float32.
        second: v, float32.
        rate: Learning rate.
        powers: (b1^t, b2^t) of this step.
        scale: Factor on every gradient, for instance of clipping.
        betas: (b1, b2).
        eps: Added to the root.
        decay: Weight decay, decoupled from the gradient.

    Numerics: float32. Source: Loshchilov and Hutter 2019, Decoupled Weight Decay Regularization, algorithm 2.
    """
    b1, b2 = betas
    if not all(on_one_cpu(p) for p in parameters):
        c1, c2, rate = 1 - powers[0].reshape(()), 1 - powers[1].reshape(()), rate.reshape(())
        for p, g, m, v in zip(parameters, gradients, first, second, strict=True):
            step = g.cast(dtypes.float32) * scale
            m.assign(b1 * m + (1 - b1) * step)
            v.assign(b2 * v + (1 - b2) * step * step)
            up = m / c1 / ((v / c2).sqrt() + eps)
            p.assign((p.detach() - rate * (up + decay * p.detach())).cast(p.dtype))
        return
    factor = scale.reshape(1) if isinstance(scale, Tensor) else Tensor.full((1,), scale, device=rate.device)
    scalars = Tensor.cat(rate.reshape(1), 1 - powers[0], 1 - powers[1], factor.cast(dtypes.float32)).contiguous()
    most = optimizer_step.MOST // 4
    for start in range(0, len(parameters), most):
        groups = [list(x[start : start + most]) for x in (parameters, first, second)]
        inputs = [scalars, *(g.reshape(math.prod(g.shape)) for g in gradients[start : start + most])]
        update(_kernel(len(groups[0]), b1, b2, eps, decay), [x for group in groups for x in group], inputs)


def norm(tensors: Sequence[Tensor]) -> Float[Tensor, ""]:
    """The Euclidean norm of all elements of all tensors, summed in float32."""
    if not all(on_one_cpu(x) for x in tensors):
        return Tensor.stack(*[x.float().square().sum() for x in tensors]).sum().sqrt()
    total: Tensor | None = None
    for start in range(0, len(tensors), optimizer_step.MOST):
        flat = [x.reshape(math.prod(x.shape)) for x in tensors[start : start + optimizer_step.MOST]]
        part = launch(optimizer_step.squared_norm, [Output((1,), dtypes.float32)], flat)[0]
        total = part if total is None else total + part
    assert total is not None, "norm of no tensors"
    return total.reshape(()).sqrt()


_kernel = functools.cache(optimizer_step.adamw)
