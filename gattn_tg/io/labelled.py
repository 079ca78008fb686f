"""CSV and TSV tables of labelled sequences: a class for each, or columns of numbers."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gattn_tg.errors import FormatError, an
from gattn_tg.io.fasta import check_letters
from gattn_tg.io.lines import MAX_LINE_BYTES, lines
from gattn_tg.io.numbers import NumberColumns
from gattn_tg.io.reads import check_states
from gattn_tg.io.source import Source, opened
from gattn_tg.seq.alphabet import ENCODE, ILLEGAL
from gattn_tg.seq.interval import MAX_DIGITS
from gattn_tg.types import Float, Int

DELIMITERS = "\t,;"


@dataclass(frozen=True)
class LabelledTable:
    """Sequences and, where the file has them, labels and names.

    Args:
        sequences: letters as they stand in the file.
        labels: index of each row's label in `label_names`; None when no label column was asked for.
        label_names: the distinct labels, in numerical order when all are whole numbers, else in alphabetical order;
            the names of the columns where numbers were asked for.
        path: the file, for messages.
        names: one name per row; None when no name column was asked for.
        values: the numbers, nan where one is unknown; None when none were asked for.
        states: what was measured at each base of each sequence, a letter for each; None when no such column was asked
            for.
    """

    sequences: tuple[bytes, ...]
    labels: Int[np.ndarray, "N"] | None
    label_names: tuple[str, ...]
    path: Path
    names: tuple[str, ...] | None = None
    values: Float[np.ndarray, "N k"] | None = None
    states: tuple[bytes, ...] | None = None

    def __len__(self) -> int:
        return len(self.sequences)


@dataclass(frozen=True)
class TableColumns:
    """Which columns of a table are read, as `read_labelled` and `stream_labelled` take them."""

    sequence: str = "sequence"
    label: str | None = "label"
    name: str | None = None
    numbers: NumberColumns | None = None
    states: str | None = None


class TableRow(NamedTuple):
    """One row: the line where it ends, its sequence, and its label, name, numbers, states where they were asked for."""

    line: int
    sequence: bytes
    label: str
    name: str
    values: tuple[float, ...] = ()
    states: bytes = b""


def read_labelled(
    path: str | Path | Source, *, sequence: str = "sequence", label: str | None = "label", name: str | None = None,
    numbers: NumberColumns | None = None, repeats: bool = False, states: str | None = None,
) -> LabelledTable:  # fmt: skip
    """Read a table with a header line; plain, gzip or bgzip; separated by tabs, commas or semicolons.

    The header decides on the separator. Column names are compared without case; other columns are ignored.

    Args:
        path: a file, a pipe, or "-" for standard input.
        sequence: name of the column with the sequences.
        label: name of the column with the labels; None reads no labels.
        name: name of a column with a name for each row; None reads no names.
        numbers: columns to read as numbers, in place of labels; None reads none.
        repeats: whether a name may come twice.
        states: name of a column with what was measured at each base, a letter for each; None reads none.

    Raises:
        FormatError: no header, a column that is missing or there twice, a row that is longer or shorter than the
            header, an empty sequence, label or name, a label that is nan, a name twice, one whole number written in two
            ways as labels, a cell that is no number, a letter that is no nucleotide, more or fewer states than bases,
            no rows, broken quotes, text that is not UTF-8, a damaged or unreadable file; the text names file and line.
    """
    with opened(path) as source:
        rows = []
        first_line: dict[str, int] = {}
        label = None if numbers is not None else label
        for row in stream_labelled(source, sequence=sequence, label=label, name=name, numbers=numbers, states=states):
            if name is not None and not repeats and first_line.setdefault(row.name, row.line) != row.line:
                raise FormatError(
                    f"{source.path}, line {row.line}: expected {an(name)} of its own for each row, but {row.name!r} "
                    f"also stands in line {first_line[row.name]}; rename or remove one"
                )
            rows.append(row)
    label_names = ordered_labels(str(source.path), {row.label for row in rows}) if label is not None else ()
    if numbers is not None:
        label_names = numbers.names
    index = {text: at for at, text in enumerate(label_names)}
    return LabelledTable(
        sequences=tuple(row.sequence for row in rows),
        labels=np.array([index[row.label] for row in rows], dtype=np.int32) if label is not None else None,
        label_names=label_names,
        path=source.path,
        names=tuple(row.name for row in rows) if name is not None else None,
        values=np.array([row.values for row in rows], np.float64) if numbers is not None else None,
        states=tuple(row.states for row in rows) if states is not None else None,
    )


def stream_labelled(
    path: str | Path | Source,
    *,
    sequence: str = "sequence",
    label: str | None = "label",
    name: str | None = None,
    numbers: NumberColumns | None = None,
    optional: bool = False,
    states: str | None = None,
) -> Iterator[TableRow]:
    """Yield the rows of a table one by one; arguments and errors are those of `read_labelled`.

    Args:
        path: a file, a pipe, or "-" for standard input.
        sequence: name of the column with the sequences.
        label: name of the column with the labels; None reads no labels.
        name: name of the column with the names; None reads no names. A name may come twice.
        numbers: columns to read as numbers; None reads none.
        optional: the column `name` may be missing, and a name may be empty.
        states: name of the column with what was measured at each base; None reads none.
    """
    with opened(path) as source:
        rows = _rows(source)
        header_line, header = next(rows, (1, []))
        if not header:
            raise FormatError(
                f"{source.path}: expected a header line, got an empty file; was it written fully?"
            )
        if header[0].startswith("BAM\x01"):
            raise FormatError(
                f"{source.path}: expected a CSV or TSV table, got a BAM file; write a table with the columns sequence "
                "and methylation of what gattn_tg.io.bam.read_bam gives"
            )
        wanted = [column for column in (sequence, label, name, states) if column is not None]
        if optional and name is not None and name.casefold() not in map(str.casefold, header):
            wanted.remove(name)
        place = f"{source.path}, line {header_line}"
        cells = () if numbers is None else numbers.names
        at = {column: _column(place, header, column, [*wanted, *cells]) for column in wanted}
        number_at = [(column, _column(place, header, column, [*wanted, *cells])) for column in cells]
        number = 0
        for number, fields in rows:
            where = f"{source.path}, line {number}"
            if len(fields) != len(header):
                raise FormatError(
                    f"{where}: expected {len(header)} columns, as in the header, got {len(fields)}; "
                    "complete or quote the row"
                )
            found = {column: fields[k] for column, k in at.items()}
            for column, value in found.items():
                if not value and not (optional and column == name):
                    raise FormatError(
                        f"{where}: expected a {column}, got an empty one; fill in or remove the row"
                    )
            if label is not None and found[label].casefold() == "nan":
                raise FormatError(
                    f"{where}: expected a {label}, got {found[label]!r}, which stands for a missing one; "
                    "fill in or remove the row"
                )
            letters = found[sequence].encode()
            check_letters(f"{where}, sequence", letters)
            values = () if numbers is None else tuple(numbers.read(where, c, fields[k]) for c, k in number_at)
            measured = b"" if states is None else check_states(where, states, found[states], len(letters))
            yield TableRow(number, letters, found.get(label or "", ""), found.get(name or "", ""), values, measured)
        if not number:
            raise FormatError(
                f"{source.path}: expected at least one row after the header, got none; was it written fully?"
            )


def _rows(source: Source) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, fields without surrounding blanks) of rows that are not empty; the first is the header."""
    text = _text(source)
    blank, first = next(((k, line) for k, line in enumerate(text) if line.strip()), (0, ""))
    delimiter = next((mark for mark in DELIMITERS if mark in first), ",")
    # Of the whole process, and only ever raised: a field may be as long as a line.
    csv.field_size_limit(max(MAX_LINE_BYTES, csv.field_size_limit()))
    reader = csv.reader(chain([first], text), delimiter=delimiter, strict=True)
    while True:
        try:
            fields = next(reader, None)
        except csv.Error as error:
            raise FormatError(
                f"{source.path}, line {blank + reader.line_num}: expected rows of quoted or plain fields, "
                f"got: {error}; check the quotes"
            ) from error
        if fields is None:
            return
        if any(field.strip() for field in fields):
            yield blank + reader.line_num, [field.strip() for field in fields]


