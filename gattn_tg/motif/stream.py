"""Sequences of any length, annotated piece by piece in constant memory, with the result of annotating them whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from gattn_tg.motif.annotate import paint
from gattn_tg.motif.sites import Sites, sites, strands
from gattn_tg.motif.vocabulary import MotifVocabulary
from gattn_tg.seq.alphabet import N
from gattn_tg.types import UInt8

PIECE_BP = 1 << 20
GROUP_BP = 1 << 18
SEARCH_BP = 1 << 14  # stretch before the end of a piece in which a joint is looked for first

Block = tuple[str, int, np.ndarray]
"""(contig, position of the first base, base ids); the blocks of a contig follow each other, the first is at 0."""


class Piece(NamedTuple):
    """A part of a contig with some bases around it: `ids[left:right]` is the part, which begins at `start`."""

    chrom: str
    start: int
    ids: UInt8[np.ndarray, "n"]
    left: int
    right: int


class AnnotatedPiece(NamedTuple):
    """Motif ids and sites of a piece; `sites` are in coordinates of the contig."""

    chrom: str
    start: int
    motif_ids: UInt8[np.ndarray, "n"]
    sites: Sites


def pieces(blocks: Iterable[Block], vocabulary: MotifVocabulary, piece_bp: int = PIECE_BP) -> Iterator[Piece]:
    """Cut contigs where no motif is lost: all pieces together give what `annotate` and `hits` of the whole give.

    Sites of limited length are found because neighbouring pieces overlap by the longest of them. CpG islands and
    AT-rich stretches have no greatest length, so a piece ends where none of them is near; it grows until there is
    such a place.

    Args:
        blocks: contigs in blocks of any size.
        vocabulary: what will be looked for.
        piece_bp: bases of a piece, roughly; memory is a few times that.
    """
    halo = max(motif.rule.reach_bp for motif in vocabulary.classes)
    chrom, held, at, core = "", np.zeros(0, dtype=np.uint8), 0, 0  # `held` begins at `at`, the next piece at `core`
    limit = piece_bp
    for name, start, ids in blocks:
        if start == 0:
            if held.size:
                yield Piece(chrom, core, held, core - at, len(held))
            chrom, held, at, core, limit = name, np.zeros(0, dtype=np.uint8), 0, 0, piece_bp
        held = np.concatenate([held, ids])
        while at + len(held) >= limit + halo + SEARCH_BP:
            cut = _joint(held, core - at, limit - at, vocabulary)
            if cut < 0:
                limit += piece_bp
                continue
            yield Piece(chrom, core, held[: cut + halo], core - at, cut)
            core = at + cut
            drop = max(cut - halo, 0)
            held, at = held[drop:], at + drop
            limit = core + piece_bp
    if held.size:
        yield Piece(chrom, core, held, core - at, len(held))


def annotate_piece(piece: Piece, vocabulary: MotifVocabulary) -> AnnotatedPiece:
    """Return the motif ids of a piece and the sites that begin in it."""
    inside = piece.ids[piece.left : piece.right]
    found = {}
    for k, motif in enumerate(vocabulary.classes, start=1):
        for strand in strands(motif):
            if motif.rule.reach_bp:
                found[k, strand] = motif.rule.find(piece.ids, reverse=strand == "-")
            else:
                spans = motif.rule.find(inside, reverse=strand == "-")
                found[k, strand] = spans._replace(starts=spans.starts + piece.left, ends=spans.ends + piece.left)
    motif_ids = paint(len(piece.ids), found, vocabulary)[piece.left : piece.right]
    table = sites(found)
    mine = (table.starts >= piece.left) & (table.starts < piece.right)
    kept = Sites(*(column[mine] for column in table)).shifted(piece.start - piece.left)
    return AnnotatedPiece(piece.chrom, piece.start, motif_ids, kept)


def groups(parts: Iterable[Piece], group_bp: int = GROUP_BP) -> Iterator[list[Piece]]:
    """Collect pieces that are annotated together: short contigs up to `group_bp` bases, everything else alone."""
    held: list[Piece] = []
    n_bases = 0
    for piece in parts:
        is_short = piece.left == 0 and piece.right == len(piece.ids) and len(piece.ids) < group_bp
        if held and (not is_short or n_bases + len(piece.ids) > group_bp):
            yield held
            held, n_bases = [], 0
        if not is_short:
            yield [piece]
            continue
        held.append(piece)
        n_bases += len(piece.ids)
    if held:
        yield held


def annotate_group(group: Sequence[Piece], vocabulary: MotifVocabulary) -> list[AnnotatedPiece]:
    """Return what `annotate_piece` gives for each piece of a group, in one pass over all of them.

    Hundreds of short contigs cost as much as one of their length: they are joined by an N, which no motif contains.
    """
    if len(group) == 1:
        return [annotate_piece(group[0], vocabulary)]
    apart = np.array([N], dtype=np.uint8)
    ids = np.concatenate([part for piece in group for part in (piece.ids, apart)])
    done = annotate_piece(Piece("", 0, ids, 0, len(ids)), vocabulary)
    begins = np.cumsum([0, *(len(piece.ids) + 1 for piece in group)]).tolist()
    cuts = np.searchsorted(done.sites.starts, begins).tolist()
    return [
        AnnotatedPiece(
            piece.chrom,
            piece.start,
            done.motif_ids[begin : begin + len(piece.ids)],
            Sites(*(column[first:after] for column in done.sites)).shifted(piece.start - begin),
        )
        for piece, begin, first, after in zip(group, begins, cuts, cuts[1:], strict=False)
    ]


def _joint(held: np.ndarray, first: int, limit: int, vocabulary: MotifVocabulary) -> int:
    """Return the last index in `first + 1 .. limit` before which all rules allow a cut, or -1."""
    rules = [motif.rule for motif in vocabulary.classes if not motif.rule.reach_bp]
    for start in (max(first, limit - SEARCH_BP), first):
        part = held[start : limit + SEARCH_BP]
        allowed = np.ones(len(part), dtype=bool)
        for rule in rules:
            allowed &= rule.joints(part)
        allowed[0] = False
        allowed[limit - start + 1 :] = False
        places = np.flatnonzero(allowed)
        if places.size:
            return int(start + places[-1])
    return -1
