"""FASTA: named sequences."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from gattn_tg.errors import FormatError
from gattn_tg.io.source import Source, opened
from gattn_tg.seq.alphabet import ENCODE, ILLEGAL

BLOCK_BP = 1 << 20
LEAST_PIECE = 1 << 16  # bytes of a line that are read at once, also where blocks are shorter: headers are whole lines


class _Fields(NamedTuple):
    name: str
    description: str
    sequence: bytes


class Record(_Fields):
    """One sequence, its letters as they stand in the file (soft-masked ones in lower case).

    `Record(name, sequence)` has no description. Letters may be given as text; they are bytes in the record.

    Attributes:
        name: the first word of the header.
        description: the rest of the header.
        sequence: the letters.

    Raises:
        FormatError: a letter that is not ASCII, or a sequence that is no text.
    """

    __slots__ = ()

    def __new__(cls, name: str, description: str | bytes, sequence: str | bytes | None = None) -> Self:
        told, letters = ("", description) if sequence is None else (str(description), sequence)
        if isinstance(letters, str):
            if not letters.isascii():
                odd = next(letter for letter in letters if not letter.isascii())
                raise FormatError(f"record {name!r}: expected nucleotide letters, got {odd!r}; correct it")
            letters = letters.encode("ascii")
        elif not isinstance(letters, bytes):
            raise FormatError(f"record {name!r}: expected letters as text or bytes, got {type(letters).__name__}; "
                              "convert it")
        return super().__new__(cls, name, told, letters)


class Block(NamedTuple):
    """A part of a sequence that begins at `start`; a new record begins with `start` 0."""

    name: str
    description: str
    start: int
    sequence: bytes


def read_fasta(path: str | Path | Source, *, most_bp: int | None = None) -> Iterator[Record]:
    """Yield the records of a FASTA file, one in memory at a time.

    The name is the first word of the header line, whatever it looks like: `chrX:100-200` is the name of a contig as
    `chrX` is, and its bases count from 0. The description is the rest. Lines of any length, empty lines, Windows line
    ends, gzip and bgzip are read.

    Args:
        path: a file, a pipe, or "-" for standard input.
        most_bp: bases of the longest record that is wanted; None takes any. A longer one is refused as soon as it is
            known to be longer, so memory is bounded by `most_bp`.

    Raises:
        FormatError: no record, text before the first header, a header without a name, a name twice, a record without
            sequence or longer than `most_bp`, a letter that is no nucleotide, a damaged or unreadable file; the text
            names file and line.
    """
    last, parts = Block("", "", 0, b""), list[bytes]()
    with opened(path) as source:
        for block in _blocks(source, BLOCK_BP if most_bp is None else min(BLOCK_BP, most_bp + 1)):
            if block is None:
                yield Record(last.name, last.description, b"".join(parts))
                parts = []
                continue
            if most_bp is not None and block.start + len(block.sequence) > most_bp:
                raise FormatError(
                    f"{source.path}: expected sequences of at most {most_bp:,} bases, got a longer one, "
                    f"{block.name!r}; cut windows of {most_bp:,} bases"
                )
            last = block
            parts.append(block.sequence)


def stream_fasta(path: str | Path | Source, block_bp: int = BLOCK_BP) -> Iterator[Block]:
    """Yield the records of a FASTA file in blocks, so that neither a chromosome nor a line is in memory as a whole.

    Args:
        path: plain, gzip or bgzip; a pipe and "-" for standard input as well.
        block_bp: bases after which a block ends, at the end of a line or within one that is longer.

    Raises:
        FormatError: as `read_fasta`.
    """
    with opened(path) as source:
        for block in _blocks(source, block_bp):
            if block is not None:
                yield block


def _blocks(source: Source, block_bp: int) -> Iterator[Block | None]:
    """The blocks of all records; None ends a record."""
    path = source.path
    seen: dict[str, int] = {}
    name, description, start, size = "", "", 0, 0
    parts: list[tuple[int, int, bytes]] = []  # pieces of lines with their places, for messages
    in_header, blank = False, -1  # place of a blank at the end of what was read of a line: wrong where letters follow
    for number, at, line in source.pieces(max(block_bp, LEAST_PIECE)):
        if not at:
            blank = -1
            if line.startswith(b">"):
                if seen:
                    if parts or not start:
                        yield Block(name, description, start, _joined(path, name, start, parts, seen))
                    yield None
                name, description = _header(f"{path}, line {number}", line, seen)
                seen[name] = number
                parts, start, size = [], 0, 0
                in_header = True
                continue
            in_header = False
        if in_header:
            raise FormatError(
                f"{path}, line {number}: expected a header of at most {at:,} bytes, got a longer one; "
                "is this a FASTA file?"
            )
        piece, line = line, line.rstrip()
        if blank >= 0 and line:
            parts.append((number, blank, b" "))
        if blank < 0 and len(line) < len(piece):
            blank = at + len(line)
        if not line:
            continue
        if not seen:
            raise FormatError(
                f"{path}, line {number}: expected a header that begins with '>', got {_quote(line)}; "
                + (
                    "this looks like FASTQ, convert it first"
                    if line.startswith(b"@")
                    else "is this a FASTA file?"
                )
            )
        parts.append((number, at, line))
        size += len(line)
        if size >= block_bp:
            yield Block(name, description, start, _joined(path, name, start, parts, seen))
            parts, start, size = [], start + size, 0
    if not seen:
        raise FormatError(
            f"{path}: expected at least one record, got an empty file; was it written fully?"
        )
    if parts or not start:
        yield Block(name, description, start, _joined(path, name, start, parts, seen))
    yield None


def _header(where: str, line: bytes, seen: dict[str, int]) -> tuple[str, str]:
    name, *rest = line[1:].decode("utf-8", errors="replace").strip().split(maxsplit=1) or [""]
    if not name:
        raise FormatError(
            f"{where}: expected a name after '>', got an empty header; name the record"
        )
    if name in seen:
        raise FormatError(
            f"{where}: expected a name of its own for each record, but {name!r} also "
            f"stands in line {seen[name]}; rename or remove one"
        )
    return name, rest[0] if rest else ""


def _joined(path: Path, name: str, start: int, parts: list[tuple[int, int, bytes]], seen: dict[str, int]) -> bytes:
    if not parts and not start:
        raise FormatError(
            f"{path}, line {seen[name]}: expected a sequence after the header, but {name!r} has none; "
            "was the file written fully?"
        )
    sequence = b"".join([line for _, _, line in parts])
    # All lines at once; one by one only to say which it is.
    if (ENCODE[np.frombuffer(sequence, dtype=np.uint8)] == ILLEGAL).any():
        for number, at, line in parts:
            check_letters(f"{path}, line {number}", line, at)
    return sequence


def check_letters(where: str, sequence: bytes, before: int = 0) -> None:
    """Refuse letters that are no nucleotides.

    Args:
        where: file and line, for the message.
        sequence: letters.
        before: letters of the line that stand before these.

    Raises:
        FormatError: the text names the first one and its column, counted from 1.
    """
    illegal = ENCODE[np.frombuffer(sequence, dtype=np.uint8)] == ILLEGAL
    if illegal.any():
        at = int(np.argmax(illegal))
        came = chr(sequence[at])
        advice = "remove the alignment gaps" if came in "-." else "is this a nucleotide sequence?"
        raise FormatError(
            f"{where}, column {before + at + 1}: expected nucleotide letters (A C G T U N and the IUPAC ambiguity "
            f"letters), got {came!r}; {advice}"
        )


def _quote(line: bytes) -> str:
    text = line.decode("utf-8", errors="replace")
    return repr(text if len(text) <= 20 else text[:20] + "...")
