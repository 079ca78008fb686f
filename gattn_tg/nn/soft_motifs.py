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
    """Queries and keys with t more channels each, whose product is the bias, and the options of attention with them.

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
        of_query = table.reshape(1, table.shape[0], 1, t)
    elif bias.kind == "pair":
        of_query = s.matmul(table)
    else:
        of_query = s * table.unsqueeze(1)
    of_query = of_query.expand(b, h, n, t) / scale
    q = q.cat(of_query.cast(q.dtype), dim=-1)
    return q, k.cat(s.expand(b, g, n, t).cast(k.dtype), dim=-1), options
