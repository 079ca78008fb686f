"""Losses for counts along the genome: Poisson, and its split into a total and a multinomial over the bins."""

from __future__ import annotations

from tinygrad import Tensor, dtypes

from gattn_tg.errors import ShapeError
from gattn_tg.ops.activation import exp2_nonpositive
from gattn_tg.types import Float

LEAST = 1e-30  # rates below count as this in logarithms, so that a rate of 0 costs 69 nats per count and not infinity
LOG2E = 1.4426950408889634


def softplus(z: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """log(1 + exp(z)) = max(z, 0) + log(1 + exp(-|z|)): positive for every z, differentiable, never overflows.

    Numerics: float32; log(1 + t) is its series up to t^4 below t = 0.03, because 1 + t would lose what is left of a
        small t. So the result follows exp(z) down to z = -87, and the gradient of its logarithm stays 1: a head that
        has come to predict next to nothing can still learn that it was wrong.
    """
    wide = z.cast(dtypes.float32)
    t = exp2_nonpositive((wide > 0).where(-wide, wide) * LOG2E)
    series = t * (1.0 - t * (1 / 2 - t * (1 / 3 - t / 4)))
    log1p = (t < 0.03).where(series, (1.0 + t).log())
    # where and not maximum: both terms take the side of z <= 0 at 0, so that their slopes add up to 1/2 there
    return ((wide > 0).where(wide, 0.0) + log1p).cast(z.dtype)


def poisson(rate: Float[Tensor, "..."], target: Float[Tensor, "..."]) -> Float[Tensor, ""]:
    """Sum over all elements of rate - target log(rate), in nats; log(target!) is left out.

    Args:
        rate: Expected counts, not negative.
        target: Counts, not negative; need not be whole.

    Raises:
        ShapeError: Two shapes.

    Source: Avsec et al. 2021 (Enformer), Methods.
    """
    _check("poisson", rate, target)
    r = rate.cast(dtypes.float32)
    return (r - target.cast(dtypes.float32) * _log(r)).sum()


def poisson_log(
    logarithm: Float[Tensor, "..."], target: Float[Tensor, "..."], weight: Float[Tensor, "..."]
) -> Float[Tensor, ""]:
    """Sum of weight (exp(z) - y z), in nats: the Poisson loss of the rate exp(z).

    Args:
        logarithm: z, of the rate.
        target: y, counts, not negative.
        weight: 0 where there is no count.

    Raises:
        ShapeError: Different shapes.
    """
    _check("poisson_log", logarithm, target)
    _check("poisson_log", logarithm, weight)
    z = logarithm.cast(dtypes.float32)
    return (weight * (z.exp() - target * z)).sum()


def poisson_multinomial(
    rate: Float[Tensor, "b p k"], target: Float[Tensor, "b p k"], total_weight: float = 0.2, segments: int = 1
) -> Float[Tensor, ""]:
    """Sum over sequences, segments and tracks of w (S - T log S) - sum_p y_p log(r_p / S), in nats.

    S and T are the sums of rates r and targets y over the bins p of a segment. With w = 1 this is the Poisson loss
    itself, whose likelihood is that of the total times that of the shape given the total; w < 1 lets the shape count
    more than the height.

    Args:
        rate: Expected counts.
        target: Counts.
        total_weight: w.
        segments: Equal stretches of bins, each with a total of its own.

    Raises:
        ShapeError: Two shapes, not three axes, or segments that do not divide the bins.

    Source: Linder et al. 2025 (Borzoi), Methods, w = 0.2; AlphaGenome takes the sum in segments with weight 5 on the
        shape, which is the same ratio.
    """
    _check("poisson_multinomial", rate, target)
    if rate.ndim != 3 or rate.shape[1] % segments:
        raise ShapeError(
            f"poisson_multinomial: expected axes (sequences, bins, tracks) with bins divisible by "
            f"segments={segments}, got rate {rate.shape}; choose a divisor of the bins"
        )
    b, p, k = rate.shape
    r = rate.cast(dtypes.float32).reshape(b, segments, p // segments, k)
    y = target.cast(dtypes.float32).reshape(b, segments, p // segments, k)
    total, counted = r.sum(2), y.sum(2)
    log_total = _log(total)
    # sum_p y_p log(r_p / S) = sum_p y_p log r_p - T log S
    shape = (y * _log(r)).sum(2) - counted * log_total
    return (total_weight * (total - counted * log_total) - shape).sum()


def binary_cross_entropy(
    logits: Float[Tensor, "..."], labels: Float[Tensor, "..."], weight: Float[Tensor, "..."]
) -> Float[Tensor, ""]:
    """Sum of weight (softplus(z) - y z), in nats: the log-loss of sigmoid(z) without ever computing it.

    Args:
        logits: z.
        labels: y, 1 or 0.
        weight: 0 where there is no label.

    Raises:
        ShapeError: Different shapes.
    """
    _check("binary_cross_entropy", logits, labels)
    z = logits.cast(dtypes.float32)
    return (weight * (softplus(z) - labels * z)).sum()


def _log(rate: Tensor) -> Tensor:
    """The logarithm of a rate of at least LEAST; where and not maximum, which hides the gradient of nan."""
    return (rate < LEAST).where(LEAST, rate).log()


def _check(where: str, first: Tensor, second: Tensor) -> None:
    if first.shape != second.shape:
        raise ShapeError(f"{where}: expected two operands of one shape, got {first.shape} and "
                         f"{second.shape}; are the bins cropped alike?")
