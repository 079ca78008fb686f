"""Predictions that do not depend on the strand a sequence is given on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gattn_tg.data.augment import mirrored, other_strand
from gattn_tg.errors import ConfigError
from gattn_tg.motif import MotifVocabulary
from gattn_tg.types import Float, Int, UInt8

BLOCK = 8192  # rows that are turned at once: those of a file are no more in memory than that
Run = Callable[..., np.ndarray]
"""(base ids, motif ids), and lengths where sequences are padded, to one row of values per sequence.

Behind the lengths may stand what is the same of both strands.
"""


def over_strands(
    run: Run, vocabulary: MotifVocabulary, mirror: Callable[[np.ndarray], np.ndarray] | None = None
) -> Run:
    """The mean of what a model says of sequences and of their reverse complements.

    A sum of two numbers does not depend on their order, so a sequence and its reverse complement get equal answers,
    bit for bit, whatever the model has learnt. It takes twice the time. The other way to that end is a model whose
    tables are tied (`tie_strands`) and that was trained on both strands, which is symmetric only as far as it learnt.

    Args:
        run: what a model says.
        vocabulary: what the motif ids mean; it must be `is_strand_symmetric`, or the motifs of the other strand are
            not those that annotation would find.
        mirror: what values of the other strand are on this one; None where they mean the same on both.

    Raises:
        ConfigError: the vocabulary is not symmetric.

    Source: averaging over both strands at prediction, as in Shrikumar, Greenside and Kundaje 2017, bioRxiv 103663.
    """
    require_symmetric(vocabulary)

    def both(
        bases: UInt8[np.ndarray, "b n"], motif_ids: UInt8[np.ndarray, "b n"],
        lengths: Int[np.ndarray, "b"] | None = None, *more: np.ndarray,
    ) -> Float[np.ndarray, "b ..."]:
        firsts = range(0, len(bases), BLOCK)
        whole = [bases, motif_ids] if lengths is None else [bases, motif_ids, lengths, *more]
        return np.concatenate([block(*(array[first : first + BLOCK] for array in whole)) for first in firsts])

    def block(
        bases: UInt8[np.ndarray, "b n"], motif_ids: UInt8[np.ndarray, "b n"],
        lengths: Int[np.ndarray, "b"] | None = None, *more: np.ndarray,
    ) -> Float[np.ndarray, "b ..."]:
        others = other_strand(bases, motif_ids, vocabulary.complement, lengths=lengths)
        same = () if lengths is None else (lengths, *more)
        here, there = run(bases, motif_ids, *same), run(*others, *same)
        mean: np.ndarray = (here + (there if mirror is None else mirror(there))) * np.float32(0.5)
        return mean

    return both


def require_symmetric(vocabulary: MotifVocabulary) -> None:
    """Raises ConfigError where the motifs of the other strand are not those that annotation would find there."""
    if not vocabulary.is_strand_symmetric:
        raise ConfigError(
            "mean over both strands: expected a vocabulary whose classes mean the same on both, got one with a class "
            "of one strand without its partner; predict for one strand, or add the partner"
        )


def mirrored_sites(values: Float[np.ndarray, "b n k"], site_bp: int) -> Float[np.ndarray, "b n k"]:
    """Values of sites, which stand at the first base, of the other strand: its last base there is the first here."""
    return np.roll(mirrored(values), 1 - site_bp, axis=1)
