"""The transformer block: attention and a two-layer perceptron, each on a normalised residual branch."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from tinygrad import Tensor

from gattn_tg.nn.attention import AttentionConfig, GenomicAttention
from gattn_tg.nn.linear import Linear
from gattn_tg.nn.norm import LayerNorm
from gattn_tg.ops.dropout import plus
from gattn_tg.types import Float, Int


class AnyBlock(Protocol):
    """What trunks, and questions about where a model looks, ask of a block of any form."""

    attention: GenomicAttention

    def __call__(
        self, x: Float[Tensor, "b n w"], motif_ids: Int[Tensor, "b n"], lengths: Int[Tensor, "b"] | None = None,
        positions: Int[Tensor, "b n"] | None = None, anchors: Int[Tensor, "b a"] | None = None,
    ) -> Float[Tensor, "b n w"]:
        """The output of the block."""
        ...

    def attended(self, x: Float[Tensor, "b n w"]) -> Float[Tensor, "b n w"]:
        """What its attention reads of its input."""
        ...


def attended_to(
    block: AnyBlock, x: Float[Tensor, "b n w"], dropout: float, motif_ids: Int[Tensor, "b n"],
    lengths: Int[Tensor, "b"] | None, positions: Int[Tensor, "b n"] | None, anchors: Int[Tensor, "b a"] | None,
) -> Float[Tensor, "b n w"]:
    """x and what the attention of a block makes of it, with dropout while training."""

    def attend(residual: Tensor | None) -> Tensor:
        given = block.attended(x)
        return block.attention(given, motif_ids, positions, lengths, anchors=anchors, residual=residual)

    return plus(x, attend, dropout)


class Perceptron:
    """y = W2 gelu(W1 x), widened by `ratio` in between; GELU in its tanh form."""

    def __init__(self, width: int, ratio: int, rng: np.random.Generator) -> None:
        self.up = Linear(width, ratio * width, rng)
        self.down = Linear(ratio * width, width, rng)

    def __call__(
        self, x: Float[Tensor, "b n w"], residual: Float[Tensor, "b n w"] | None = None
    ) -> Float[Tensor, "b n w"]:
        return self.down(self.up(x, activation="gelu"), residual=residual)


class Block:
    """x + attention(norm(x)), then x + perceptron(norm(x)); dropout on both branches while training.

    Source: pre-normalisation as in Xiong et al. 2020, On Layer Normalization in the Transformer Architecture.
    """

    def __init__(self, attention: AttentionConfig, mlp_ratio: int, dropout: float, rng: np.random.Generator) -> None:
        width = attention.width
        self.attention_norm = LayerNorm(width)
        self.attention = GenomicAttention(config=attention, rng=rng)
        self.mlp_norm = LayerNorm(width)
        self.mlp = Perceptron(width, mlp_ratio, rng)
        self.dropout = dropout

    def __call__(
        self, x: Float[Tensor, "b n w"], motif_ids: Int[Tensor, "b n"], lengths: Int[Tensor, "b"] | None = None,
        positions: Int[Tensor, "b n"] | None = None, anchors: Int[Tensor, "b a"] | None = None,
    ) -> Float[Tensor, "b n w"]:
        y = attended_to(self, x, self.dropout, motif_ids, lengths, positions, anchors)
        return plus(y, lambda residual: self.mlp(self.mlp_norm(y), residual), self.dropout)

    def attended(self, x: Float[Tensor, "b n w"]) -> Float[Tensor, "b n w"]:
        """What the attention reads of the input of the block."""
        return self.attention_norm(x)
