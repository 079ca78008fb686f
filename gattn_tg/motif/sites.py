"""Sites: every place of every class in a sequence, as arrays, found once for all that is made of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from gattn_tg.motif.motif_class import MotifClass
from gattn_tg.motif.rules import Measured, Rule
from gattn_tg.motif.spans import Spans
from gattn_tg.motif.vocabulary import MotifVocabulary
from gattn_tg.types import Float, Int, UInt8

STRANDS = "+-."

Found = dict[tuple[int, str], Spans]
"""(motif id, strand) -> its spans; the strand is "." for a class that reads the same on both."""


class Sites(NamedTuple):
    """Sites sorted by start, end, id, strand; `strands` are indices into `STRANDS`."""

    starts: Int[np.ndarray, "k"]
    ends: Int[np.ndarray, "k"]
    ids: UInt8[np.ndarray, "k"]
    strands: UInt8[np.ndarray, "k"]
    scores: Float[np.ndarray, "k"]

    def shifted(self, bases: int) -> Sites:
        """Return the sites moved to the right."""
        return self._replace(starts=self.starts + bases, ends=self.ends + bases)


def find_all(
    ids: UInt8[np.ndarray, "n"], vocabulary: MotifVocabulary, states: UInt8[np.ndarray, "n"] | None = None
) -> Found:
    """Return the spans of every class on every strand that it is looked for on.

    Args:
        ids: base ids.
        vocabulary: the classes.
        states: ASCII code of the measured state of each base, which classes of `rules.Measured` need.

    Raises:
        ConfigError: such a class, and no states.
    """
    return {
        (k, strand): _found(motif.rule, ids, states, reverse=strand == "-")
        for k, motif in enumerate(vocabulary.classes, start=1)
        for strand in strands(motif)
    }


def _found(
    rule: Rule, ids: UInt8[np.ndarray, "n"], states: UInt8[np.ndarray, "n"] | None, *, reverse: bool
) -> Spans:
    if states is not None and isinstance(rule, Measured):
        return rule.measured(ids, states, reverse=reverse)
    return rule.find(ids, reverse=reverse)


def strands(motif: MotifClass) -> str:
    """Return the strands that a class is looked for on."""
    if motif.rule.is_symmetric:
        return "."
    return {"either": "+-", "forward": "+", "reverse": "-"}[motif.strand]


def sites(found: Found) -> Sites:
    """Return the spans of all classes as one sorted table."""
    keys = [key for key, spans in found.items() if spans.starts.size]
    counts = [found[key].starts.size for key in keys]
    table = Sites(
        _joined((found[key].starts for key in keys), np.int64),
        _joined((found[key].ends for key in keys), np.int64),
        np.repeat(np.array([k for k, _ in keys], dtype=np.uint8), counts),
        np.repeat(np.array([STRANDS.index(strand) for _, strand in keys], dtype=np.uint8), counts),
        _joined((found[key].scores for key in keys), np.float64),
    )
    order = np.lexsort((table.strands, table.ids, table.ends, table.starts))
    return Sites(*(column[order] for column in table))


def _joined(parts: Iterable[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate([np.zeros(0, dtype=dtype), *parts])
