"""How frequent motifs are, and motif tables centred by it: raw entries are known only up to a constant."""

from __future__ import annotations

import numpy as np

from gattn_tg.models.tables import centred
from gattn_tg.types import Float, UInt8

__all__ = ["centred", "motif_frequency"]


def motif_frequency(
    motif_ids: UInt8[np.ndarray, "r n"], lengths: np.ndarray, n_motifs: int
) -> Float[np.ndarray, "t"]:
    """Share of the bases that carry each motif id, padding left out.

    Args:
        motif_ids: one row per sequence, padded on the right.
        lengths: bases of every sequence.
        n_motifs: size of the table.
    """
    inside = np.arange(motif_ids.shape[1]) < np.asarray(lengths)[:, None]
    counts = np.bincount(motif_ids[inside], minlength=n_motifs).astype(np.float64)
    share: np.ndarray = counts / max(counts.sum(), 1.0)
    return share
