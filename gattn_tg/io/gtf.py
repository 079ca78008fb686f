"""GTF: genes, transcripts, exons, and where transcription starts."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from gattn_tg.errors import CoordinateError, FormatError
from gattn_tg.io.fields import rows, short, whole
from gattn_tg.io.source import Source, opened
from gattn_tg.seq.interval import STRANDS, Interval

COLUMNS = 9
TRANSCRIPTS = ("transcript", "mRNA")
"""Kinds of features that are whole transcripts."""
UNKNOWN_STRAND = "?"  # NCBI: of a gene whose parts are joined from both strands

# Possessive, so that a broken line is refused in one pass.
_QUOTED = r'"((?:[^"\\]|\\.|"")*+)"'  # a quote inside is written \" or ""
_MORE = r'(?:\s*+,?\s*+"(?:[^"\\]|\\.|"")*+")*+'  # further values of the same name
_ATTRIBUTE = re.compile(rf'([^\s";=]+)\s+(?:{_QUOTED}{_MORE}|([^\s";]+))\s*(?:;|$)')
_BETWEEN = re.compile(r"[\s;]*")


class Feature(NamedTuple):
    """A line of GTF, its interval 0-based and half-open as everywhere."""

    interval: Interval
    kind: str
    gene_id: str
    gene_name: str
    transcript_id: str
    line: int


def read_gtf(path: str | Path | Source, kinds: Collection[str] | None = None) -> Iterator[Feature]:
    """Yield the features of a GTF file in the order of its lines.

    Of an attribute with several values the first counts. The strand `?` is read as `.`.

    Args:
        path: plain, gzip or bgzip; a pipe and "-" for standard input as well.
        kinds: features to yield, for example {"exon"}; None yields all.

    Raises:
        FormatError: not nine columns, a position, strand or attribute that is none, no gene_id, a GFF3 file, no line.
        CoordinateError: start after end.
    """
    with opened(path) as source:
        yield from _features(source, kinds)


def _features(source: Source, kinds: Collection[str] | None) -> Iterator[Feature]:
    line = 0
    for line, fields in rows(source):
        where = f"{source.path}, line {line}"
        if len(fields) > COLUMNS and fields[COLUMNS].lstrip().startswith("#"):
            del fields[COLUMNS:]
        if fields[6:7] == [UNKNOWN_STRAND]:
            fields[6] = "."
        if len(fields) != COLUMNS:
            raise FormatError(
                f"{where}: expected {COLUMNS} columns separated by tabs, got {len(fields)}; "
                "is this a GTF file?"
            )
        if kinds is not None and fields[2] not in kinds:
            continue
        first, last = whole(where, "start", fields[3]), whole(where, "end", fields[4])
        if not 1 <= first <= last:
            raise CoordinateError(
                f"{where}: expected 1 <= start <= end, got {first} and {last}; GTF counts from 1"
            )
        if fields[6] not in STRANDS or not fields[0]:
            raise FormatError(
                f"{where}: expected a contig and strand + - or ., got {short(fields[0])} and "
                f"{short(fields[6])}; correct the line"
            )
        values = _attributes(where, fields[8])
        yield Feature(
            Interval(fields[0], first - 1, last, fields[6]),
            fields[2],
            values["gene_id"],
            values.get("gene_name", values["gene_id"]),
            values.get("transcript_id", ""),
            line,
        )
    if not line:
        raise FormatError(
            f"{source.path}: expected at least one feature, got none; was the file written fully?"
        )


def transcription_starts(features: Iterable[Feature]) -> Iterator[Feature]:
    """Yield the first transcribed base of every transcript, as an interval of one base.

    A transcript with a line of its own (`transcript`, `mRNA`) starts where that line says, and comes at once. Others
    are put together from their exons and come at the end, in the order of their first exons.

    Args:
        features: transcripts and exons among them count; those without a strand have no start and are left out.

    Raises:
        FormatError: neither transcripts nor exons with a transcript_id among the features.
    """
    told: set[tuple[str, str, str]] = set()
    joined: dict[tuple[str, str, str], Feature] = {}
    others: dict[str, None] = {}
    for feature in features:
        span = feature.interval
        key = (feature.transcript_id, span.chrom, span.strand)
        if feature.kind in TRANSCRIPTS:
            told.add(key)
            joined.pop(key, None)
            if span.strand != ".":
                yield _start(feature)
        elif feature.kind == "exon" and feature.transcript_id:
            if key not in told:
                first = joined.setdefault(key, feature)
                both = replace(
                    span, start=min(span.start, first.interval.start), end=max(span.end, first.interval.end)
                )
                joined[key] = first._replace(interval=both)
        else:
            others[feature.kind] = None
    if others and not (told or joined):
        raise FormatError(
            f"transcription starts: expected transcripts, or exons with a transcript_id, got only "
            f"{', '.join(list(others)[:5])}; convert the file with gffread -T, or keep those lines"
        )
    yield from (_start(transcript) for transcript in joined.values() if transcript.interval.strand != ".")


def _start(transcript: Feature) -> Feature:
    span = transcript.interval
    at = span.start if span.strand == "+" else span.end - 1
    return transcript._replace(interval=replace(span, start=at, end=at + 1), kind="tss")


def _attributes(where: str, text: str) -> dict[str, str]:
    values: dict[str, str] = {}
    at = _end(_BETWEEN, text, 0)
    while at < len(text) and text[at] != "#":  # a comment ends the line
        match = _ATTRIBUTE.match(text, at)
        if not match:
            advice = "this looks like GFF3, convert it with gffread -T" if "=" in text else "correct the line"
            raise FormatError(
                f'{where}: expected attributes written name "value";, got {text[at : at + 20]!r}; {advice}'
            )
        value = match[3] if match[2] is None else re.sub(r'\\(["\\])|""', lambda m: m[1] or '"', match[2])
        values.setdefault(match[1], value)
        at = _end(_BETWEEN, text, match.end())
    if not values.get("gene_id"):
        raise FormatError(f"{where}: expected a gene_id, got none; is this a GTF file?")
    return values


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at
