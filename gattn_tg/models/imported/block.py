"""The transformer block of BERT and of ESM: norms behind or in front, a perceptron with or without a gate."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor

from gattn_tg.models.imported.config import ImportedConfig
from gattn_tg.nn.attention import AttentionConfig, GenomicAttention
from gattn_tg.nn.linear import Linear
from gattn_tg.nn.norm import LayerNorm
from gattn_tg.ops.dropout import dropout
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
        seen = self.attention(self.attended(x), motif_ids, positions, lengths, anchors=anchors)
        x = x + dropout(seen, c.dropout)
        y = x = self.attention_norm(x) if c.post_norm else x
        if not c.post_norm:
            y = self.mlp_norm(x)
        inner = self.up(y, activation="gelu_erf") if self.gate is None else self.gate(y, activation=c.gate) * self.up(y)
        x = x + dropout(self.down(inner), c.dropout)
        return self.mlp_norm(x) if c.post_norm else x

    def attended(self, x: Float[Tensor, "b n w"]) -> Float[Tensor, "b n w"]:
        """What the attention reads of the input of the block."""
        return x if self.config.post_norm else self.attention_norm(x)
