"""Where sites lie: every place of a pattern in the sequences, or the places of a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gattn_tg.data.genomes.encoded import EncodedGenome
from gattn_tg.data.genomes.stretches import Stretches, Windowed
from gattn_tg.errors import ConfigError, CoordinateError
from gattn_tg.motif.iupac import find_pattern, masks
from gattn_tg.seq.alphabet import N
from gattn_tg.seq.interval import Interval
from gattn_tg.seq.strand import reverse_complement
from gattn_tg.types import Int

READ_BP = 1 << 24  # bases of a genome that are looked through at once
LONGEST_PATTERN = 64


@dataclass(frozen=True)
class SiteList:
    """Sites on one stretch of sequence.

    Args:
        place: the stretch.
        starts: first bases of the sites, in coordinates of the genome, rising.
    """

    place: Interval
    starts: Int[np.ndarray, "s"]

    @property
    def chrom(self) -> str:
        """The contig."""
        return self.place.chrom


def require_pattern(pattern: str) -> None:
    """Refuse a pattern that no site can have.

    Raises:
        ConfigError: other letters than those of IUPAC, too many, or another pattern on the other strand: then a place
            would be a site on one strand and none on the other.
    """
    masks(pattern)
    if len(pattern) > LONGEST_PATTERN:
        raise ConfigError(f"pattern: expected at most {LONGEST_PATTERN} letters, got {len(pattern)}; shorten it")
    other = reverse_complement(pattern)
    if other != pattern:
        raise ConfigError(f"pattern: expected one that reads the same on both strands, as CG, got {pattern!r}, which "
                          f"is {other!r} on the other; leave it out and list the sites")


def stretches_of(genome: Windowed) -> list[Interval]:
    """The sequences that there are: whole contigs, or records of a FASTA file where they lie."""
    if isinstance(genome, EncodedGenome):
        return [Interval(chrom, 0, size) for chrom, size in genome.sizes.items()]
    assert isinstance(genome, Stretches)  # open_windows gives nothing else
    return sorted(genome.intervals)


def found_sites(genome: Windowed, pattern: str, places: Sequence[Interval]) -> list[SiteList]:
    """Every place of a pattern in stretches; those without one are left out."""
    found = []
    for place in places:
        parts = []
        for first in range(place.start, place.end, READ_BP):
            end = min(first + READ_BP + len(pattern) - 1, place.end)
            (bases,), _ = genome.windows([Interval(place.chrom, first, end)], end - first)
            parts.append(first + find_pattern(bases, pattern))
        starts = np.concatenate(parts) if parts else np.zeros(0, np.int64)
        if starts.size:
            found.append(SiteList(place, starts))
    return found


def listed_sites(
    genome: Windowed, wanted: Mapping[str, Int[np.ndarray, "s"]], site_bp: int, pattern: str = ""
) -> list[SiteList]:
    """The places of a list, by the stretch that they lie on.

    Args:
        genome: the sequences.
        wanted: contig -> first bases, rising.
        site_bp: bases of a site.
        pattern: letters that every one of them has; "" for any.

    Raises:
        CoordinateError: a site where there is no sequence, or one with other letters.
    """
    found = by_stretch(genome, wanted, site_bp)
    for sites in found:
        _require_letters(genome, sites, site_bp, pattern)
    return found


def by_stretch(genome: Windowed, wanted: Mapping[str, Int[np.ndarray, "s"]], site_bp: int) -> list[SiteList]:
    """The same, whatever the letters.

    Raises:
        CoordinateError: a site where there is no sequence.
    """
    found, places = [], stretches_of(genome)
    for chrom, starts in wanted.items():
        left = np.ones(len(starts), bool)
        for place in places:
            here = left & (starts >= place.start) & (starts + site_bp <= place.end) & (place.chrom == chrom)
            if here.any():
                found.append(SiteList(place, starts[here]))
                left &= ~here
        if left.any():
            names = ", ".join(dict.fromkeys(place.chrom for place in places))[:80]
            raise CoordinateError(
                f"site {chrom}:{starts[left][0]}: expected it within a sequence, got {left.sum():,} of {len(starts):,} "
                f"outside; there are {names}: are sites and sequences of one assembly?"
            )
    return found


def _require_letters(genome: Windowed, sites: SiteList, site_bp: int, pattern: str) -> None:
    chrom = sites.chrom
    bases, _ = genome.windows([Interval(chrom, at, at + site_bp) for at in sites.starts.tolist()], site_bp)
    if pattern:
        allowed = np.array([[(mask >> base) & 1 for base in range(4)] + [0] for mask in masks(pattern)], bool)
        fits = len(pattern) == site_bp and allowed[np.arange(site_bp), bases].all(1)
        fits = np.broadcast_to(fits, len(bases))
    else:
        fits = (bases != N).any(1)
    if not fits.all():
        wanted = f"the letters {pattern}" if pattern else "known letters"
        raise CoordinateError(
            f"site {chrom}:{sites.starts[~fits][0]}: expected {wanted} at every site, got others at "
            f"{(~fits).sum():,} of {len(fits):,}; are sites and sequences of one assembly, and starts counted from 0?"
        )
