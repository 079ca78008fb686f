"""Attention of one new token against the keys and values of those before it."""

from __future__ import annotations

import functools

import numpy as np
from tinygrad import Tensor, dtypes

from gattn_tg.kernels.dense.put_rows import put_rows
from gattn_tg.kernels.tiles.kinds import KINDS
from gattn_tg.nn.attention import GenomicAttention
from gattn_tg.ops.attention.api import attention
from gattn_tg.ops.attention.bias import MotifBias
from gattn_tg.ops.attention.rope import rotate
from gattn_tg.ops.host import tensor_of
from gattn_tg.ops.launch import on_one_cpu, update
from gattn_tg.types import Float, Int


class KeyValueCache:
    """Keys, turned to their positions, and values of one layer: a ring of `size` places per sequence.

    Args:
        keys: what the ring holds already, (b, g, size, d).
        values: of the same shape.
        device: where they go.
    """

    def __init__(
        self, keys: Float[np.ndarray, "b g m d"], values: Float[np.ndarray, "b g m d"], device: str | None = None
    ) -> None:
        self.keys, self.values = tensor_of(keys, device), tensor_of(values, device)

    def put(self, k: Float[Tensor, "b g 1 d"], v: Float[Tensor, "b g 1 d"], places: Int[Tensor, "b"]) -> None:
        """Overwrite one place per sequence; what is read afterwards sees it."""
        b, heads, size, d = self.keys.shape
        if on_one_cpu(self.keys):
            kernel = _put_rows(b, heads, size, d)
            update(kernel, [self.keys, self.values], [k.reshape(-1), v.reshape(-1), places])
            return
        is_here = (Tensor.arange(size, dtype=dtypes.int32).unsqueeze(0) == places.unsqueeze(1)).reshape(b, 1, size, 1)
        for held, new in ((self.keys, k), (self.values, v)):
            held.assign(is_here.where(new, held).contiguous())


def angles(
    layer: GenomicAttention, positions: Int[np.ndarray, "b n"]
) -> tuple[Float[np.ndarray, "b n c"], Float[np.ndarray, "b n c"]]:
    """Cosine and sine of every rotation at these positions, times its gain, float32; no columns without rotation."""
    c = layer.config
    if c.rope is None:
        none = np.zeros((*positions.shape, 0), np.float32)
        return none, none
    turned = positions[..., None] * c.rope.frequencies(c.head_width)
    cos, sin = (c.rope.gain * f(turned) for f in (np.cos, np.sin))
    return cos.astype(np.float32), sin.astype(np.float32)


def projected(
    layer: GenomicAttention, x: Float[Tensor, "b n w"], cos: Float[Tensor, "b n c"], sin: Float[Tensor, "b n c"]
) -> tuple[Float[Tensor, "b h n d"], Float[Tensor, "b g n d"], Float[Tensor, "b g n d"]]:
    """Queries and keys, turned by the angles of their positions, and values."""
    q, k, v = layer.heads(x)
    rope = layer.config.rope
    if rope is not None:
        q, k = (rotate(t, cos, sin, rope.interleaved) for t in (q, k))
    return q, k, v


def decode(
    layer: GenomicAttention, x: Float[Tensor, "b 1 w"], cache: KeyValueCache, *, cos: Float[Tensor, "b 1 c"],
    sin: Float[Tensor, "b 1 c"], places: Int[Tensor, "b"], lengths: Int[Tensor, "b"], motif_ids: Int[Tensor, "b 1"],
    key_ids: Int[Tensor, "b m"], segments: tuple[Int[Tensor, "b 1"], Int[Tensor, "b m"]] | None = None,
) -> Float[Tensor, "b 1 w"]:
    """What `layer` would give for the last token of a sequence.

    Args:
        layer: causal attention.
        x: the new token.
        cache: of this layer; takes the token's key and value.
        cos, sin: `angles` of its position.
        places: place in the ring that it takes.
        lengths: places in use, its own included.
        motif_ids: its motif id.
        key_ids: of every place of the ring the motif id, or for the `between` kind the number of motif occurrences
            between it and the token.
        segments: of the token and of every place; it sees those of its own. None lets it see all in use.
    """
    q, k, v = projected(layer, x, cos, sin)
    cache.put(k, v, places)
    o = attention(q, cache.keys, cache.values, bias=_bias(layer, motif_ids, key_ids), lengths=lengths,
                  segments=segments, impl=layer.config.impl)
    return layer.merged(o)


def _bias(layer: GenomicAttention, motif_ids: Tensor, key_ids: Tensor) -> MotifBias | None:
    """The bias of one query whose keys are all before it, with strands tied beforehand."""
    tied = layer.bias(motif_ids)
    if tied is None:
        return None
    table = tied.tied_table() if tied.per_head else tied.tied_table()[0]
    rule = tied.rule
    if rule.is_ordered:  # the key is left of the query
        table = table.transpose(-1, -2)
    kind = rule.as_last or rule.name
    if KINDS[kind].is_map:
        return MotifBias(kind, table, key_ids.unsqueeze(1))
    return MotifBias(kind, table, motif_ids, key_ids)


_put_rows = functools.cache(put_rows)
