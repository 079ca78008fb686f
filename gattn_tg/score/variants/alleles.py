"""Both alleles of a variant as windows of the genome: equal up to the variant, which stands in the middle."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gattn_tg.io import Genome
from gattn_tg.seq import Interval, Variant, encode
from gattn_tg.types import UInt8


class Alleles(NamedTuple):
    """Two windows that begin at the same base.

    Args:
        chrom, start: the first base of both.
        ref, alt: base ids; the first `at` of both are equal.
        at: first base that differs.
        n_ref, n_alt: bases of each allele; what is behind them is the same stretch of genome, as far as both reach.
    """

    chrom: str
    start: int
    ref: UInt8[np.ndarray, "n"]
    alt: UInt8[np.ndarray, "m"]
    at: int
    n_ref: int
    n_alt: int


def alleles(
    genome: Genome, variant: Variant, width: int, *, shift: int = 0, is_padded: bool = False, is_inside: bool = True
) -> Alleles:
    """The windows of both alleles.

    The first base that differs is at `width // 2`. To the right both go on with the genome up to `width` bases, so
    after a deletion the window shows bases that the other does not reach, and an allele longer than the room that is
    left is cut. A window stays inside its contig: near the ends the variant is not in the middle, and of a contig of at
    most `width` bases all is seen.

    Args:
        genome: has `variant.ref`.
        variant: as in the file.
        width: bases of a window.
        shift: moves both windows by so many bases to the right.
        is_padded: N beyond the ends of the contig, so that both windows have `width` bases.
        is_inside: False lets a padded window begin before its contig, so that the variant always stands in the middle.
    """
    pairs = enumerate(zip(variant.ref, variant.alt, strict=False))
    same = next((i for i, (a, b) in pairs if a != b), min(len(variant.ref), len(variant.alt)))
    short = Variant.of_checked(variant.chrom, variant.start + same, variant.ref[same:], variant.alt[same:]).trimmed()
    chrom, size = short.chrom, genome.sizes[short.chrom]
    start, n_ref, n_alt = short.start - width // 2 + shift, len(short.ref), len(short.alt)
    first = min(max(start, 0), max(size - width, 0)) if is_inside else start
    stop = first + width if is_padded else min(first + width, size)
    ref = genome.fetch(Interval(chrom, first, stop), pad=is_padded)
    at = short.start - first
    behind = ref[at + n_ref :]
    room = first + width - short.start - n_alt
    if room > len(behind):
        reached = max(stop, short.end)
        more = short.end + room if is_padded else min(short.end + room, size)
        behind += genome.fetch(Interval(chrom, reached, max(more, reached)), pad=is_padded)
    alt = (ref[:at] + short.alt.encode("ascii"))[:width] + behind[: max(room, 0)]
    return Alleles(chrom, first, encode(ref), encode(alt), at, n_ref, n_alt)
