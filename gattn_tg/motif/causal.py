"""Motif ids without a look ahead, for models that predict the next base."""

from __future__ import annotations

import numpy as np

from gattn_tg.motif.base_ids import as_one, base_ids
from gattn_tg.motif.sites import strands
from gattn_tg.motif.vocabulary import MotifVocabulary
from gattn_tg.types import UInt8


def causal_ids(
    sequence: str | bytes | UInt8[np.ndarray, "... n"], vocabulary: MotifVocabulary | None = None
) -> UInt8[np.ndarray, "... n"]:
    """Return the motif id of every base as far as the bases up to it tell, 0 where there is none.

    `annotate` gives all bases of a motif its id; the first base of a TATA box then says that TATAA is to follow, and a
    language model would read the answer from its input. Here a motif is marked on its last base only, where it is
    complete; a stretch (AT-rich, CpG island) on the last base of every window of its composition. So

        causal_ids(ids)[..., :i] == causal_ids(ids[..., :i])

    holds exactly. Where several motifs end, the highest priority counts, and of two partners the one of lower id.

    Args:
        sequence: letters, or base ids; with two axes, one sequence per row.
        vocabulary: the default one when None.

    Raises:
        FormatError: a letter that is no nucleotide.
        ShapeError: base ids with more than two axes.
        MissingExtraError: the vocabulary has matrices and lightmotif is not installed.

    Example:
        >>> causal_ids("AACGTTTATAAAAG").tolist()
        [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4]
    """
    vocabulary = vocabulary or MotifVocabulary.default()
    ids = base_ids(sequence, "causal_ids")
    row, back = as_one(ids)
    motif_ids = np.zeros(row.size, dtype=np.uint8)
    classes = dict(enumerate(vocabulary.classes, start=1))
    # From the lowest priority to the highest, so later classes paint over earlier ones.
    for k in sorted(classes, key=lambda k: (classes[k].priority, -k)):
        for strand in strands(classes[k]):
            motif_ids[classes[k].rule.last_bases(row, reverse=strand == "-")] = k
    return back(motif_ids)


def lookback(vocabulary: MotifVocabulary) -> int:
    """Bases, its own included, that decide the causal id of a base."""
    return max(motif.rule.lookback_bp for motif in vocabulary.classes)
