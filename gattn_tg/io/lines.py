"""Text line by line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gattn_tg.errors import FormatError
from gattn_tg.io.source import Source, opened

MAX_LINE_BYTES = 1 << 28
"""Longer than any line of a table or VCF file; a small gzip file can unpack to one without an end."""


def lines(path: str | Path | Source) -> Iterator[tuple[int, bytes]]:
    """Yield (line number from 1, line) without the line end; Windows line ends and a byte order mark are dropped.

    Args:
        path: plain, gzip or bgzip; a pipe and "-" for standard input as well.

    Raises:
        FormatError: see `Source`; a line of more than 2**28 bytes.
    """
    with opened(path) as source:
        for number, at, line in source.pieces(MAX_LINE_BYTES):
            if at:
                raise FormatError(
                    f"{source.path}, line {number}: expected a line of at most {MAX_LINE_BYTES:,} bytes, got a longer "
                    "one; is this a text file?"
                )
            yield number, line.rstrip(b"\r\n")
