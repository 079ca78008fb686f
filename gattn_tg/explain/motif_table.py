"""How frequent motifs are, and motif tables centred by it: raw entries are known only up to a constant."""

from __future__ import annotations

import numpy as np

from gattn_tg.data.facts import blocks
from gattn_tg.data.labelled import Rows
from gattn_tg.models.motif_tables import centred
from gattn_tg.types import Float

__all__ = ["centred", "motif_frequency"]


def motif_frequency(
    motif_ids: Rows, lengths: np.ndarray, n_motifs: int
) -> Float[np.ndarray, "t"]:
    """Share of the bases that carry each motif id, padding left out.

    Args:
        motif_ids: one row per sequence, padded on the right: an array, or rows of a mapped file.
        lengths: bases of every sequence.
        n_motifs: size of the table.
    """
    n, width = motif_ids.shape
    counts = np.zeros(n_motifs)
    for rows in blocks(n, width):
        inside = np.arange(width) < np.asarray(lengths)[rows, None]
        counts += np.bincount(motif_ids[rows][inside], minlength=n_motifs)
    share: np.ndarray = counts / max(counts.sum(), 1.0)
    return share
