"""Motif ids without a look ahead, for models that predict the next base."""

from __future__ import annotations

import numpy as np

from gattn_tg.errors import ShapeError
from gattn_tg.motif.sites import strands
from gattn_tg.motif.vocabulary import MotifVocabulary
from gattn_tg.seq.alphabet import N
from gattn_tg.seq.codec import encode
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
    ids = encode(sequence) if isinstance(sequence, str | bytes) else np.asarray(sequence)
    if ids.ndim not in (1, 2):
        raise ShapeError(
            f"causal_ids: one sequence (n) or one per row (N, n) is required, but came {ids.ndim} axes; "
            "reshape the base ids"
        )
    # An N behind each row keeps motifs from crossing into the next, so all rows are one long sequence.
    apart = np.pad(np.atleast_2d(ids), ((0, 0), (0, 1)), constant_values=N)
    row, motif_ids = apart.ravel(), np.zeros(apart.size, dtype=np.uint8)
    classes = dict(enumerate(vocabulary.classes, start=1))
    # From the lowest priority to the highest, so later classes paint over earlier ones.
    for k in sorted(classes, key=lambda k: (classes[k].priority, -k)):
        for strand in strands(classes[k]):
            motif_ids[classes[k].rule.last_bases(row, reverse=strand == "-")] = k
    return motif_ids.reshape(apart.shape)[:, :-1].reshape(ids.shape)


def lookback(vocabulary: MotifVocabulary) -> int:
    """Bases, its own included, that decide the causal id of a base."""
    return max(motif.rule.lookback_bp for motif in vocabulary.classes)
