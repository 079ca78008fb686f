"""The analytic backward of attention, including the gradient of the motif table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gattn_tg.reference.bias import NO_BIAS, PER_KEY_KINDS, Bias, table_index, tie
from gattn_tg.reference.forward import Relative, is_broken, per_query_head, probabilities, without_broken
from gattn_tg.reference.rope import Rope, rotate
from gattn_tg.reference.visible import PerToken, Window, coordinates, visible
from gattn_tg.types import Float, Int


@dataclass(frozen=True, eq=False)
class Gradients:
    """Gradients of `sum(do * o) + sum(dlse * lse)`; dtable is of the untied table; both None without."""

    dq: Float[np.ndarray, "b h n d"]
    dk: Float[np.ndarray, "b g m d"]
    dv: Float[np.ndarray, "b g m e"]
    dtable: Float[np.ndarray, "*shape"] | None
    drelative: Relative | None = None


def attention_backward(
    do: Float[np.ndarray, "b h n e"],
    q: Float[np.ndarray, "b h n d"],
    k: Float[np.ndarray, "b g m d"],
    v: Float[np.ndarray, "b g m e"],
    bias: Bias | None = None,
    rope: Rope | None = None,
    positions: PerToken | None = None,
    is_causal: bool = False,
    window_size: Window = None,
    lengths: Int[np.ndarray, " b"] | None = None,
    segments: PerToken | None = None,
    scale: float | None = None,
    dlse: Float[np.ndarray, "b h n"] | None = None,
    slopes: Float[np.ndarray, "h"] | None = None,
    relative: Relative | None = None,
    anchors: Int[np.ndarray, "b a"] | None = None,
) -> Gradients:
    """Computes the gradients of attention: `dS = p * (do v^T - delta + dlse)`, `delta = sum_j p * (do v^T)`.

    Then `dq = scale * R^T dS (R k)`, `dk = scale * R^T dS^T (R q)`, `dv = p^T do`, each summed over the query
    heads that share a key/value head, and `dT[a] = sum of dS where the bias was read from entry a`.

    Args:
        do: Gradient of the output.
        q, k, v, bias, rope, positions, is_causal, window_size, lengths, segments, scale, slopes, relative, anchors: As
            in `attention`.
        dlse: Gradient of lse, when the caller used it; of no effect for queries that see nothing.

    A query that sees a NaN or an infinity, or whose do or dlse holds one, has a NaN dS for every key that it sees: its
    dq, dk and dv of those keys, and the table entries of those pairs are NaN, nothing else is.

    Source: Dao et al. 2022, FlashAttention, appendix B.4.
    """
    q, k, v, do = (np.asarray(x, np.float64) for x in (q, k, v, do))
    (b, h, n, d), m, g = q.shape, k.shape[2], k.shape[1]
    positions_q, positions_k = coordinates(positions, (b, n, m))
    scale = d**-0.5 if scale is None else scale
    p, _ = probabilities(q, k, bias, rope, positions, is_causal, window_size, lengths, segments, scale, v,
                         slopes, relative, anchors)
    mask = visible((b, n, m), is_causal, window_size, lengths, segments, anchors)
    seen = np.broadcast_to(mask[:, None], p.shape)
    broken = is_broken(do) if dlse is None else is_broken(do) | ~np.isfinite(dlse)
    p = np.where(seen & (broken & p.any(-1))[..., None], np.nan, p)
    q, k, v, do = (without_broken(x) for x in (q, k, v, do))

    dp = do @ per_query_head(v, h).swapaxes(-1, -2)
    delta = (p * dp).sum(-1, keepdims=True)
    ds = p * (dp - delta + (0.0 if dlse is None else np.asarray(dlse, np.float64)[..., None]))
    ds = np.where(seen, ds, 0.0)

    turned_q, turned_k = rotate(q, rope, positions_q), rotate(k, rope, positions_k)
    dq = rotate(scale * ds @ per_query_head(turned_k, h), rope, positions_q, inverse=True)
    dk = rotate(summed_over_group(scale * ds.swapaxes(-1, -2) @ turned_q, g), rope, positions_k, inverse=True)
    dv = summed_over_group(p.swapaxes(-1, -2) @ do, g)
    dtable = None if bias is None else gathered(bias, table_index(bias, (b, n, m), positions_q, positions_k), ds)
    return Gradients(dq, dk, dv, dtable, None if relative is None else drelative(relative, ds))


def drelative(relative: Relative, ds: Float[np.ndarray, "b h n m"]) -> Relative:
    """Gives the gradients of both factors of the products that were added by distance."""
    of_q, of_k = (without_broken(np.asarray(x, np.float64)) for x in relative)
    n, m = ds.shape[2:]
    by_distance = np.zeros((*ds.shape[:3], n + m - 1))
    for i in range(n):
        by_distance[:, :, i, n - 1 - i : n - 1 - i + m] = ds[:, :, i]
    return by_distance @ of_k, np.einsum("bhir,bhic->hrc", by_distance, of_q)


def summed_over_group(x: Float[np.ndarray, "b h m d"], g: int) -> Float[np.ndarray, "b g m d"]:
    """Adds up the query heads that read one key/value head."""
    b, h, m, d = x.shape
    return np.asarray(x.reshape(b, g, h // g, m, d).sum(2))


def gathered(
    bias: Bias, index: Int[np.ndarray, "b n m"], ds: Float[np.ndarray, "b h n m"]
) -> Float[np.ndarray, "*shape"]:
    """Adds every dS to the table entry that its bias was read from, then undoes the tie."""
    shape = np.shape(bias.table)
    inner = 1 if bias.kind in PER_KEY_KINDS else 2
    entries = shape[-1] ** inner
    used = index != NO_BIAS
    per_head = np.stack(
        [np.bincount(index[used], weights=ds[:, x][used], minlength=entries) for x in range(ds.shape[1])]
    )
    total = per_head if len(shape) > inner else per_head.sum(0)
    return tie(bias.kind, total.reshape(shape), bias.complement)