def _text(source: Source) -> Iterator[str]:
    for number, line in lines(source):
        try:
            yield line.decode("utf-8") + "\n"
        except UnicodeDecodeError as error:
            raise FormatError(
                f"{source.path}, line {number}: expected UTF-8 text, got byte 0x{line[error.start]:02x}; "
                "save the table as UTF-8"
            ) from error


def _column(where: str, header: list[str], column: str, wanted: list[str]) -> int:
    at = [k for k, text in enumerate(header) if text.casefold() == column.casefold()]
    if len(at) == 1:
        return at[0]
    if at:
        raise FormatError(f"{where}: expected one column {column!r}, got {len(at)}; rename one")
    if any(_is_sequence(text) for text in header):
        raise FormatError(
            f"{where}: expected a header with {' and '.join(map(repr, wanted))}, got a row of data; "
            f"add the line {','.join(wanted)}"
        )
    if len(header) == 1:  # a file of another kind, more likely than a table of one column
        raise FormatError(
            f"{where}: expected FASTA, or a table with a column {column!r}, got {header[0][:40]!r}; "
            "check the file, or rename its column"
        )
    raise FormatError(
        f"{where}: expected a column {column!r}, got {', '.join(map(repr, header))}; "
        "rename the column or say which one to read"
    )


def _is_sequence(text: str) -> bool:
    raw = text.encode()
    return len(raw) >= 8 and not (ENCODE[np.frombuffer(raw, dtype=np.uint8)] == ILLEGAL).any()


def ordered_labels(where: str, labels: set[str]) -> tuple[str, ...]:
    """Labels in numerical order when all are whole numbers, else in alphabetical order.

    Raises:
        FormatError: one whole number written in two ways; `where` begins the message.
    """
    if not all(len(text) <= MAX_DIGITS and text.removeprefix("-").isdecimal() for text in labels):
        return tuple(sorted(labels))
    ordered = tuple(sorted(labels, key=lambda text: (int(text), text)))
    for one, other in pairwise(ordered):
        if int(one) == int(other):
            raise FormatError(
                f"{where}: expected each whole number written in one way as a label, got {one!r} and {other!r}; "
                "they would be two classes: write one of them as the other"
            )
    return ordered
