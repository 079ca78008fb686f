"""One motif id per base."""

from __future__ import annotations

import numpy as np

from gattn_tg.errors import ShapeError
from gattn_tg.motif.base_ids import as_one, base_ids
from gattn_tg.motif.rules import UNMEASURED
from gattn_tg.motif.sites import Found, find_all, strands
from gattn_tg.motif.spans import Spans
from gattn_tg.motif.vocabulary import MotifVocabulary
from gattn_tg.types import Bool, UInt8


def annotate(
    sequence: str | bytes | UInt8[np.ndarray, "... n"], vocabulary: MotifVocabulary | None = None,
    states: str | bytes | UInt8[np.ndarray, "... n"] | None = None,
) -> UInt8[np.ndarray, "... n"]:
    """Return the motif id of every base, 0 where there is none.

    A base goes to the class of highest priority that covers it. Where the two strands of one directional rule both
    cover a base, it goes to the strand whose nearest site has the nearer centre, and to neither when both are
    equally near. So for a vocabulary with `is_strand_symmetric`

        annotate(reverse_complement(ids)) == complement[annotate(ids)][::-1]

    holds exactly.

    Args:
        sequence: letters, or base ids; with two axes, one sequence per row, padded at the end with N, all scanned
            in one pass. Padding changes nothing: a motif never contains an N.
        vocabulary: the default one when None.
        states: what was measured at each base, a letter or its ASCII code, "." where nothing was; classes of
            `rules.Measured` are found by it.

    Raises:
        FormatError: a letter that is no nucleotide.
        ShapeError: base ids with more than two axes, or states of another shape.
        ConfigError: a class of measured states, and no states.
        MissingExtraError: the vocabulary has matrices and lightmotif is not installed.

    Example:
        >>> annotate("AACGTTTATAAAAG").tolist()
        [0, 0, 1, 1, 0, 0, 4, 4, 4, 4, 4, 4, 4, 4]
    """
    vocabulary = vocabulary or MotifVocabulary.default()
    ids = base_ids(sequence, "annotate")
    row, back = as_one(ids)
    known = None if states is None else _codes(states, ids)
    return back(paint(len(row), find_all(row, vocabulary, known), vocabulary))


def _codes(
    states: str | bytes | UInt8[np.ndarray, "... n"], ids: UInt8[np.ndarray, "... n"]
) -> UInt8[np.ndarray, "n"]:
    """The states of all rows as `as_one` puts these after each other."""
    text = states.encode() if isinstance(states, str) else states
    codes = np.frombuffer(text, np.uint8) if isinstance(text, bytes) else np.asarray(text)
    if codes.shape != ids.shape:
        raise ShapeError(f"annotate: expected a state for each base of {ids.shape}, got {codes.shape}; write "
                         f"{UNMEASURED!r} where nothing was measured")
    return as_one(codes, behind=ord(UNMEASURED))[0]


def paint(length: int, found: Found, vocabulary: MotifVocabulary) -> UInt8[np.ndarray, "n"]:
    """Return the motif id of every base from the spans of all classes, by the rules of `annotate`."""
    motif_ids = np.zeros(length, dtype=np.uint8)
    classes = dict(enumerate(vocabulary.classes, start=1))
    complement = vocabulary.complement
    # From the lowest priority to the highest, so later classes paint over earlier ones.
    for k in sorted(classes, key=lambda k: classes[k].priority):
        partner = complement[k]
        if partner < k:
            continue  # painted together with its partner
        first, *others = (found[k, strand] for strand in strands(classes[k]))
        if partner == k:
            for spans in (first, *others):
                spans.paint(motif_ids, k)
        else:
            second = found[partner, strands(classes[partner])]
            mine, theirs = _share(first, second, length)
            motif_ids[mine] = k
            motif_ids[theirs] = partner
    return motif_ids


def _share(first: Spans, second: Spans, length: int) -> tuple[Bool[np.ndarray, "n"], Bool[np.ndarray, "n"]]:
    """Return the bases of each of two partners, none of them in both."""
    one, two = first.covered(length), second.covered(length)
    both = np.flatnonzero(one & two)
    if both.size:
        lead = first.distance(both) - second.distance(both)
        one[both[lead >= 0]] = False
        two[both[lead <= 0]] = False
    return one, two
