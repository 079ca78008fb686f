"""A model of short sequences along a genome: a window every few bases, its answer at the bases in its middle."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, groupby, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from gattn_tg.data.genomes.stretches import Windowed
from gattn_tg.errors import ConfigError
from gattn_tg.io import Genome, Record, read_loci, stream_fasta
from gattn_tg.models.captured.strands import Run
from gattn_tg.motif import MotifVocabulary, annotate
from gattn_tg.score.along import IN_MEMORY_BYTES as SMALL_FILE_BYTES
from gattn_tg.score.along import Place, check_places, open_genome, places
from gattn_tg.score.in_turns import filled
from gattn_tg.score.profiles import GenomeValues
from gattn_tg.seq import Interval, N, decode, encode
from gattn_tg.types import Float, UInt8

PIECE_BP = 1 << 20  # of a genome that are read at once
CHUNK_BP = 1 << 22  # of windows that are cut and annotated at once
IN_MEMORY_BYTES = 64 << 20  # of values; more of them wait in a file
MAX_UNKNOWN = 0.1  # share of N above which a window says nothing


class Scanned(NamedTuple):
    """Values of some bins of the place with this number; the bins of a place follow each other."""

    place: int
    interval: Interval
    values: Float[np.ndarray, "p c"]


class Scanner:
    """Cuts windows and asks the model: bins of `stride` bases, each with the answer to the window around its middle.

    The bin [s, s + stride) has its middle at s + stride // 2, which is the base `width // 2` of its window. Every
    window is annotated by itself, as a sequence in a file is, so the same window in a file gets the same numbers.
    Beyond the ends of what there is, windows hold N. Where more than `max_unknown` of a window is N, values are NaN.

    Args:
        run: base ids, motif ids and lengths to one row of numbers per sequence.
        vocabulary: what the motif ids mean.
        names: of the numbers.
        width: bases of a window.
        stride: bases from one window to the next.
        max_unknown: greatest share of N.
        batch_size: windows per call of the network.

    Raises:
        ConfigError: width or stride below 1, or a share that is none.
    """

    def __init__(
        self, run: Run, vocabulary: MotifVocabulary, names: Sequence[str], *, width: int, stride: int,
        max_unknown: float = MAX_UNKNOWN, batch_size: int = 128,
    ) -> None:  # fmt: skip
        for name, value in (("width", width), ("stride", stride), ("batch_size", batch_size)):
            if type(value) is not int or value < 1:
                raise ConfigError(f"along: expected for {name} a whole number of at least 1, got {value!r}; correct it")
        if not 0 <= max_unknown <= 1:
            raise ConfigError(f"along: expected for max_unknown a share from 0 to 1, got {max_unknown!r}; correct it")
        self._run, self.vocabulary, self.names = run, vocabulary, tuple(names)
        self.width, self.stride, self.max_unknown = width, stride, max_unknown
        self.batch_size = batch_size
        self.before = width // 2 - stride // 2  # bases of the first window that lie before its bin
        self._rows = max(min(16 * batch_size, CHUNK_BP // width), 1)

    def file(self, path: Path | str, sizes: dict[str, int]) -> Iterator[Scanned]:
        """Every contig of a FASTA file of any size, which is read once from its beginning to its end.

        Args:
            path: a file, a pipe, or "-" for standard input.
            sizes: gets the bases of every contig as it ends.

        Raises:
            FormatError: no FASTA.
            DivergedError: a value is not finite.
        """
        for place, (name, blocks) in enumerate(groupby(stream_fasta(path), key=lambda block: block.name)):
            sizes[name] = 0

            def bases(name: str = name, blocks: Iterable[tuple[str, str, int, bytes]] = blocks) -> Iterator[np.ndarray]:
                for _, _, start, sequence in blocks:
                    sizes[name] = start + len(sequence)
                    yield encode(sequence)
                yield _unknown(self._after(sizes[name]))

            for first, values in self.bins(chain([_unknown(self.before)], bases())):
                yield Scanned(place, Interval(name, first, first + len(values) * self.stride), values)

    def places(self, wanted: Iterable[Place]) -> Iterator[Scanned]:
        """Places of genomes that can be read anywhere.

        Raises:
            CoordinateError: a place where there is no sequence.
            DivergedError: a value is not finite.
        """
        for place, (interval, source) in enumerate(wanted):
            for first, values in self.bins(self._pieces(source, interval)):
                start = interval.start + first
                yield Scanned(place, Interval(interval.chrom, start, start + len(values) * self.stride), values)

    def bins(self, blocks: Iterable[UInt8[np.ndarray, "n"]]) -> Iterator[tuple[int, Float[np.ndarray, "p c"]]]:
        """Bases that follow each other, from `before` the first bin on, to (start of the first bin, values of some)."""
        first = 0
        for windows in self._windows(blocks):
            yield first, self.values(windows)
            first += len(windows) * self.stride

    def values(self, windows: UInt8[np.ndarray, "p n"]) -> Float[np.ndarray, "p c"]:
        """What the model says of windows; NaN where too much is unknown."""
        known = (windows == N).sum(1) <= self.max_unknown * self.width
        found = np.full((len(windows), len(self.names)), np.nan, np.float32)
        if known.any():
            n = int(known.sum())
            # whole batches: one shape, and so the same bits whatever came before
            bases = filled(windows[known], -(-n // self.batch_size) * self.batch_size)
            lengths = np.full(len(bases), self.width, np.int32)
            found[known] = self._run(bases, annotate(bases, self.vocabulary), lengths)[:n]
        return found

    def _windows(self, blocks: Iterable[UInt8[np.ndarray, "n"]]) -> Iterator[UInt8[np.ndarray, "p n"]]:
        held, skip = np.zeros(0, np.uint8), max(-self.before, 0)
        for block in blocks:
            held = np.concatenate([held, block])
            held, skip = held[skip:], max(skip - len(held), 0)
            n = max((len(held) - self.width) // self.stride + 1, 0)
            for first in range(0, n, self._rows):
                some = held[first * self.stride :]
                yield sliding_window_view(some, self.width)[:: self.stride][: min(self._rows, n - first)]
            held, skip = held[n * self.stride :], max(n * self.stride - len(held), skip)

    def _after(self, n_bases: int) -> int:
        """Bases behind a stretch that the windows of its bins reach."""
        bins = -(-n_bases // self.stride)
        return max((bins - 1) * self.stride + self.width - self.before - n_bases, 0)

    def _pieces(self, source: Windowed, interval: Interval) -> Iterator[UInt8[np.ndarray, "n"]]:
        """The bases of a place and around it; every piece has bases of the place itself, and so of its contig."""
        cuts = range(interval.start + PIECE_BP, interval.end, PIECE_BP)
        edges = [interval.start - max(self.before, 0), *cuts, interval.end + self._after(len(interval))]
        for start, end in pairwise(edges):
            yield source.windows([Interval(interval.chrom, start, end)], end - start)[0][0]


class Letters:
    """Windows out of the FASTA file of a large genome, read where they lie; without motif ids.

    Args:
        genome: an open file.
    """

    vocabulary = None

    def __init__(self, genome: Genome) -> None:
        self.genome = genome

    def windows(
        self, intervals: Iterable[Interval], width: int
    ) -> tuple[UInt8[np.ndarray, "b n"], UInt8[np.ndarray, "b n"]]:
        """Base ids of intervals of one width, N where there is no sequence; no motif ids."""
        rows = [encode(self.genome.padded(interval)) for interval in intervals]
        bases = np.stack(rows) if rows else np.zeros((0, width), np.uint8)
        return bases, np.zeros_like(bases)


@contextmanager
def open_letters(
    path: Path, vocabulary: MotifVocabulary, *, regions: bool = False
) -> Iterator[tuple[Windowed, dict[str, int]]]:
    """A genome whose bases can be read anywhere, and the bases of its contigs; small files are held in memory.

    Raises:
        FormatError: no genome.
        ConfigError: `regions` of a folder.
        MissingExtraError: a large file, and pyfaidx is not installed.
    """
    if regions or not path.is_file() or path.stat().st_size <= SMALL_FILE_BYTES:
        yield open_genome(path, vocabulary, regions=regions)
        return
    with Genome(path) as genome:
        yield Letters(genome), genome.sizes


def at_loci(
    path: Path, bed: Path, width: int, vocabulary: MotifVocabulary, *, regions: bool = False
) -> Iterator[Record]:
    """The windows around the summits or middles of the lines of a BED or narrowPeak file, named by their places.

    Args:
        path: FASTA file, or a folder of `gattn preprocess`.
        bed: the places.
        width: bases of a window; it holds N beyond the ends of what there is.
        vocabulary: see `open_letters`.
        regions: see `open_letters`.

    Raises:
        CoordinateError: a place where there is no sequence.
        FormatError, ConfigError, MissingExtraError: as `open_letters`, or a malformed file of places.
    """
    with open_letters(path, vocabulary, regions=regions) as (source, _):
        for locus in read_loci(bed, width=width):
            yield Record(str(locus.window), decode(source.windows([locus.window], width)[0][0]))


@contextmanager
def scanned(
    scanner: Scanner, path: Path, wanted: Sequence[Interval] | None = None, *, regions: bool = False,
    is_bigwig: bool = False,
) -> Iterator[tuple[Iterator[Scanned], dict[str, int], list[Interval] | None]]:  # fmt: skip
    """Parts of a scan as they come, the bases of every contig, and the places; None are the contigs of a file.

    Args:
        scanner: what cuts and asks.
        path: FASTA file, or a folder of `gattn preprocess`.
        wanted: places; None takes all. A FASTA file is then read in a stream, however large it is.
        regions: records named chrom:start-end lie there, see `Stretches.from_fasta`.
        is_bigwig: refuse places that BigWig cannot hold.

    Raises:
        CoordinateError: a place where there is no sequence.
        FormatError, ConfigError, MissingExtraError: as `open_letters`.
    """
    if wanted is None and not regions and not path.is_dir():
        sizes: dict[str, int] = {}
        yield scanner.file(path, sizes), sizes, None
        return
    with open_letters(path, scanner.vocabulary, regions=regions) as (source, sizes):
        found = places(source, sizes, wanted)
        check_places([place for place, _ in found], sizes, is_bigwig=is_bigwig)
        yield scanner.places(found), sizes, [place for place, _ in found]


def collected(
    parts: Iterable[Scanned], scanner: Scanner, sizes: dict[str, int], *, columns: Sequence[int] | None = None,
    wanted: Sequence[Interval] | None = None, aside: Path | None = None,
) -> GenomeValues:  # fmt: skip
    """The values of a scan together, those of a large genome in a file that is gone when they are.

    Args:
        parts: what the scanner gives.
        scanner: that gives it.
        sizes: bases of every contig; complete when the parts are at their end.
        columns: which of the names of the scanner are kept; None takes all.
        wanted: the places; None where they are the contigs in their order.
        aside: where the file lies; None takes the system's place.
    """
    chosen = list(range(len(scanner.names))) if columns is None else list(columns)
    counts: dict[int, int] = {}
    with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES, dir=None if aside is None else str(aside)) as file:
        for part in parts:
            counts[part.place] = counts.get(part.place, 0) + len(part.values)
            file.write(np.ascontiguousarray(part.values[:, chosen]).tobytes())
        shape = (sum(counts.values()), len(chosen))
        file.seek(0)
        in_memory = 4 * shape[0] * shape[1] <= IN_MEMORY_BYTES
        held = np.frombuffer(file.read(), np.float32) if in_memory else np.memmap(file, np.float32, "r")
        held = held.view(np.ndarray).reshape(shape)
    places = [Interval(name, 0, size) for name, size in sizes.items()] if wanted is None else list(wanted)
    ends = np.cumsum([counts[place] for place in range(len(places))]).tolist()
    values = tuple(held[first:end] for first, end in zip([0, *ends], ends, strict=False))
    names = tuple(scanner.names[k] for k in chosen)
    return GenomeValues(tuple(places), values, names, scanner.stride, "probability", sizes)


def _unknown(n: int) -> UInt8[np.ndarray, "n"]:
    return np.full(max(n, 0), N, np.uint8)
