"""Multi-head attention over DNA with a learnable motif bias and rotary positions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tinygrad import Tensor

from gattn_tg.errors import ConfigError, ShapeError
from gattn_tg.kernels.tiles.kinds import KINDS
from gattn_tg.nn.initial import made
from gattn_tg.nn.linear import Linear
from gattn_tg.ops.attention.api import attention
from gattn_tg.ops.attention.bias import MotifBias
from gattn_tg.ops.attention.problem import Window
from gattn_tg.ops.attention.rope import Rope
from gattn_tg.types import Float, Int

_DEFAULT_ROPE = Rope()


class GenomicAttention:
    """Project, attend with motif bias, merge the heads.

    Parameters: q_proj, k_proj, v_proj and out_proj (each `weight`, with `proj_bias` also `bias`), and `motif_bias`,
    the table, which starts at zero unless told otherwise, so that a new layer is plain attention.

    Args:
        width: channels of x.
        n_heads: query heads; their width is width / n_heads.
        n_kv_heads: key and value heads (grouped-query attention); None means n_heads.
        motif: kind of bias (`key pair same ordered between dense`), or None for no table.
        n_motifs: entries along one axis of the table (16), id 0 included.
        per_head: one table per query head instead of one for all.
        rope: rotary positions, or None.
        is_causal: a base sees only bases before it and itself.
        window_size: keys kept (left, right) of a query; None keeps all.
        tie_strands: id map under reverse complement, which ties the two strands (see `MotifBias`).
        proj_bias: whether the projections add a bias.
        out_proj: whether the merged heads pass a last projection.
        impl: implementation of the attention, see `gattn_tg.attention`.
        rng: source of initial weights.
        motif_start: what the entries for a motif begin with, on the last axis from id 1 on; those for id 0, "no motif",
            begin at 0. A table that begins at 1 attends to motifs from the first step on.

    Raises:
        ConfigError: sizes that do not divide, or an unknown kind.
    """

    def __init__(
        self, width: int, n_heads: int, n_kv_heads: int | None = None, motif: str | None = "key", n_motifs: int = 16,
        per_head: bool = False, rope: Rope | None = _DEFAULT_ROPE, is_causal: bool = False,
        window_size: Window | None = None, tie_strands: Sequence[int] | None = None, proj_bias: bool = False,
        out_proj: bool = True, impl: str = "auto", rng: np.random.Generator | None = None, motif_start: float = 0.0,
    ) -> None:
        n_kv_heads = n_heads if n_kv_heads is None else n_kv_heads
        if width % n_heads:
            below = width - width % n_heads
            raise ConfigError(f"GenomicAttention: n_heads={n_heads} does not divide width={width}; nearest widths are "
                              f"{below} and {below + n_heads}")
        if n_heads % n_kv_heads:
            raise ConfigError(f"GenomicAttention: n_kv_heads={n_kv_heads} does not divide n_heads={n_heads}; use a "
                              "divisor")
        if motif is not None and motif not in KINDS:
            raise ConfigError(f"GenomicAttention: motif must be None or one of {', '.join(KINDS)}, but is {motif!r}")
        rng = np.random.default_rng(0) if rng is None else rng
        self.n_heads, self.n_kv_heads, self.head_width = n_heads, n_kv_heads, width // n_heads
        self.motif, self.rope, self.is_causal, self.window_size, self.impl = motif, rope, is_causal, window_size, impl
        self.tie_strands = None if tie_strands is None else tuple(tie_strands)
        self.q_proj = Linear(width, width, rng, bias=proj_bias)
        self.k_proj = Linear(width, n_kv_heads * self.head_width, rng, bias=proj_bias)
        self.v_proj = Linear(width, n_kv_heads * self.head_width, rng, bias=proj_bias)
        self.out_proj = Linear(width, width, rng, bias=proj_bias) if out_proj else None
        self.motif_bias: Tensor | None = None
        if motif is not None:
            square = (n_motifs,) * KINDS[motif].axes
            shape = (n_heads, *square) if per_head else square
            self.motif_bias = made(shape, lambda: np.where(np.arange(n_motifs) == 0, 0.0, np.full(shape, motif_start)))

    def __call__(
        self, x: Float[Tensor, "b n w"], motif_ids: Int[Tensor, "b n"] | None = None,
        positions: Int[Tensor, "b n"] | None = None, lengths: Int[Tensor, "b"] | None = None,
        segments: Int[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "b n w"]:
        """Attend among the bases of x; `motif_ids` is (b, n), for the `dense` kind pair ids (b, n, n)."""
        q, k, v = self.heads(x)
        o = attention(
            q, k, v, bias=self.bias(motif_ids), rope=self.rope, positions=positions, is_causal=self.is_causal,
            window_size=self.window_size, lengths=lengths, segments=segments, impl=self.impl)
        return self.merged(o)

    def heads(
        self, x: Float[Tensor, "b n w"]
    ) -> tuple[Float[Tensor, "b h n d"], Float[Tensor, "b g n d"], Float[Tensor, "b g n d"]]:
        """Queries, keys and values of every head."""
        b, n, _ = x.shape
        q, k, v = (
            projection(x).reshape(b, n, heads, self.head_width).transpose(1, 2)
            for projection, heads in (
                (self.q_proj, self.n_heads), (self.k_proj, self.n_kv_heads), (self.v_proj, self.n_kv_heads))
        )
        return q, k, v

    def merged(self, o: Float[Tensor, "b h n d"]) -> Float[Tensor, "b n w"]:
        """The heads side by side, through the last projection."""
        b, h, n, d = o.shape
        together = o.transpose(1, 2).reshape(b, n, h * d)
        return together if self.out_proj is None else self.out_proj(together)

    def bias(self, motif_ids: Tensor | None) -> MotifBias | None:
        """The motif bias among bases with these ids; None for a layer without."""
        if self.motif is None or self.motif_bias is None:
            return None
        if motif_ids is None:
            raise ShapeError(f"GenomicAttention: motif_ids are required by the {self.motif} bias, but are None; pass "
                             "them, or build the layer with motif=None")
        return MotifBias(self.motif, self.motif_bias, motif_ids, complement=self.tie_strands)
