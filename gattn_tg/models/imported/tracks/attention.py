"""Attention whose scores know the distance between two bins by learned combinations of given functions of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from tinygrad import Tensor

from gattn_tg.models.imported.tracks.config import TracksShape
from gattn_tg.models.imported.tracks.functions import functions_of_distance
from gattn_tg.nn.attention import AttentionConfig, GenomicAttention
from gattn_tg.nn.initial import normal
from gattn_tg.nn.linear import Linear
from gattn_tg.types import Float


class DistanceAttention(GenomicAttention):
    """softmax_j((q_i / sqrt(d) + u) k_j + (q_i / sqrt(d) + w) r_(j - i) + motif bias) v_j, with r_x = W f(x).

    Parameters beside those of `GenomicAttention`: distance_proj W, content_bias u, place_bias w.

    Args:
        attention: sizes of heads, and the motif bias.
        shape: which functions f.
        rng: source of initial weights.

    Source: Dai et al. 2019 (Transformer-XL), section 3.3; Avsec et al. 2021 (Enformer), Methods.
    """

    def __init__(self, attention: AttentionConfig, shape: TracksShape, rng: np.random.Generator) -> None:
        super().__init__(config=attention, rng=rng)
        c, d = attention, attention.head_width
        self.out_proj = Linear(c.n_heads * c.out_width, c.width, rng)
        self.distance_proj = Linear(shape.n_functions, c.n_heads * d, rng, bias=False)
        self.content_bias: Float[Tensor, "h d"] = normal(rng, (c.n_heads, d), 1.0)
        self.place_bias: Float[Tensor, "h d"] = normal(rng, (c.n_heads, d), 1.0)
        self.shape = shape

    def heads(
        self, x: Float[Tensor, "b n w"]
    ) -> tuple[Float[Tensor, "b h n d"], Float[Tensor, "b h n d"], Float[Tensor, "b h n e"]]:
        """Queries q / sqrt(d) + u, keys and values of every head."""
        q, k, v = super().heads(x)
        return (q * q.shape[-1] ** -0.5 + self.content_bias.unsqueeze(1)).cast(q.dtype), k, v

    def of_distance(self, q: Float[Tensor, "b h n d"]) -> dict[str, Any]:
        """The factors of the products by distance; their queries differ from those of `heads` by w - u."""
        (_, h, n, d), c = q.shape, self.shape
        f = functions_of_distance(q.device)(c.functions, c.n_functions, c.n_tokens, n)
        keys = self.distance_proj(f).reshape(2 * n - 1, h, d).transpose(0, 1)
        by_place = (q + (self.place_bias - self.content_bias).unsqueeze(1)).cast(q.dtype)
        return {"scale": 1.0, "relative": (by_place, keys)}
