"""Gradient descent with momentum: for weights of rare inputs, whose gradients should not be brought to one size."""

from __future__ import annotations

from collections.abc import Sequence

from tinygrad import Tensor, dtypes

from gattn_tg.types import Float


def descend(
    parameters: Sequence[Tensor],
    gradients: Sequence[Tensor],
    velocities: Sequence[Tensor],
    rate: Float[Tensor, "1"],
    scale: Float[Tensor, ""] | float = 1.0,
    *,
    momentum: float = 0.9,
    decay: float = 0.0,
) -> None:
    """One step; parameters and velocities change in place, when they are realised.

        u = momentum u + g      p = p - rate (u + decay p)

    Args:
        parameters: p.
        gradients: g, before `scale`.
        velocities: u, float32.
        rate: Learning rate.
        scale: Factor on every gradient, for instance of clipping.
        momentum: Share of the old velocity that is kept.
        decay: Weight decay, decoupled from the gradient.

    Numerics: float32.
    """
    rate = rate.reshape(())
    for p, g, u in zip(parameters, gradients, velocities, strict=True):
        u.assign(momentum * u + g.cast(dtypes.float32) * scale)
        p.assign((p.detach() - rate * (u + decay * p.detach())).cast(p.dtype))
