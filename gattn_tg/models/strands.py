"""Predictions that do not depend on the strand a sequence is given on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gattn_tg.data import LabelledSequences
from gattn_tg.data.augment import mirrored, other_strand
from gattn_tg.errors import ConfigError
from gattn_tg.motif import MotifVocabulary
from gattn_tg.types import Float, UInt8

Run = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(base ids, motif ids) of rows to values along them, (rows, positions, tracks)."""


@dataclass(frozen=True)
class StrandAverage:
    """Calling it with a dataset gives the mean of what a model says of every sequence and of its reverse complement.

    A sum of two numbers does not depend on their order, so a sequence and its reverse complement get equal answers,
    bit for bit, whatever the model has learnt. It takes twice the time. The other way to that end is a model whose
    tables are tied (`tie_strands`) and that was trained on both strands, which is symmetric only as far as it learnt.

    Args:
        forward: rows of a dataset to rows of numbers that mean the same on both strands, such as `models.Forward`.
        vocabulary: what the motif ids mean; it must be `is_strand_symmetric`, or the motifs of the other strand are
            not those that annotation would find.

    Raises:
        ConfigError: the vocabulary is not symmetric.

    Source: averaging over both strands at prediction, as in Shrikumar, Greenside and Kundaje 2017, bioRxiv 103663.
    """

    forward: Callable[[LabelledSequences], Float[np.ndarray, "n c"]]
    vocabulary: MotifVocabulary

    def __post_init__(self) -> None:
        require_symmetric(self.vocabulary)

    def __call__(self, dataset: LabelledSequences) -> Float[np.ndarray, "n c"]:
        bases, ids = other_strand(dataset.bases, dataset.motif_ids, self.vocabulary.complement, lengths=dataset.lengths)
        other = replace(dataset, bases=bases, motif_ids=ids)
        mean: np.ndarray = (self.forward(dataset) + self.forward(other)) * np.float32(0.5)
        return mean


def require_symmetric(vocabulary: MotifVocabulary) -> None:
    """Raises ConfigError where the motifs of the other strand are not those that annotation would find there."""
    if not vocabulary.is_strand_symmetric:
        raise ConfigError(
            "mean over both strands: a vocabulary whose classes mean the same on both is required, but came one with a "
            "class of one strand without its partner; predict for one strand, or add the partner"
        )


def over_strands(
    run: Run, vocabulary: MotifVocabulary, mirror: Callable[[np.ndarray], np.ndarray]
) -> Run:
    """The mean of a model's values along windows and of those along their reverse complements.

    Args:
        run: (base ids, motif ids) to values (rows, positions, tracks).
        vocabulary: what the motif ids mean.
        mirror: what values of the other strand are on this one.
    """

    def both(bases: UInt8[np.ndarray, "b n"], motif_ids: UInt8[np.ndarray, "b n"]) -> Float[np.ndarray, "b p k"]:
        here, there = run(bases, motif_ids), run(*other_strand(bases, motif_ids, vocabulary.complement))
        mean: np.ndarray = (here + mirror(there)) * np.float32(0.5)
        return mean

    return both


def mirrored_sites(values: Float[np.ndarray, "b n k"], site_bp: int) -> Float[np.ndarray, "b n k"]:
    """Values of sites, which stand at the first base, of the other strand: its last base there is the first here."""
    return np.roll(mirrored(values), 1 - site_bp, axis=1)
