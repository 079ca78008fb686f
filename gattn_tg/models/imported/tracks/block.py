"""The transformer block of Enformer and of Borzoi."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor

from gattn_tg.models.imported.tracks.attention import DistanceAttention
from gattn_tg.models.imported.tracks.config import TracksShape
from gattn_tg.nn.attention import AttentionConfig, GenomicAttention
from gattn_tg.nn.block import attended_to
from gattn_tg.nn.linear import Linear
from gattn_tg.nn.norm import LayerNorm
from gattn_tg.ops.dropout import plus
from gattn_tg.types import Float, Int


class TracksBlock:
    """x + attention(norm(x)), then x + W2 relu(W1 norm(x) + b1) + b2.

    Args:
        attention: of the block.
        shape: which functions of distance, and the other sizes.
        rng: source of initial weights.
    """

    def __init__(self, attention: AttentionConfig, shape: TracksShape, rng: np.random.Generator) -> None:
        c = shape
        self.attention_norm = LayerNorm(c.width, c.eps)
        self.attention: GenomicAttention = (
            GenomicAttention(config=attention, rng=rng) if c.functions == "none" else
            DistanceAttention(attention, c, rng)
        )  # fmt: skip
        self.mlp_norm = LayerNorm(c.width, c.eps)
        self.up = Linear(c.width, c.mlp_ratio * c.width, rng)
        self.down = Linear(c.mlp_ratio * c.width, c.width, rng)
        self.dropout = c.dropout

    def __call__(
        self, x: Float[Tensor, "b n w"], motif_ids: Int[Tensor, "b n"], lengths: Int[Tensor, "b"] | None = None,
        positions: Int[Tensor, "b n"] | None = None, anchors: Int[Tensor, "b a"] | None = None,
    ) -> Float[Tensor, "b n w"]:
        def perceptron(residual: Tensor | None) -> Tensor:
            return self.down(self.up(self.mlp_norm(y), activation="relu"), residual=residual)

        y = attended_to(self, x, self.dropout, motif_ids, lengths, positions, anchors)
        return plus(y, perceptron, self.dropout)

    def attended(self, x: Float[Tensor, "b n w"]) -> Float[Tensor, "b n w"]:
        """What the attention reads of the input of the block."""
        return self.attention_norm(x)
