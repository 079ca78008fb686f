"""TSV and BED files, written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from gattn_tg.errors import CoordinateError, FormatError
from gattn_tg.escaping import cell, field
from gattn_tg.io.replacing import replacing


class BedRow(NamedTuple):
    """One line of BED, 0-based and half-open.

    `score` is a whole number 0..1000, `strand` "+", "-" or ".", `colour` `#rrggbb`.
    """

    chrom: str
    start: int
    end: int
    name: str
    score: int = 0
    strand: str = "."
    colour: str = "#000000"


def write_tsv(
    path: str | Path, header: Sequence[str], rows: Iterable[Sequence[object]], *, overwrite: bool = False
) -> int:
    """Write a table with a header line and return the number of rows.

    Floats are written with the fewest digits that read back as the same number, None as an empty field, text as
    `escaping.cell` gives it.

    Args:
        path: the file; compressed when its name ends in `.gz`.
        header: column names.
        rows: as many values as the header has names.
        overwrite: see `replacing`.

    Raises:
        FormatError: a row of another length.
        GattnError: see `replacing`; the file is then as it was before.
    """
    count = 0
    with replacing(path, overwrite=overwrite) as handle:
        for count, row in enumerate(chain([header], rows)):
            if len(row) != len(header):
                raise FormatError(
                    f"{path}, row {count}: expected {len(header)} values, got {len(row)}; "
                    "give one for each column"
                )
            handle.write(tsv_line(row) + "\n")
    return count


def tsv_line(row: Iterable[object]) -> str:
    """Return one line of a table without its end; control characters and formulas in text are escaped, see `cell`."""
    return "\t".join("" if value is None else cell(value) if isinstance(value, str) else str(value) for value in row)


def write_bed(path: str | Path, rows: Iterable[BedRow], *, overwrite: bool = False) -> int:
    """Write BED with nine columns, coloured in genome browsers, and return the number of rows.

    Control characters in names, tabs and line ends among them, are escaped: see `escaping.field`.

    Args:
        path: the file; compressed when its name ends in `.gz`.
        rows: in any order; they are written as they come.
        overwrite: see `replacing`.

    Raises:
        CoordinateError: start and end that are no half-open interval.
        FormatError: a score, strand, colour or empty name that BED cannot hold.
        GattnError: see `replacing`; the file is then as it was before.
    """
    count = 0
    with replacing(path, overwrite=overwrite) as handle:
        for count, row in enumerate(rows, start=1):
            handle.write("\t".join(_bed_fields(f"{path}, row {count}", row)) + "\n")
    return count


def _bed_fields(where: str, row: BedRow) -> list[str]:
    if not 0 <= row.start < row.end:
        raise CoordinateError(
            f"{where}: expected 0 <= start < end, got {row.start} and {row.end}; BED is 0-based and half-open"
        )
    if not (type(row.score) is int and 0 <= row.score <= 1000):
        raise FormatError(f"{where}: expected a whole score 0..1000, got {row.score!r}; scale it")
    if row.strand not in ("+", "-", "."):
        raise FormatError(f"{where}: expected strand + - or ., got {row.strand!r}; use one of these")
    try:
        colour = ",".join(str(byte) for byte in bytes.fromhex(row.colour.removeprefix("#")))
    except ValueError:
        colour = ""
    if colour.count(",") != 2:
        raise FormatError(
            f"{where}: expected a colour #rrggbb, got {row.colour!r}; for example #1f77b4"
        )
    span = [str(row.start), str(row.end)]
    fields = [field(row.chrom), *span, field(row.name), str(row.score), row.strand, *span, colour]
    if not row.chrom or not row.name:
        raise FormatError(f"{where}: expected a chrom and a name, got an empty one; fill it in")
    return fields
