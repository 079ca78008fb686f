"""GTF: genes, transcripts, exons, and where transcription starts."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from gattn_tg.errors import CoordinateError, FormatError
from gattn_tg.io.rows import rows, whole
from gattn_tg.seq.interval import STRANDS, Interval

COLUMNS = 9
_ATTRIBUTE = re.compile(r'\s*([A-Za-z0-9_.]+)\s+(?:"([^"]*)"|([^\s";]+))\s*(?:;|$)')


class Feature(NamedTuple):
    """A line of GTF, its interval 0-based and half-open as everywhere."""

    interval: Interval
    kind: str
    gene_id: str
    gene_name: str
    transcript_id: str
    line: int


def read_gtf(path: str | Path, kinds: Collection[str] | None = None) -> Iterator[Feature]:
    """Yield the features of a GTF file in the order of its lines.

    Args:
        path: plain, gzip or bgzip.
        kinds: features to yield, for example {"exon"}; None yields all.

    Raises:
        FormatError: not nine columns, a position, strand or attribute that is none, no gene_id, a GFF3 file, no line.
        CoordinateError: start after end.
    """
    line = 0
    for line, fields in rows(Path(path)):
        where = f"{path}, line {line}"
        if len(fields) != COLUMNS:
            raise FormatError(
                f"{where}: {COLUMNS} columns separated by tabs are required, but came {len(fields)}; "
                "is this a GTF file?"
            )
        if kinds is not None and fields[2] not in kinds:
            continue
        first, last = whole(where, "start", fields[3]), whole(where, "end", fields[4])
        if not 1 <= first <= last:
            raise CoordinateError(
                f"{where}: 1 <= start <= end is required, but came {first} and {last}; GTF counts from 1"
            )
        if fields[6] not in STRANDS or not fields[0]:
            raise FormatError(
                f"{where}: a contig and strand + - or . are required, but came {fields[0]!r} and {fields[6]!r}; "
                "correct the line"
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
        raise FormatError(f"{path}: at least one feature is required, but came none; was the file written fully?")


def transcription_starts(features: Iterable[Feature]) -> Iterator[Feature]:
    """Yield the first transcribed base of every transcript, as an interval of one base.

    Args:
        features: the transcripts among them count; features without a strand have no start and are left out.
    """
    for feature in features:
        if feature.kind == "transcript" and feature.interval.strand != ".":
            span = feature.interval
            at = span.start if span.strand == "+" else span.end - 1
            yield feature._replace(interval=replace(span, start=at, end=at + 1), kind="tss")


def _attributes(where: str, text: str) -> dict[str, str]:
    values: dict[str, str] = {}
    at = 0
    text = text.rstrip()
    while at < len(text):
        match = _ATTRIBUTE.match(text, at)
        if not match:
            advice = "this looks like GFF3, convert it with gffread -T" if "=" in text else "correct the line"
            raise FormatError(
                f'{where}: attributes written name "value"; are required, but came {text[at : at + 20]!r}; {advice}'
            )
        values.setdefault(match[1], match[2] if match[2] is not None else match[3])
        at = match.end()
    if not values.get("gene_id"):
        raise FormatError(f"{where}: a gene_id is required, but came none; is this a GTF file?")
    return values
