"""Which known motif a motif resembles most: correlation of base frequencies at the best alignment of either strand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gattn_tg.types import Float

AT_ONCE = 64  # motifs that are compared with all others at once
EVEN = 0.25  # frequency of a base where a motif says nothing


class Match(NamedTuple):
    """The known motif that resembles one most.

    Args:
        which: its place among the known ones.
        similarity: from -1 to 1, the same motif.
        strand: "+", or "-" where its reverse complement does.
        offset: base of it at which the motif begins; less than 0 where the motif begins before it.
    """

    which: int
    similarity: float
    strand: str
    offset: int


def nearest(motifs: Float[np.ndarray, "t w 4"], known: Sequence[Float[np.ndarray, "v 4"]]) -> list[Match]:
    """The best match of every motif.

    Similarity is sum f g / sqrt(sum f^2 sum g^2) over all positions and bases, with f and g the frequencies less 1/4,
    at the alignment with the largest. Positions at which one of the two has ended count as even, so that a match of a
    few bases at the edge is a weak one. It is a Pearson correlation, as the frequencies of a position add up to 1.

    Args:
        motifs: frequencies of A, C, G, T.
        known: the same of motifs of any width.

    Source: alignment and both strands as in Tomtom (Gupta et al. 2007, Genome Biology 8:R24), without its p-values.
    """
    t, w, _ = motifs.shape
    widest = max(len(x) for x in known)
    laid = np.zeros((len(known), widest + 2 * (w - 1), 4), np.float32)
    for row, x in zip(laid, known, strict=True):
        row[w - 1 : w - 1 + len(x)] = np.asarray(x) - EVEN
    sizes = np.sqrt(np.maximum((laid.astype(np.float64) ** 2).sum((1, 2)), 1e-12))
    windows = np.lib.stride_tricks.sliding_window_view(laid, w, axis=1)  # known, alignment, base, position
    windows = windows.transpose(0, 1, 3, 2).reshape(len(known), -1, 4 * w)
    found: list[Match] = []
    for first in range(0, t, AT_ONCE):
        some = np.asarray(motifs[first : first + AT_ONCE], np.float32) - EVEN
        size = np.sqrt(np.maximum((some.astype(np.float64) ** 2).sum((1, 2)), 1e-12))
        both = np.stack([some, some[:, ::-1, ::-1]]).reshape(2, len(some), 4 * w)
        scores = windows @ both.transpose(0, 2, 1)[:, None]  # strand, known, alignment, motif
        scores = scores / sizes[:, None, None] / size
        for i in range(len(some)):
            strand, which, at = np.unravel_index(int(scores[..., i].argmax()), scores.shape[:3])
            found.append(Match(int(which), float(scores[strand, which, at, i]), "+-"[strand], int(at) - (w - 1)))
    return found
