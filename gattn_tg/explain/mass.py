"""How much attention each base gives to each motif, exactly and without a map of n times m numbers."""

from __future__ import annotations

from typing import Any

from tinygrad import Tensor

from gattn_tg.errors import ShapeError
from gattn_tg.ops.attention.api import attention
from gattn_tg.types import Float, Int


def motif_mass(
    q: Float[Tensor, "b h n d"], k: Float[Tensor, "b g m d"], ids: Int[Tensor, "b m"], n_motifs: int = 16,
    **options: Any,
) -> Float[Tensor, "b h n t"]:
    """The share of attention that query i gives to keys with motif c.

        mass[i, c] = sum_j p[i, j] [id_j == c]

    One pass of attention in which the values are the one-hot motif ids of the keys, so memory grows with n t.

    Args:
        q: queries of the layer that is asked about, as in `attention`.
        k: its keys.
        ids: motif id of every key, 0..n_motifs-1.
        n_motifs: motif classes, 0 (no motif) included (t).
        options: `bias`, `rope`, `is_causal` ... with which the layer attends; see `attention`.

    Returns:
        Shares in the dtype of q; they sum to 1 over the motifs, to 0 for a query that sees nothing.

    Raises:
        ShapeError: ids that do not fit the keys.

    Example:
        >>> from tinygrad import Tensor
        >>> q = k = Tensor.zeros(1, 1, 4, 8)
        >>> motif_mass(q, k, Tensor([[0, 1, 1, 2]]), n_motifs=3)[0, 0, 0].tolist()
        [0.25, 0.5, 0.25]
    """
    b, g, m, _ = k.shape
    if tuple(ids.shape) != (b, m):
        raise ShapeError(f"motif_mass: expected ids of shape {(b, m)}, one per key, got {tuple(ids.shape)}; pass "
                         "the ids of the keys")
    hot = ids.one_hot(n_motifs).cast(q.dtype).unsqueeze(1).expand(b, g, m, n_motifs)
    mass: Tensor = attention(q, k, hot.contiguous(), **options)
    return mass
