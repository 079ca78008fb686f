"""Hits: every site with its strand and score, for reports."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gattn_tg.motif.vocabulary import MotifClass, MotifVocabulary
from gattn_tg.seq.codec import encode
from gattn_tg.types import UInt8


class Hit(NamedTuple):
    """One site, 0-based and half-open.

    `strand` is "+" or "-", or "." for a motif that reads the same on both. `score` is 1 for a consensus, bits for a
    matrix, the fraction of A and T for an AT-rich stretch, observed/expected for a CpG island.
    """

    start: int
    end: int
    strand: str
    name: str
    id: int
    score: float


def hits(
    sequence: str | bytes | UInt8[np.ndarray, "n"], vocabulary: MotifVocabulary | None = None
) -> list[Hit]:
    """Return every site of every class, sorted by position; unlike `annotate`, overlapping ones all count.

    Args:
        sequence: letters or base ids of one sequence.
        vocabulary: the default one when None.

    Raises:
        FormatError: a letter that is no nucleotide.
        MissingExtraError: the vocabulary has matrices and lightmotif is not installed.

    Example:
        >>> hits("AACGT")
        [Hit(start=2, end=4, strand='.', name='cpg', id=1, score=1.0)]
    """
    vocabulary = vocabulary or MotifVocabulary.default()
    ids = encode(sequence) if isinstance(sequence, str | bytes) else np.asarray(sequence)
    found = [
        Hit(start, end, strand, motif.name, k, score)
        for k, motif in enumerate(vocabulary.classes, start=1)
        for strand in _strands(motif)
        for start, end, score in zip(
            *(part.tolist() for part in motif.rule.find(ids, reverse=strand == "-")), strict=True
        )
    ]
    return sorted(found, key=lambda hit: (hit.start, hit.end, hit.id, hit.strand))


def _strands(motif: MotifClass) -> str:
    if motif.rule.is_symmetric:
        return "."
    return {"either": "+-", "forward": "+", "reverse": "-"}[motif.strand]
