"""FASTA: named sequences."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gattn_tg.errors import FormatError
from gattn_tg.io.lines import lines
from gattn_tg.seq.alphabet import ENCODE, ILLEGAL

BLOCK_BP = 1 << 20


class Record(NamedTuple):
    """One sequence, its letters as they stand in the file (soft-masked ones in lower case)."""

    name: str
    description: str
    sequence: bytes


class Block(NamedTuple):
    """A part of a sequence that begins at `start`; a new record begins with `start` 0."""

    name: str
    description: str
    start: int
    sequence: bytes


def read_fasta(path: str | Path) -> Iterator[Record]:
    """Yield the records of a FASTA file, one in memory at a time.

    The name is the first word of the header line, the description the rest. Lines of any length, empty lines, Windows
    line ends, gzip and bgzip are read.

    Raises:
        FormatError: no record, text before the first header, a header without a name, a name twice, a record without
            sequence, a letter that is no nucleotide, a damaged or unreadable file; the text names file and line.
    """
    for block in stream_fasta(path, sys.maxsize):
        yield Record(block.name, block.description, block.sequence)


def stream_fasta(path: str | Path, block_bp: int = BLOCK_BP) -> Iterator[Block]:
    """Yield the records of a FASTA file in blocks, so that a chromosome never is in memory as a whole.

    Args:
        path: plain, gzip or bgzip.
        block_bp: bases after which a block ends, at the end of a line.

    Raises:
        FormatError: as `read_fasta`.
    """
    path = Path(path)
    seen: dict[str, int] = {}
    name, description, start, size = "", "", 0, 0
    parts: list[tuple[int, bytes]] = []  # lines with their numbers, for messages
    for number, line in lines(path):
        if line.startswith(b">"):
            if seen:
                yield Block(name, description, start, _joined(path, name, start, parts, seen))
            name, description = _header(f"{path}, line {number}", line, seen)
            seen[name] = number
            parts, start, size = [], 0, 0
            continue
        line = line.rstrip()
        if not line:
            continue
        if not seen:
            raise FormatError(
                f"{path}, line {number}: a header that begins with '>' is required, but came {_quote(line)}; "
                + (
                    "this looks like FASTQ, convert it first"
                    if line.startswith(b"@")
                    else "is this a FASTA file?"
                )
            )
        parts.append((number, line))
        size += len(line)
        if size >= block_bp:
            yield Block(name, description, start, _joined(path, name, start, parts, seen))
            parts, start, size = [], start + size, 0
    if not seen:
        raise FormatError(
            f"{path}: at least one record is required, but came an empty file; was it written fully?"
        )
    if parts or not start:
        yield Block(name, description, start, _joined(path, name, start, parts, seen))


def _header(where: str, line: bytes, seen: dict[str, int]) -> tuple[str, str]:
    name, *rest = line[1:].decode("utf-8", errors="replace").strip().split(maxsplit=1) or [""]
    if not name:
        raise FormatError(
            f"{where}: a name after '>' is required, but came an empty header; name the record"
        )
    if name in seen:
        raise FormatError(
            f"{where}: a name of its own is required for each record, but {name!r} also "
            f"stands in line {seen[name]}; rename or remove one"
        )
    return name, rest[0] if rest else ""


def _joined(path: Path, name: str, start: int, parts: list[tuple[int, bytes]], seen: dict[str, int]) -> bytes:
    if not parts and not start:
        raise FormatError(
            f"{path}, line {seen[name]}: a sequence is required after the header, but {name!r} has none; "
            "was the file written fully?"
        )
    sequence = b"".join([line for _, line in parts])
    # All lines at once; one by one only to say which it is.
    if (ENCODE[np.frombuffer(sequence, dtype=np.uint8)] == ILLEGAL).any():
        for number, line in parts:
            check_letters(f"{path}, line {number}", line)
    return sequence


def check_letters(where: str, sequence: bytes) -> None:
    """Refuse letters that are no nucleotides.

    Raises:
        FormatError: the text names the first one and its column, counted from 1.
    """
    illegal = ENCODE[np.frombuffer(sequence, dtype=np.uint8)] == ILLEGAL
    if illegal.any():
        at = int(np.argmax(illegal))
        came = chr(sequence[at])
        advice = "remove the alignment gaps" if came in "-." else "is this a nucleotide sequence?"
        raise FormatError(
            f"{where}, column {at + 1}: nucleotide letters (A C G T U N and the IUPAC ambiguity letters) are "
            f"required, but came {came!r}; {advice}"
        )


def _quote(line: bytes) -> str:
    text = line.decode("utf-8", errors="replace")
    return repr(text if len(text) <= 20 else text[:20] + "...")
