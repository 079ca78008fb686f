"""The motif bias of bases that carry weights over motif ids in place of one id: the bias as channels of q and k."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tinygrad import Tensor

from gattn_tg.errors import UnsupportedError
from gattn_tg.ops.attention.bias import MotifBias
from gattn_tg.ops.attention.rope import Rope
from gattn_tg.types import Float

SOFT = ("key", "pair", "same")  # kinds of a rank of at most t; the others know order or counts, which weights have not


def folded(
    q: Float[Tensor, "b h n d"], k: Float[Tensor, "b g n d"], bias: MotifBias | None, weights: Float[Tensor, "b n t"],
    rope: Rope | None,
) -> tuple[Float[Tensor, "b h n d"], Float[Tensor, "b g n d"], dict[str, Any]]:
    """Queries and keys with more channels, whose product is the bias, and the options of attention with them.

    t channels; of `key`, which is one number for every base, one for each query head of a key head.

        key: sum_c T[c] s_j[c]      pair: sum_cd s_i[c] T[c, d] s_j[d]      same: sum_c s_i[c] T[c] s_j[c]

    Where every base has one weight of 1, that is the bias of its ids. It is differentiable in weights and table.

    Args:
        q, k: before the rotation, which leaves the new channels alone.
        bias: kind and table; None adds none.
        weights: s, of every token.
        rope: of the layer.

    Raises:
        UnsupportedError: a kind that is not in `SOFT`.
    """
    scale = q.shape[-1] ** -0.5
    options = {"scale": scale, "rope": None if rope is None else replace(rope, rotary_dim=rope.width(q.shape[-1]))}
    if bias is None:
        return q, k, options
    if bias.kind not in SOFT:
        raise UnsupportedError(f"weights over motif ids: expected a motif bias of kind {' or '.join(SOFT)}, got "
                               f"{bias.kind!r}, which ids alone can have; ask by changing bases instead")
    (b, h, n, _), g, t = q.shape, k.shape[1], weights.shape[-1]
    table, s = bias.tied_table(), weights.unsqueeze(1)
    if bias.kind == "key":
        each = h // g if table.shape[0] > 1 else 1  # numbers of a base: one for every table among a key head's queries
        of_key = s.matmul(table.reshape(-1, each, t).transpose(1, 2))
        of_query = Tensor.eye(each).repeat(h // each, 1).reshape(1, h, 1, each)
    else:
        of_key, of_query = s, s.matmul(table) if bias.kind == "pair" else s * table.unsqueeze(1)
    more = of_key.shape[-1]
    q = q.cat((of_query.expand(b, h, n, more) / scale).cast(q.dtype), dim=-1)
    return q, k.cat(of_key.expand(b, g, n, more).cast(k.dtype), dim=-1), options
