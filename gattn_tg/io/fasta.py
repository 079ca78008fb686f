"""FASTA: named sequences."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gattn_tg.errors import FormatError
from gattn_tg.io.lines import lines
from gattn_tg.seq.alphabet import ENCODE, ILLEGAL


class Record(NamedTuple):
    """One sequence, its letters as they stand in the file (soft-masked ones in lower case)."""

    name: str
    description: str
    sequence: bytes


def read_fasta(path: str | Path) -> Iterator[Record]:
    """Yield the records of a FASTA file, one in memory at a time.

    The name is the first word of the header line, the description the rest. Lines of any length, empty lines, Windows
    line ends, gzip and bgzip are read.

    Raises:
        FormatError: no record, text before the first header, a header without a name, a name twice, a record without
            sequence, a letter that is no nucleotide, a damaged or unreadable file; the text names file and line.
    """
    path = Path(path)
    seen: dict[str, int] = {}
    header = ""
    parts: list[bytes] = []
    for number, line in lines(path):
        line = line.rstrip()
        if line.startswith(b">"):
            if seen:
                yield _record(path, header, parts, seen)
            header, parts = line[1:].decode("utf-8", errors="replace").strip(), []
            name = (header.split(maxsplit=1) or [""])[0]
            if not name:
                raise FormatError(
                    f"{path}, line {number}: a name after '>' is required, but came an empty header; name the record"
                )
            if name in seen:
                raise FormatError(
                    f"{path}, line {number}: a name of its own is required for each record, but {name!r} also "
                    f"stands in line {seen[name]}; rename or remove one"
                )
            seen[name] = number
        elif line and not seen:
            raise FormatError(
                f"{path}, line {number}: a header that begins with '>' is required, but came {_quote(line)}; "
                + (
                    "this looks like FASTQ, convert it first"
                    if line.startswith(b"@")
                    else "is this a FASTA file?"
                )
            )
        elif line:
            check_letters(f"{path}, line {number}", line)
            parts.append(line)
    if not seen:
        raise FormatError(
            f"{path}: at least one record is required, but came an empty file; was it written fully?"
        )
    yield _record(path, header, parts, seen)


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


def _record(path: Path, header: str, parts: list[bytes], seen: dict[str, int]) -> Record:
    name, *rest = header.split(maxsplit=1)
    if not parts:
        raise FormatError(
            f"{path}, line {seen[name]}: a sequence is required after the header, but {name!r} has none; "
            "was the file written fully?"
        )
    return Record(name, rest[0] if rest else "", b"".join(parts))


def _quote(line: bytes) -> str:
    text = line.decode("utf-8", errors="replace")
    return repr(text if len(text) <= 20 else text[:20] + "...")
