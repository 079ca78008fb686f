"""CSV and TSV tables of labelled sequences."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gattn_tg.errors import FormatError
from gattn_tg.io.fasta import check_letters
from gattn_tg.io.lines import lines
from gattn_tg.seq.alphabet import ENCODE, ILLEGAL
from gattn_tg.types import Int

DELIMITERS = "\t,;"


@dataclass(frozen=True)
class LabelledTable:
    """Sequences and, where the file has them, labels and names.

    Args:
        sequences: letters as they stand in the file.
        labels: index of each row's label in `label_names`; None when no label column was asked for.
        label_names: the distinct labels, in numerical order when all are whole numbers, else in alphabetical order.
        path: the file, for messages.
        names: one name per row; None when no name column was asked for.
    """

    sequences: tuple[bytes, ...]
    labels: Int[np.ndarray, "N"] | None
    label_names: tuple[str, ...]
    path: Path
    names: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.sequences)


def read_labelled(
    path: str | Path, *, sequence: str = "sequence", label: str | None = "label", name: str | None = None
) -> LabelledTable:
    """Read a table with a header line; plain, gzip or bgzip; separated by tabs, commas or semicolons.

    The header decides on the separator. Column names are compared without case; other columns are ignored.

    Args:
        path: the file.
        sequence: name of the column with the sequences.
        label: name of the column with the labels; None reads no labels.
        name: name of a column with a name for each row; None reads no names.

    Raises:
        FormatError: no header, a column that is missing or there twice, a row that is longer or shorter than the
            header, an empty sequence, label or name, a name twice, a letter that is no nucleotide, no rows, broken
            quotes, text that is not UTF-8, a damaged or unreadable file; the text names file and line.
    """
    path = Path(path)
    rows = _rows(path)
    header_line, header = next(rows, (1, []))
    if not header:
        raise FormatError(f"{path}: a header line is required, but came an empty file; was it written fully?")
    wanted = [column for column in (sequence, label, name) if column is not None]
    at = {column: _column(f"{path}, line {header_line}", header, column, wanted) for column in wanted}

    columns: dict[str, list[str]] = {column: [] for column in wanted}
    first_line: dict[str, int] = {}
    for number, fields in rows:
        where = f"{path}, line {number}"
        if len(fields) != len(header):
            raise FormatError(
                f"{where}: {len(header)} columns are required, as in the header, but came {len(fields)}; "
                "complete or quote the row"
            )
        for column in wanted:
            value = fields[at[column]]
            if not value:
                raise FormatError(
                    f"{where}: a {column} is required, but came an empty one; fill in or remove the row"
                )
            columns[column].append(value)
        check_letters(f"{where}, sequence", fields[at[sequence]].encode())
        if name is not None:
            value = fields[at[name]]
            if value in first_line:
                raise FormatError(
                    f"{where}: a {name} of its own is required for each row, but {value!r} also stands in line "
                    f"{first_line[value]}; rename or remove one"
                )
            first_line[value] = number
    if not columns[sequence]:
        raise FormatError(
            f"{path}: at least one row is required after the header, but came none; was it written fully?"
        )

    label_names = _order(set(columns[label])) if label is not None else ()
    index = {text: at for at, text in enumerate(label_names)}
    return LabelledTable(
        sequences=tuple(text.encode() for text in columns[sequence]),
        labels=np.array([index[text] for text in columns[label]], dtype=np.int32)
        if label is not None
        else None,
        label_names=label_names,
        path=path,
        names=tuple(columns[name]) if name is not None else None,
    )


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, fields without surrounding blanks) of rows that are not empty; the first is the header."""
    text = _text(path)
    first = next(text, "")
    delimiter = next((mark for mark in DELIMITERS if mark in first), ",")

    def again() -> Iterator[str]:
        yield first
        yield from text

    reader = csv.reader(again(), delimiter=delimiter, strict=True)
    while True:
        try:
            fields = next(reader, None)
        except csv.Error as error:
            raise FormatError(
                f"{path}, line {reader.line_num}: rows of quoted or plain fields are required, but came: {error}; "
                "check the quotes"
            ) from error
        if fields is None:
            return
        if any(field.strip() for field in fields):
            yield reader.line_num, [field.strip() for field in fields]


def _text(path: Path) -> Iterator[str]:
    for number, line in lines(path):
        try:
            yield line.decode("utf-8") + "\n"
        except UnicodeDecodeError as error:
            raise FormatError(
                f"{path}, line {number}: UTF-8 text is required, but came byte 0x{line[error.start]:02x}; "
                "save the table as UTF-8"
            ) from error


def _column(where: str, header: list[str], column: str, wanted: list[str]) -> int:
    at = [k for k, text in enumerate(header) if text.casefold() == column.casefold()]
    if len(at) == 1:
        return at[0]
    if at:
        raise FormatError(f"{where}: one column {column!r} is required, but came {len(at)}; rename one")
    if any(_is_sequence(text) for text in header):
        raise FormatError(
            f"{where}: a header with {' and '.join(map(repr, wanted))} is required, but came a row of data; "
            f"add the line {','.join(wanted)}"
        )
    raise FormatError(
        f"{where}: a column {column!r} is required, but came {', '.join(map(repr, header))}; "
        "rename the column or say which one to read"
    )


def _is_sequence(text: str) -> bool:
    raw = text.encode()
    return len(raw) >= 8 and not (ENCODE[np.frombuffer(raw, dtype=np.uint8)] == ILLEGAL).any()


def _order(labels: set[str]) -> tuple[str, ...]:
    if all(text.removeprefix("-").isdecimal() for text in labels):
        return tuple(sorted(labels, key=lambda text: (int(text), text)))
    return tuple(sorted(labels))
