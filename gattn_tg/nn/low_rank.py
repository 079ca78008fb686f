"""An update of low rank: what is learnt of an affine map whose weights stay as they are."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor

from gattn_tg.nn.initial import filled, normal
from gattn_tg.ops.linear import linear
from gattn_tg.types import Float


class LowRank:
    """y + x A^T B^T, so that W becomes W + B A; B starts at 0, which changes nothing.

    Source: Hu et al. 2021, LoRA: Low-Rank Adaptation of Large Language Models; their factor alpha / rank is 1 here, as
    the learning rate of A and B does the same.

    Args:
        n_in: channels in.
        n_out: channels out.
        rank: rows of A and columns of B.
        rng: source of A, N(0, 1/n_in).
    """

    def __init__(self, n_in: int, n_out: int, rank: int, rng: np.random.Generator) -> None:
        self.into: Float[Tensor, "r n_in"] = normal(rng, (rank, n_in), n_in**-0.5)
        self.out: Float[Tensor, "n_out r"] = filled(0.0, n_out, rank)

    def __call__(self, x: Float[Tensor, "... n_in"], y: Float[Tensor, "... n_out"]) -> Float[Tensor, "... n_out"]:
        """y, which the map makes of x, with the update."""
        return linear(linear(x, self.into), self.out, residual=y)
