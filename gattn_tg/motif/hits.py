"""Hits: every site with its strand and score, for reports."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gattn_tg.motif.sites import STRANDS, find_all, sites
from gattn_tg.motif.vocabulary import MotifVocabulary
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
    table = sites(find_all(ids, vocabulary))
    rows = zip(*(column.tolist() for column in table), strict=True)
    names = vocabulary.names
    return [Hit(start, end, STRANDS[strand], names[k], k, score) for start, end, k, strand, score in rows]
