"""The transformer block of BERT and of ESM: norms behind or in front, a perceptron with or without a gate."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor

from gattn_tg.models.imported.config import ImportedConfig
from gattn_tg.nn.attention import AttentionConfig, GenomicAttention
from gattn_tg.nn.block import attended_to
from gattn_tg.nn.linear import Linear
from gattn_tg.nn.norm import LayerNorm
from gattn_tg.ops.dropout import plus
from gattn_tg.types import Float, Int


class ImportedBlock:
    """With norms in front x + f(norm(x)), with norms behind norm(x + f(x)), for attention and perceptron in turn.

    The perceptron is W2 gelu(W1 x + b1) + b2, or with a gate W2 (g(W3 x) W1 x), with the exact form of GELU.

    Source: Devlin et al. 2019 (BERT); Shazeer 2020, GLU Variants Improve Transformer.
    """

    def __init__(self, attention: AttentionConfig, config: ImportedConfig, rng: np.random.Generator) -> None:
        c = config
        self.attention_norm = LayerNorm(c.width, c.eps)
        self.attention = GenomicAttention(config=attention, rng=rng)
        self.mlp_norm = LayerNorm(c.width, c.eps)
        self.gate = Linear(c.width, c.mlp_width, rng, bias=c.up_bias) if c.gate != "none" else None
        self.up = Linear(c.width, c.mlp_width, rng, bias=c.up_bias)
        self.down = Linear(c.mlp_width, c.width, rng, bias=c.down_bias)
        self.config = c

    def __call__(
        self, x: Float[Tensor, "b n w"], motif_ids: Int[Tensor, "b n"], lengths: Int[Tensor, "b"] | None = None,
        positions: Int[Tensor, "b n"] | None = None, anchors: Int[Tensor, "b a"] | None = None,
    ) -> Float[Tensor, "b n w"]:
        c = self.config
        y = attended_to(self, x, c.dropout, motif_ids, lengths, positions, anchors)
        if c.post_norm:
            y = self.attention_norm(y)
        z = plus(y, lambda residual: self.perceptron(y if c.post_norm else self.mlp_norm(y), residual), c.dropout)
        return self.mlp_norm(z) if c.post_norm else z

    def perceptron(
        self, x: Float[Tensor, "b n w"], residual: Float[Tensor, "b n w"] | None = None
    ) -> Float[Tensor, "b n w"]:
        """The two layers behind attention, and a residual."""
        if self.gate is None:
            return self.down(self.up(x, activation="gelu_erf"), residual=residual)
        return self.down(self.gate(x, activation=self.config.gate) * self.up(x), residual=residual)

    def attended(self, x: Float[Tensor, "b n w"]) -> Float[Tensor, "b n w"]:
        """What the attention reads of the input of the block."""
        return x if self.config.post_norm else self.attention_norm(x)
