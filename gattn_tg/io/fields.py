"""Tables without a header: fields of each line, with the line's number."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gattn_tg.errors import FormatError
from gattn_tg.io.lines import lines
from gattn_tg.io.source import Source, opened
from gattn_tg.seq.interval import MAX_DIGITS


def rows(path: str | Path | Source, skip: tuple[str, ...] = ("#",)) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, fields) of lines that are not empty; fields end at tabs, or at blanks where there is no tab.

    Args:
        path: plain, gzip or bgzip; a pipe and "-" for standard input as well.
        skip: beginnings of lines to leave out.

    Raises:
        FormatError: see `lines`; text that is not UTF-8.
    """
    with opened(path) as source:
        for number, line in lines(source):
            try:
                text = line.decode("utf-8")
            except UnicodeDecodeError as error:
                raise FormatError(
                    f"{source.path}, line {number}: expected UTF-8 text, got byte 0x{line[error.start]:02x}; "
                    "is this a text file?"
                ) from error
            if text.strip() and not text.startswith(skip):
                yield number, text.split("\t") if "\t" in text else text.split()


def whole(where: str, name: str, text: str) -> int:
    """Return a whole number of at least 0.

    Raises:
        FormatError: anything else.
    """
    if not (text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS):
        raise FormatError(
            f"{where}: expected {name}, a whole number of at least 0, got {short(text)}; correct it"
        )
    return int(text)


def number(where: str, name: str, text: str) -> float:
    """Return a finite number.

    Raises:
        FormatError: anything else.
    """
    try:
        value = float(text) if text.isascii() and "_" not in text else float("nan")
    except ValueError:
        value = float("nan")
    if value - value != 0:  # nan and the infinities
        raise FormatError(f"{where}: expected {name}, a number, got {short(text)}; correct it")
    return value


def short(text: str, most: int = 60) -> str:
    """Text of a file in quotes for a message, cut where it is long."""
    return repr(text) if len(text) <= most else f"{text[:most]!r}... ({len(text):,} characters)"
