"""Motifs that a variant makes and breaks: sites of the vocabulary that only one allele has."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gattn_tg.motif import MotifVocabulary
from gattn_tg.motif.annotate import paint
from gattn_tg.motif.base_ids import as_one
from gattn_tg.motif.sites import STRANDS, Sites, find_all, sites
from gattn_tg.score.variants.alleles import Alleles
from gattn_tg.types import UInt8


class Changes(NamedTuple):
    """Names of motif classes, with the strand where there is one, as `tata_box(+)`; one for each site."""

    lost: tuple[str, ...]
    gained: tuple[str, ...]


class Scan:
    """The motifs of rows of bases, found once for the network and for what is told of variants.

    Args:
        bases: one window per row, padded behind with N.
        vocabulary: what is looked for.

    Attributes:
        motif_ids: what `motif.annotate` gives for the rows.
    """

    def __init__(self, bases: UInt8[np.ndarray, "b n"], vocabulary: MotifVocabulary) -> None:
        row, back = as_one(bases)
        found = find_all(row, vocabulary)
        self.motif_ids: UInt8[np.ndarray, "b n"] = back(paint(len(row), found, vocabulary))
        self._sites = sites(found)
        self._apart = bases.shape[1] + 1
        self._from = np.searchsorted(self._sites.starts, np.arange(len(bases) + 1) * self._apart).tolist()

    def of(self, row: int) -> Sites:
        """The sites of a row, in its own coordinates."""
        mine = slice(self._from[row], self._from[row + 1])
        return Sites(*(column[mine] for column in self._sites)).shifted(-row * self._apart)


def changes(ref: Sites, alt: Sites, place: Alleles, vocabulary: MotifVocabulary) -> Changes:
    """Sites that touch the bases which differ and that only one allele has.

    A site is the same in both where its class and strand are, and its ends lie on the same bases of the genome. CpG
    islands and AT-rich stretches, which have no greatest length, count as the same wherever they begin and end.
    """
    old = _touching(ref, place.at, place.n_ref, 0, vocabulary)
    new = _touching(alt, place.at, place.n_alt, place.n_ref - place.n_alt, vocabulary)
    return Changes(_named(old - new, vocabulary), _named(new - old, vocabulary))


def _touching(found: Sites, at: int, n: int, moved: int, vocabulary: MotifVocabulary) -> set[tuple[int, int, int, int]]:
    """(start, end, id, strand) of sites that hold a base of the allele, or the joint where it has none."""
    touches = (found.starts < at + n) & (found.ends > at) if n else (found.starts < at) & (found.ends > at)
    kept = np.flatnonzero(touches)
    rows = set()
    for i in kept.tolist():
        k, strand, start, end = (int(column[i]) for column in (found.ids, found.strands, found.starts, found.ends))
        if not vocabulary.classes[k - 1].rule.reach_bp:
            start = end = 0
        else:
            start, end = (x if x <= at else x + moved for x in (start, end))
        rows.add((start, end, k, strand))
    return rows


def _named(found: set[tuple[int, int, int, int]], vocabulary: MotifVocabulary) -> tuple[str, ...]:
    names = vocabulary.names
    return tuple(f"{names[k]}({STRANDS[strand]})" if STRANDS[strand] != "." else names[k]
                 for _, _, k, strand in sorted(found))
