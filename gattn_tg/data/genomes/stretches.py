"""Pieces of a genome in memory: the records of a FASTA file, found by the coordinates of the genome."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from gattn_tg.data.genomes.encoded import EncodedGenome
from gattn_tg.errors import CoordinateError, FormatError
from gattn_tg.io.fasta import stream_fasta
from gattn_tg.motif.annotate import annotate
from gattn_tg.motif.vocabulary import MotifVocabulary
from gattn_tg.seq.alphabet import N
from gattn_tg.seq.codec import encode
from gattn_tg.seq.interval import Interval
from gattn_tg.seq.strand import reverse_complement
from gattn_tg.types import UInt8

MAX_BP = 1 << 29  # of a FASTA file that is held in memory, some bytes per base
_COPY = re.compile(r"/[0-9]+$")  # gattn extract ends the name of a place that comes again so


class Windowed(Protocol):
    """Where windows of base ids and motif ids come from: an `EncodedGenome`, or `Stretches`."""

    @property
    def vocabulary(self) -> MotifVocabulary | None:
        """What the motif ids mean."""
        ...

    def windows(
        self, intervals: Iterable[Interval], width: int
    ) -> tuple[UInt8[np.ndarray, "b n"], UInt8[np.ndarray, "b n"]]:
        """Return base ids and motif ids of intervals of one width, N and 0 where there is no sequence."""
        ...


def vocabulary_in(genome: Windowed) -> MotifVocabulary:
    """The motif classes of a genome; the default ones where it has no motif ids."""
    return genome.vocabulary or MotifVocabulary.default()


@dataclass(frozen=True)
class Stretch:
    """One record and where it lies in the genome."""

    interval: Interval
    bases: UInt8[np.ndarray, "n"]
    motif_ids: UInt8[np.ndarray, "n"]


class Stretches:
    """The records of a FASTA file with their motif ids.

    A record is the contig of its name and begins at its base 0, whatever the name looks like; with `regions`, a record
    named `chrom:start-end` lies there instead, see `from_fasta`.

    Args:
        stretches: in any order; where two overlap, a window is read from the one that has more of it.
        vocabulary: what the motif ids mean.
    """

    def __init__(self, stretches: Iterable[Stretch], vocabulary: MotifVocabulary) -> None:
        self.vocabulary = vocabulary
        self._on: dict[str, list[Stretch]] = {}
        for stretch in stretches:
            self._on.setdefault(stretch.interval.chrom, []).append(stretch)

    @classmethod
    def from_fasta(
        cls, path: str | Path, vocabulary: MotifVocabulary | None = None, *, regions: bool = False
    ) -> Stretches:
        """Read a FASTA file and find the motifs of every record; the default vocabulary when None.

        Args:
            path: a file, a pipe, or "-" for standard input.
            vocabulary: what is looked for.
            regions: a record named `chrom:start-end` lies there in the genome, 0-based and half-open or, as samtools
                faidx names it, 1-based with its end; the length of the record tells which. A name that ends in `:-`
                is read from the other strand, a further copy's `/2` is left out.

        Raises:
            FormatError: no FASTA, a record whose length is not that of its region, or too many bases for the memory.
        """
        vocabulary = vocabulary or MotifVocabulary.default()
        found = []
        for name, ids in _records(path):
            place, turned = region_of(str(path), name, len(ids)) if regions else (Interval(name, 0, len(ids)), False)
            bases = reverse_complement(ids) if turned else ids
            found.append(Stretch(place, bases, annotate(bases, vocabulary)))
        return cls(found, vocabulary)

    @property
    def intervals(self) -> tuple[Interval, ...]:
        """Where the stretches lie, contig by contig."""
        return tuple(s.interval for group in self._on.values() for s in group)

    def _advice(self, chrom: str) -> str:
        named = next((name for name in self._on if _contig_of(name) == chrom), None)
        if named is None or chrom in self._on:
            return "are windows and sequences of one assembly?"
        return f"a sequence is named {named}: read such names as regions"

    def alone(self) -> Iterator[tuple[Interval, Stretches]]:
        """Yield every stretch without the others, so that windows beyond its ends see N and not its neighbours."""
        for group in self._on.values():
            for stretch in group:
                yield stretch.interval, Stretches([stretch], self.vocabulary)

    def windows(
        self, intervals: Iterable[Interval], width: int
    ) -> tuple[UInt8[np.ndarray, "b n"], UInt8[np.ndarray, "b n"]]:
        """Return base ids and motif ids of intervals of one width, N and 0 where there is no sequence.

        Raises:
            CoordinateError: an interval of another width, or one that touches no stretch.
        """
        rows = list(intervals)
        bases = np.full((len(rows), width), N, dtype=np.uint8)
        motif_ids = np.zeros((len(rows), width), dtype=np.uint8)
        for row, interval in enumerate(rows):
            here = max(self._on.get(interval.chrom, []), key=lambda s: _shared(s.interval, interval), default=None)
            if len(interval) != width or here is None or _shared(here.interval, interval) <= 0:
                raise CoordinateError(
                    f"interval {interval}: expected {width} bases on one of the sequences, but it has "
                    f"{len(interval)} and there is {'none there' if here is None else str(here.interval)}; "
                    f"{self._advice(interval.chrom)}"
                )
            start, end = max(interval.start, here.interval.start), min(interval.end, here.interval.end)
            into = slice(start - interval.start, end - interval.start)
            out = slice(start - here.interval.start, end - here.interval.start)
            bases[row, into], motif_ids[row, into] = here.bases[out], here.motif_ids[out]
        return bases, motif_ids


def open_windows(
    path: str | Path, vocabulary: MotifVocabulary | None = None, *, regions: bool = False
) -> Windowed:
    """A folder that `gattn preprocess` wrote, mapped, or a FASTA file, read into memory; see `Stretches.from_fasta`."""
    if Path(path).is_dir():
        return EncodedGenome(path)
    return Stretches.from_fasta(path, vocabulary, regions=regions)


def _records(path: str | Path) -> Iterator[tuple[str, UInt8[np.ndarray, "n"]]]:
    name, parts, n_bases = "", list[np.ndarray](), 0
    for block in stream_fasta(path):
        n_bases += len(block.sequence)
        if n_bases > MAX_BP:
            raise FormatError(
                f"{path}: expected at most {MAX_BP:,} bases to be held in memory, got more; "
                "encode the file once with gattn preprocess and give the folder"
            )
        if block.start == 0 and parts:
            yield name, np.concatenate(parts)
            parts = []
        name = block.name
        parts.append(encode(block.sequence))
    yield name, np.concatenate(parts)


def region_of(where: str, name: str, length: int) -> tuple[Interval, bool]:
    """Where a record lies by its name, and whether it is read from the other strand.

    Raises:
        FormatError: a record whose length is not that of its region.
    """
    try:
        named = Interval.parse(_COPY.sub("", name))
    except CoordinateError:
        return Interval(name, 0, length), False
    first = {length: named.start, length - 1: named.start - 1}.get(len(named), -1)
    if first < 0:
        raise FormatError(
            f"{where}: expected {len(named)} bases (or {len(named) + 1}, where the first counts as 1) of the region "
            f"{name!r}, got {length}; rename the record, or read names as they are"
        )
    return Interval(named.chrom, first, named.end), named.strand == "-"


def _contig_of(name: str) -> str:
    try:
        return Interval.parse(_COPY.sub("", name)).chrom
    except CoordinateError:
        return ""


def _shared(first: Interval, second: Interval) -> int:
    return min(first.end, second.end) - max(first.start, second.start)
