"""BED and narrowPeak, read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from gattn_tg.errors import CoordinateError, FormatError
from gattn_tg.io.contigs import ContigNames
from gattn_tg.io.fields import number, rows, short, whole
from gattn_tg.io.source import Source, opened
from gattn_tg.seq.interval import STRANDS, Interval

BROWSER_WORDS = ("track", "browser")
"""First words of the lines that set up a genome browser."""
PEAK_COLUMNS = 10


class BedRecord(NamedTuple):
    """A line of BED; columns that the file does not have are ".", 0 and strand "."."""

    interval: Interval
    name: str
    score: float
    line: int


class Peak(NamedTuple):
    """A line of narrowPeak; `summit` is a position on the contig counted from 0, None where none was called."""

    interval: Interval
    name: str
    score: float
    signal: float
    p_log10: float
    q_log10: float
    summit: int | None
    line: int


def read_bed(
    path: str | Path | Source, *, sizes: Mapping[str, int] | None = None, rename: Mapping[str, str] | str | None = None
) -> Iterator[BedRecord]:
    """Yield the lines of a BED file with three to twelve columns; those after the sixth are not looked at.

    Args:
        path: plain, gzip or bgzip; a pipe and "-" for standard input as well.
        sizes: contigs of the genome; checks names and ends. None checks neither.
        rename: name in the file -> name in the genome, see `ContigNames`; needs `sizes`.

    Raises:
        FormatError: too few columns, a start, end, score or strand that is none, a damaged file, no line at all.
        CoordinateError: start after end, a contig that the genome does not have, an end outside its contig.
    """
    place = _Places(sizes, rename)
    for where, line, fields in _rows(path, 3):
        name = (fields[3] if len(fields) > 3 else "") or "."
        score = number(where, "score", fields[4]) if len(fields) > 4 and fields[4] != "." else 0.0
        strand = fields[5] if len(fields) > 5 else "."
        yield BedRecord(place(where, fields, strand), name, score, line)


def read_peaks(
    path: str | Path | Source, *, sizes: Mapping[str, int] | None = None, rename: Mapping[str, str] | str | None = None
) -> Iterator[Peak]:
    """Yield the peaks of an ENCODE narrowPeak file (BED6+4); arguments and errors are those of `read_bed`.

    Raises:
        CoordinateError: also a summit outside its peak.
    """
    place = _Places(sizes, rename)
    for where, line, fields in _rows(path, PEAK_COLUMNS):
        interval = place(where, fields, fields[5])
        score, signal, p_log10, q_log10 = (
            number(where, name, fields[at])
            for name, at in (("score", 4), ("signalValue", 6), ("pValue", 7), ("qValue", 8))
        )
        summit = None if fields[9] == "-1" else interval.start + whole(where, "peak", fields[9])
        if summit is not None and not interval.start <= summit < interval.end:
            raise CoordinateError(
                f"{where}: expected a summit inside the peak, got offset {fields[9]} in {len(interval)} bases; "
                "the column counts from the start of the peak"
            )
        yield Peak(interval, fields[3], score, signal, p_log10, q_log10, summit, line)


class Locus(NamedTuple):
    """A line of BED or narrowPeak: its interval, the window to be read there, and its name, "." without one."""

    interval: Interval
    window: Interval
    name: str
    line: int


def read_loci(
    path: str | Path | Source,
    *,
    sizes: Mapping[str, int] | None = None,
    rename: Mapping[str, str] | str | None = None,
    peaks: bool = False,
    width: int | None = None,
) -> Iterator[Locus]:
    """Yield the intervals of a BED file, or of narrowPeak where the name of the file or `peaks` says so.

    Args:
        path: as for `read_bed`; `*.narrowPeak` is known by its name.
        sizes: as for `read_bed`.
        rename: as for `read_bed`.
        peaks: the file is narrowPeak, whatever its name.
        width: bases of each window, around the summit where there is one, else around the middle; it may reach over
            the ends of the contig. None takes the intervals as windows.

    Raises:
        FormatError: see `read_bed` and `read_peaks`.
        CoordinateError: the same.
    """
    with opened(path) as source:
        is_peaks = peaks or ".narrowpeak" in source.path.name.lower()
        read = read_peaks if is_peaks else read_bed
        for row in read(source, sizes=sizes, rename=rename):
            window, summit = row.interval, row.summit if isinstance(row, Peak) else None
            if width is not None:
                window = (window if summit is None else replace(window, start=summit, end=summit)).resize(width)
            yield Locus(row.interval, window, row.name, row.line)


class _Places:
    """Columns 1 to 3 and a strand as an interval, checked against a genome."""

    def __init__(self, sizes: Mapping[str, int] | None, rename: Mapping[str, str] | str | None) -> None:
        self.sizes = sizes
        self.names = None if sizes is None else ContigNames(sizes, rename)

    def __call__(self, where: str, fields: list[str], strand: str) -> Interval:
        start, end = whole(where, "start", fields[1]), whole(where, "end", fields[2])
        if start > end:
            raise CoordinateError(f"{where}: expected start <= end, got {start} and {end}; correct the line")
        if strand not in STRANDS:
            raise FormatError(f"{where}: expected strand + - or ., got {short(strand)}; correct the line")
        chrom = fields[0]
        if not chrom:
            raise FormatError(f"{where}: expected the name of a contig, got an empty one; correct the line")
        if chrom.split() != [chrom]:
            raise FormatError(
                f"{where}: expected the name of a contig without blanks, got {short(chrom)}; remove the blanks"
            )
        if self.sizes is not None and self.names is not None:
            chrom = self.names.resolve(chrom, where)
            if end > self.sizes[chrom]:
                raise CoordinateError(
                    f"{where}: expected an end of at most {self.sizes[chrom]}, the size of {chrom}, "
                    f"got {end}; is this another assembly?"
                )
        return Interval(chrom, start, end, strand)


def _rows(path: str | Path | Source, least: int) -> Iterator[tuple[str, int, list[str]]]:
    where = ""
    with opened(path) as source:
        for line, fields in rows(source):
            if fields[0].split()[:1] in ([word] for word in BROWSER_WORDS) and not _is_place(fields):
                continue
            where = f"{source.path}, line {line}"
            if len(fields) < least:
                raise FormatError(
                    f"{where}: expected at least {least} columns, got {len(fields)}; "
                    "was the file written fully?"
                )
            yield where, line, fields
    if not where:
        raise FormatError(
            f"{source.path}: expected at least one interval, got none; was the file written fully?"
        )


def _is_place(fields: list[str]) -> bool:
    """Whether a line that begins with a word for browsers is one of a contig of that name."""
    return len(fields) > 2 and fields[1].isdecimal() and fields[2].isdecimal()
