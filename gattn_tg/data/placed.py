"""A FASTA file whose records may be stretches of a genome: places of the genome to places of records, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gattn_tg.data.genomes.stretches import region_of
from gattn_tg.errors import FormatError
from gattn_tg.io import ContigNames, Genome
from gattn_tg.seq.interval import Interval


class Placed:
    """Records of a file and where they lie.

    Args:
        genome: the file.
        regions: a record named chrom:start-end lies there; without it every record is a contig of its own name.

    Raises:
        FormatError: a record whose length is not that of its region, or one that is read from the other strand.
    """

    def __init__(self, genome: Genome, *, regions: bool = False) -> None:
        self.genome, self.sizes = genome, genome.sizes
        self._at: dict[str, Interval] = {}
        self._on: dict[str, list[str]] = {}
        for name, size in genome.sizes.items():
            place, turned = region_of(str(genome.path), name, size) if regions else (Interval(name, 0, size), False)
            if turned:
                raise FormatError(f"{genome.path}: expected regions of the + strand, got {name!r}; extract it again")
            self._at[name] = place
            self._on.setdefault(place.chrom, []).append(name)

    def names(self, rename: Mapping[str, str] | str | None = None) -> ContigNames:
        """Names of the contigs that records lie on."""
        return ContigNames(self._on, rename)

    def inward(self, place: Interval) -> Interval | None:
        """A place of the genome within the record that has most of it; None where none has any of it."""
        shared = {name: place.overlap(self._at[name]) for name in self._on.get(place.chrom, ())}
        best = max(shared, key=lambda name: shared[name], default=None)
        if best is None or not shared[best]:
            return None
        first = self._at[best].start
        return replace(place, chrom=best, start=place.start - first, end=place.end - first)

    def within(self, place: Interval) -> list[Interval]:
        """The parts of a place that lie on records."""
        found = []
        for name in self._on.get(place.chrom, ()):
            here = self._at[name]
            start, end = max(place.start, here.start) - here.start, min(place.end, here.end) - here.start
            if start < end:
                found.append(Interval(name, start, end))
        return found

    def outward(self, place: Interval) -> Interval:
        """A place within a record as a place of the genome."""
        here = self._at[place.chrom]
        return replace(place, chrom=here.chrom, start=place.start + here.start, end=place.end + here.start)
