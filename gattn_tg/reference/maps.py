"""Questions about the attention map whose answers are small: its mass by motif, by key, by distance."""

from __future__ import annotations

from typing import Any

import numpy as np

from gattn_tg.reference.bias import checked_ids
from gattn_tg.reference.forward import probabilities
from gattn_tg.reference.visible import coordinates
from gattn_tg.types import Float, Int


def motif_mass(
    q: Float[np.ndarray, "b h n d"],
    k: Float[np.ndarray, "b g m d"],
    ids: Int[np.ndarray, "b m"],
    n_motifs: int = 16,
    **keywords: Any,
) -> Float[np.ndarray, "b h n t"]:
    """Computes `mass[b,h,i,c] = sum_j p[i,j] [id_j == c]`, the share of base i that goes to motif c.

    Args:
        q, k: As in `attention`.
        ids: Motif ids of the keys.
        n_motifs: Number of motif ids t.
        **keywords: bias, rope, positions, is_causal, window_size, lengths, segments, scale, anchors.
    """
    p, _ = probabilities(q, k, **keywords)
    of_key = checked_ids("ids", ids, (p.shape[0], p.shape[3]), n_motifs)
    return np.asarray(p @ np.eye(n_motifs)[of_key][:, None])


def received(
    q: Float[np.ndarray, "b h n d"], k: Float[np.ndarray, "b g m d"], **keywords: Any
) -> Float[np.ndarray, "b h m"]:
    """Computes `received[b,h,j] = sum_i p[i,j]`, the attention that key j gets from all queries."""
    p, _ = probabilities(q, k, **keywords)
    return np.asarray(p.sum(2))


def distance(
    q: Float[np.ndarray, "b h n d"], k: Float[np.ndarray, "b g m d"], n_bins: int = 21, **keywords: Any
) -> Float[np.ndarray, "b h bins"]:
    """Computes the attention, summed over queries, that goes to each bin of the distance `|pos_i - pos_j|`.

    Bin 0 is distance 0; bin x >= 1 holds `2**(x-1) <= distance < 2**x`; the last one also what is farther.

    Args:
        q, k: As in `attention`.
        n_bins: Number of bins; the default resolves distances up to half a million bases.
        **keywords: bias, rope, positions, is_causal, window_size, lengths, segments, scale, anchors.
    """
    p, _ = probabilities(q, k, **keywords)
    b, h, n, m = p.shape
    of_query, of_key = coordinates(keywords.get("positions"), (b, n, m))
    apart = np.abs(of_query[:, :, None] - of_key[:, None, :])
    # frexp gives the exponent e with 2**(e-1) <= x < 2**e, exactly, and 0 for 0: the number of the bin.
    bin_of = np.minimum(np.frexp(apart.astype(np.float64))[1], n_bins - 1)
    answer = np.zeros((b, h, n_bins))
    for x in range(n_bins):
        answer[:, :, x] = np.where((bin_of == x)[:, None], p, 0.0).sum((2, 3))
    return answer
