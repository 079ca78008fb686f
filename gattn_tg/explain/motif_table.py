"""The motif table in the form that may be published: centred, because raw entries are known only up to a constant."""

from __future__ import annotations

import numpy as np

from gattn_tg.errors import ShapeError
from gattn_tg.types import Float, UInt8


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


def centred(table: Float[np.ndarray, "... t"], frequency: Float[np.ndarray, "t"]) -> Float[np.ndarray, "... t"]:
    """The table minus the mean of every row, weighted by how frequent the key motif is.

    T'[.., c] = T[.., c] - sum_k f[k] T[.., k] / sum_k f[k]

    A constant added to all scores of one query changes no attention, so this is all that a softmax can learn about the
    keys' motifs: positive entries draw attention compared with the average base, negative ones repel it. In nats.

    Args:
        table: last axis is the motif of the key.
        frequency: share of every motif id in the data.

    Raises:
        ShapeError: The last axis and the frequencies have different sizes.
    """
    if table.shape[-1] != frequency.size:
        raise ShapeError(
            f"centred: one frequency per column is required, but the table has {table.shape[-1]} columns and "
            f"{frequency.size} frequencies came; count the motifs with the table's vocabulary"
        )
    weights = frequency / frequency.sum()
    result: np.ndarray = table - (table * weights).sum(-1, keepdims=True)
    return result
