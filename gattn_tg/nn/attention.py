"""Multi-head attention over DNA with a learnable motif bias and rotary positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tinygrad import Tensor, dtypes

from gattn_tg.errors import ConfigError, ShapeError
from gattn_tg.kernels.tiles.kinds import KINDS
from gattn_tg.nn.initial import made
from gattn_tg.nn.linear import Linear
from gattn_tg.nn.soft_motifs import folded
from gattn_tg.ops.attention.api import attention
from gattn_tg.ops.attention.bias import MotifBias
from gattn_tg.ops.attention.problem import Window
from gattn_tg.ops.attention.rope import Rope
from gattn_tg.ops.attention.slopes import alibi_slopes
from gattn_tg.types import Float, Int


@dataclass(frozen=True, kw_only=True)
class AttentionConfig:
    """Sizes and choices of a `GenomicAttention`.

    Args:
        width: channels of x.
        n_heads: query heads; their width is width / n_heads.
        n_kv_heads: key and value heads (grouped-query attention); None means n_heads.
        motif: kind of bias (`key pair same ordered between dense`), or None for no table.
        n_motifs: entries along one axis of the table (16), id 0 included.
        per_head: one table per query head instead of one for all.
        motif_start: what the entries for a motif begin with, on the last axis from id 1 on; those for id 0, "no motif",
            begin at 0. A table that begins at 1 attends to motifs from the first step on.
        tie_strands: id map under reverse complement, which ties the two strands (see `MotifBias`).
        rope: rotary positions, or None.
        is_causal: a base sees only bases before it and itself.
        window_size: keys kept (left, right) of a query; None keeps all.
        proj_bias: whether the projections add a bias.
        alibi: whether the distance of a key takes from its score, in each head by another slope.
        key_width: channels of a query and of a key of a head; 0 for width / n_heads.
        value_width: channels of a value of a head; 0 for width / n_heads.
        out_proj: whether the merged heads pass a last projection.
        impl: implementation of the attention, see `gattn_tg.attention`.

    Raises:
        ConfigError: sizes that do not divide, or an unknown kind.
    """

    width: int
    n_heads: int
    n_kv_heads: int | None = None
    motif: str | None = "key"
    n_motifs: int = 16
    per_head: bool = False
    motif_start: float = 0.0
    tie_strands: Sequence[int] | None = None
    rope: Rope | None = field(default_factory=Rope)
    is_causal: bool = False
    window_size: Window | None = None
    proj_bias: bool = False
    alibi: bool = False
    key_width: int = 0
    value_width: int = 0
    out_proj: bool = True
    impl: str = "auto"

    def __post_init__(self) -> None:
        width, n_heads = self.width, self.n_heads
        if width % n_heads:
            below = width - width % n_heads
            raise ConfigError(f"GenomicAttention n_heads: expected a divisor of width={width}, got {n_heads}; the "
                              f"nearest widths are {below} and {below + n_heads}")
        if n_heads % self.key_heads:
            raise ConfigError(f"GenomicAttention n_kv_heads: expected a divisor of n_heads={n_heads}, got "
                              f"{self.n_kv_heads}; use one")
        if self.motif is not None and self.motif not in KINDS:
            raise ConfigError(f"GenomicAttention motif: expected None or one of {', '.join(KINDS)}, got "
                              f"{self.motif!r}")
        if self.tie_strands is not None:
            object.__setattr__(self, "tie_strands", tuple(self.tie_strands))

    @property
    def key_heads(self) -> int:
        """Key and value heads."""
        return self.n_heads if self.n_kv_heads is None else self.n_kv_heads

    @property
    def head_width(self) -> int:
        """Channels of a query and of a key of one head."""
        return self.key_width or self.width // self.n_heads

    @property
    def out_width(self) -> int:
        """Channels of a value of one head."""
        return self.value_width or self.width // self.n_heads

    def bias(self, table: Tensor, motif_ids: Tensor) -> MotifBias | None:
        """The motif bias with a table among bases with these ids; None without a kind."""
        if self.motif is None:
            return None
        complement = None if self.tie_strands is None else tuple(self.tie_strands)
        return MotifBias(self.motif, table, motif_ids, complement=complement)

    def slopes(self, q: Tensor) -> Tensor | None:
        """The slopes of the heads where q is; None without."""
        return alibi_slopes(q.device)(self.n_heads) if self.alibi else None


class GenomicAttention:
    """Project, attend with motif bias, merge the heads.

    `GenomicAttention(width=128, n_heads=4, motif="key")` takes the fields of `AttentionConfig` by name;
    `GenomicAttention(config=...)` takes them all at once.

    Parameters: q_proj, k_proj, v_proj and out_proj (each `weight`, with `proj_bias` also `bias`), and `motif_bias`,
    the table, which starts at zero unless told otherwise, so that a new layer is plain attention.

    Args:
        width: channels, as in `AttentionConfig`.
        n_heads: query heads, as in `AttentionConfig`.
        config: all sizes and choices.
        rng: source of initial weights.
        choices: the other fields of `AttentionConfig`, where no config is given.

    Raises:
        ConfigError: sizes that do not divide, an unknown kind, or both a config and fields of one.
    """

    def __init__(
        self, width: int | None = None, n_heads: int | None = None, *, config: AttentionConfig | None = None,
        rng: np.random.Generator | None = None, **choices: Any,
    ) -> None:
        sizes: dict[str, Any] = {name: x for name, x in (("width", width), ("n_heads", n_heads)) if x is not None}
        if config is not None and (sizes or choices):
            raise ConfigError(f"GenomicAttention: expected config alone, got also {', '.join([*sizes, *choices])}; put "
                              "them into the config")
        c = AttentionConfig(**sizes, **choices) if config is None else config
        rng = np.random.default_rng(0) if rng is None else rng
        self.config = c
        self.q_proj = Linear(c.width, c.n_heads * c.head_width, rng, bias=c.proj_bias)
        self.k_proj = Linear(c.width, c.key_heads * c.head_width, rng, bias=c.proj_bias)
        self.v_proj = Linear(c.width, c.key_heads * c.out_width, rng, bias=c.proj_bias)
        self.out_proj = Linear(c.n_heads * c.out_width, c.width, rng, bias=c.proj_bias) if c.out_proj else None
        self.motif_bias: Tensor | None = None
        if c.motif is not None:
            of_head = (c.n_motifs,) * KINDS[c.motif].axes
            shape, start = (c.n_heads, *of_head) if c.per_head else of_head, c.motif_start
            self.motif_bias = made(shape, lambda: np.where(np.arange(c.n_motifs) == 0, 0.0, np.full(shape, start)))

    def __call__(
        self, x: Float[Tensor, "b n w"], motif_ids: Int[Tensor, "b n"] | None = None,
        positions: Int[Tensor, "b n"] | None = None, lengths: Int[Tensor, "b"] | None = None,
        segments: Int[Tensor, "b n"] | None = None, anchors: Int[Tensor, "b a"] | None = None,
        residual: Float[Tensor, "b n w"] | None = None,
    ) -> Float[Tensor, "b n w"]:
        """Attend among the bases of x; `motif_ids` is (b, n), for the `dense` kind pair ids (b, n, n).

        `anchors` are the places of bases that all see, and that see all, beside the window; -1 for none. `residual` is
        added to what comes out. Weights over motif ids, floats of shape (b, n, t), may stand in place of the ids, for
        the kinds of `nn.soft_motifs`.
        """
        q, k, v = self.heads(x)
        c = self.config
        if motif_ids is not None and dtypes.is_float(motif_ids.dtype):
            q, k, options = folded(q, k, self.bias(motif_ids.argmax(-1).cast(dtypes.uint8)), motif_ids, c.rope)
            o = attention(
                q, k, v, **options, positions=positions, is_causal=c.is_causal, window_size=c.window_size,
                lengths=lengths, segments=segments, impl=c.impl, slopes=c.slopes(q), anchors=anchors)
            return self.merged(o, residual)
        o = attention(
            q, k, v, bias=self.bias(motif_ids), rope=c.rope, positions=positions, is_causal=c.is_causal,
            window_size=c.window_size, lengths=lengths, segments=segments, impl=c.impl, anchors=anchors,
            **self.of_distance(q))
        return self.merged(o, residual)

    def of_distance(self, q: Float[Tensor, "b h n d"]) -> dict[str, Any]:
        """The arguments of `attention` that say how scores depend on the distance of a key, by what `heads` gave."""
        return {"slopes": self.config.slopes(q)}

    def heads(
        self, x: Float[Tensor, "b n w"]
    ) -> tuple[Float[Tensor, "b h n d"], Float[Tensor, "b g n d"], Float[Tensor, "b g n d"]]:
        """Queries, keys and values of every head."""
        (b, n, _), c = x.shape, self.config
        q, k, v = (
            projection(x).reshape(b, n, heads, -1).transpose(1, 2)
            for projection, heads in ((self.q_proj, c.n_heads), (self.k_proj, c.key_heads), (self.v_proj, c.key_heads))
        )
        return q, k, v

    def merged(
        self, o: Float[Tensor, "b h n d"], residual: Float[Tensor, "b n w"] | None = None
    ) -> Float[Tensor, "b n w"]:
        """The heads side by side, through the last projection, and a residual."""
        b, h, n, d = o.shape
        together = o.transpose(1, 2).reshape(b, n, h * d)
        if self.out_proj is not None:
            return self.out_proj(together, residual=residual)
        return together if residual is None else together + residual

    def bias(self, motif_ids: Tensor | None) -> MotifBias | None:
        """The motif bias among bases with these ids; None for a layer without."""
        if self.motif_bias is None:
            return None
        if motif_ids is None:
            raise ShapeError(f"GenomicAttention: expected motif_ids for the {self.config.motif} bias, got None; "
                             "pass them, or build the layer with motif=None")
        return self.config.bias(self.motif_bias, motif_ids)
