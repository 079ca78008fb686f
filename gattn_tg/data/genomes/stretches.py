"""Pieces of a genome in memory: the records of a FASTA file, found by the coordinates of the genome."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from gattn_tg.data.genomes.encoded import EncodedGenome
from gattn_tg.errors import CoordinateError
from gattn_tg.io.fasta import read_fasta
from gattn_tg.motif.annotate import annotate
from gattn_tg.motif.vocabulary import MotifVocabulary
from gattn_tg.seq.alphabet import N
from gattn_tg.seq.codec import encode
from gattn_tg.seq.interval import Interval
from gattn_tg.types import UInt8


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

    A record named `chrom:start-end` lies there (0-based, half-open, as its length must say); any other record begins at
    base 0 of the contig of its name.

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
    def from_fasta(cls, path: str | Path, vocabulary: MotifVocabulary | None = None) -> Stretches:
        """Read a FASTA file and find the motifs of every record; the default vocabulary when None.

        Raises:
            FormatError: no FASTA.
        """
        vocabulary = vocabulary or MotifVocabulary.default()
        found = []
        for record in read_fasta(path):
            ids = encode(record.sequence)
            found.append(Stretch(_place(record.name, len(ids)), ids, annotate(ids, vocabulary)))
        return cls(found, vocabulary)

    @property
    def intervals(self) -> tuple[Interval, ...]:
        """Where the stretches lie, contig by contig."""
        return tuple(s.interval for group in self._on.values() for s in group)

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
                    f"interval {interval}: {width} bases on one of the sequences are required, but it has "
                    f"{len(interval)} and there is {'none there' if here is None else str(here.interval)}; "
                    "are windows and sequences of one assembly?"
                )
            start, end = max(interval.start, here.interval.start), min(interval.end, here.interval.end)
            into = slice(start - interval.start, end - interval.start)
            out = slice(start - here.interval.start, end - here.interval.start)
            bases[row, into], motif_ids[row, into] = here.bases[out], here.motif_ids[out]
        return bases, motif_ids


def open_windows(path: str | Path, vocabulary: MotifVocabulary | None = None) -> Windowed:
    """A folder that `gattn preprocess` wrote, mapped, or a FASTA file, read into memory."""
    return EncodedGenome(path) if Path(path).is_dir() else Stretches.from_fasta(path, vocabulary)


def _place(name: str, length: int) -> Interval:
    """Where a record lies, by its name."""
    try:
        named = Interval.parse(name)
    except CoordinateError:
        return Interval(name, 0, length)
    return Interval(named.chrom, named.start, named.end) if len(named) == length else Interval(name, 0, length)


def _shared(first: Interval, second: Interval) -> int:
    return min(first.end, second.end) - max(first.start, second.start)
