"""How much of a stretch is C or G, and how many CpG it has beside what its C and G let expect."""

from __future__ import annotations

import numpy as np

from gattn_tg.seq.alphabet import C, G, N
from gattn_tg.types import Float, UInt8


def gc_fraction(ids: UInt8[np.ndarray, "... n"]) -> Float[np.ndarray, "..."]:
    """Return (C + G) / (A + C + G + T) along the last axis; N is not counted, and 0 stands where no base is known.

    Example:
        >>> gc_fraction(np.array([[1, 2, 0, 4], [4, 4, 4, 4]], dtype=np.uint8)).round(3).tolist()
        [0.667, 0.0]
    """
    return gc_of(((ids == C) | (ids == G)).sum(axis=-1), (ids != N).sum(axis=-1))


def cpg_observed_expected(ids: UInt8[np.ndarray, "... n"]) -> Float[np.ndarray, "..."]:
    """Return n_CpG n / (n_C n_G) along the last axis, n the known bases; 0 without C or without G.

    Source: Gardiner-Garden and Frommer (1987) J Mol Biol 196:261.

    Example:
        >>> float(cpg_observed_expected(np.array([1, 2, 1, 2], dtype=np.uint8)))
        2.0
    """
    n_cpg = ((ids[..., :-1] == C) & (ids[..., 1:] == G)).sum(axis=-1)
    n_c, n_g, known = ((ids == C).sum(axis=-1), (ids == G).sum(axis=-1), (ids != N).sum(axis=-1))
    return observed_expected_of(n_cpg, n_c, n_g, known)


def gc_of(n_gc: np.ndarray, n: np.ndarray) -> Float[np.ndarray, "..."]:
    """The fraction of C and G from counts."""
    fraction: np.ndarray = n_gc / np.maximum(n, 1)
    return fraction


def observed_expected_of(
    n_cpg: np.ndarray, n_c: np.ndarray, n_g: np.ndarray, n: np.ndarray
) -> Float[np.ndarray, "..."]:
    """CpG observed / expected from counts."""
    ratio: np.ndarray = n_cpg * n / np.maximum(n_c * n_g, 1)
    return ratio
