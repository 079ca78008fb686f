"""From one vector per base to one vector per sequence."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor, dtypes

from gattn_tg.nn.linear import Linear
from gattn_tg.types import Bool, Float, Int

POOLS = ("attention", "mean", "both")


def valid_positions(n: int, lengths: Int[Tensor, "b"]) -> Bool[Tensor, "b n"]:
    """True for the bases of a sequence, False for the padding behind it."""
    return Tensor.arange(n, dtype=dtypes.int32).unsqueeze(0) < lengths.clamp(0, n).cast(dtypes.int32).unsqueeze(1)


def inside(x: Float[Tensor, "b n w"], lengths: Int[Tensor, "b"] | None) -> Float[Tensor, "b n w"]:
    """x with 0 in the padding behind each sequence; None where there is no padding."""
    return x if lengths is None else valid_positions(x.shape[1], lengths).unsqueeze(-1).where(x, 0.0)


class MeanPool:
    """Mean over the valid bases, in float32 whatever x is."""

    times = 1

    def __call__(self, x: Float[Tensor, "b n w"], lengths: Int[Tensor, "b"]) -> Float[Tensor, "b w"]:
        valid = valid_positions(x.shape[1], lengths).unsqueeze(-1)
        n = x.shape[1]
        return valid.where(x.float(), 0.0).sum(1) / lengths.clamp(1, n).unsqueeze(-1).float()


class AttentionPool:
    """Mean over the valid bases with learnt weights: softmax over positions of a linear score, in float32."""

    times = 1

    def __init__(self, width: int, rng: np.random.Generator) -> None:
        self.score = Linear(width, 1, rng)

    def __call__(self, x: Float[Tensor, "b n w"], lengths: Int[Tensor, "b"]) -> Float[Tensor, "b w"]:
        valid = valid_positions(x.shape[1], lengths)
        x = valid.unsqueeze(-1).where(x, 0.0)  # what stands in the padding reaches nothing, NaN neither
        # -1e9 and not -inf: a row with no valid base then gets equal weights instead of no number at all
        weights = valid.where(self.score(x).squeeze(-1).float(), -1e9).softmax(-1)
        return (weights.unsqueeze(-1) * x).sum(1)


class BothPool(AttentionPool):
    """What `AttentionPool` gives, and beside it the maximum of every channel over the valid bases, in float32.

    The mean says how much there is of something, the maximum whether it is there at all.
    """

    times = 2

    def __call__(self, x: Float[Tensor, "b n w"], lengths: Int[Tensor, "b"]) -> Float[Tensor, "b 2w"]:
        valid = valid_positions(x.shape[1], lengths).unsqueeze(-1)
        # a row with no valid base gets 0
        most = valid.where(x.float(), -3e38).max(1)
        return super().__call__(x, lengths).float().cat((most > -3e38).where(most, 0.0), dim=-1)


Pool = MeanPool | AttentionPool


def pool(kind: str, width: int, rng: np.random.Generator) -> Pool:
    """The layer of a kind, one of POOLS; what it gives is `times` as wide as its input."""
    return MeanPool() if kind == "mean" else {"attention": AttentionPool, "both": BothPool}[kind](width, rng)
