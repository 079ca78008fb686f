"""Motifs under headers that begin with '>': JASPAR's layout, and the turned one of HOMER and HOCOMOCO."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from gattn_tg.errors import FormatError
from gattn_tg.io.motifs.matrix import SUM_TOLERANCE, Line, MotifMatrix, matrix, numbers

LETTERS = "ACGT"
IUPAC = re.compile(r"[ACGTUNRYSWKMBDHV]+", re.IGNORECASE)
EVEN = 0.01
"""Sums that differ by less than this share are equal: HOCOMOCO's weighted counts add up to one number everywhere."""


def read_pfm(path: Path, text: list[Line]) -> Iterator[MotifMatrix]:
    """Yield the motifs.

    JASPAR has a line each for A, C, G, T. HOMER and HOCOMOCO have a line per position, with four numbers that add up
    to the same everywhere. HOMER is known by its header (consensus, name, score; with tabs). Four lines of four
    numbers that could be either are refused unless the lines begin with their letters.

    Args:
        path: the file, for messages.
        text: its lines without comments and empty ones; the first begins with '>'.

    Raises:
        FormatError: see `read_matrices`.
    """
    headers = [at for at, (_, line) in enumerate(text) if line.startswith(">")]
    for at, end in zip(headers, [*headers[1:], len(text)], strict=True):
        line_number, header = text[at]
        where, body = f"{path}, line {line_number}", text[at + 1 : end]
        words = header[1:].split()
        if not words:
            raise _no_motif(where, header, body)
        name = words[1] if len(words) > 1 else words[0]
        fields = [field.strip() for field in header[1:].split("\t")]
        if len(fields) > 2 and IUPAC.fullmatch(fields[0]):
            yield _by_position(where, path, fields[0], fields[1] or fields[0], body, to_one=True)
        elif _is_by_position(where, path, body):
            yield _by_position(where, path, words[0], name, body, to_one=False)
        else:
            yield _by_letter(where, path, words[0], name, header, body)


def _is_by_position(where: str, path: Path, body: list[Line]) -> bool:
    """Whether a motif has a line per position: four numbers in each, of equal sums, and no letters or brackets."""
    rows = []
    for line_number, line in body:
        words = line.split()
        if len(words) != 4 or not all(re.match(r"[-+.\d]", word) for word in words):
            return False
        rows.append(numbers(f"{path}, line {line_number}", words, 4))
    by_position = bool(rows) and _are_even([sum(row) for row in rows])
    if len(rows) != 4:
        return by_position
    by_letter = _are_even([sum(column) for column in zip(*rows, strict=True)])
    if by_position == by_letter:
        raise FormatError(
            f"{where}: expected lines that begin with their letter A, C, G, T, got four lines of four numbers, which "
            "may be letters or positions; write the letters"
        )
    return by_position


def _are_even(sums: list[float]) -> bool:
    return max(sums) - min(sums) <= EVEN * max(sums)


def _by_position(
    where: str, path: Path, matrix_id: str, name: str, body: list[Line], *, to_one: bool
) -> MotifMatrix:
    rows = [numbers(f"{path}, line {line_number}", line.split(), 4) for line_number, line in body]
    if not rows:
        raise FormatError(f"{where}: expected four numbers per position, got no line; was the file written fully?")
    for (line_number, _), row in zip(body, rows, strict=True):
        if to_one and abs(sum(row) - 1) > SUM_TOLERANCE:
            raise FormatError(
                f"{path}, line {line_number}: expected probabilities that add up to 1, got {sum(row):.3f}; "
                "correct the row"
            )
    return matrix(where, matrix_id, name, rows)


def _by_letter(where: str, path: Path, matrix_id: str, name: str, header: str, body: list[Line]) -> MotifMatrix:
    if len(body) != 4:
        raise _no_motif(where, header, body)
    columns: list[list[float]] = []
    for letter, (line_number, line) in zip(LETTERS, body, strict=True):
        words = re.sub(r"[\[\]|]", " ", line).split()
        if words and words[0].upper() in ("A", "C", "G", "T", "U"):
            if words[0].upper().replace("U", "T") != letter:
                raise FormatError(
                    f"{path}, line {line_number}: expected the counts of {letter}, got those of "
                    f"{words[0]}; order the lines A, C, G, T"
                )
            words = words[1:]
        columns.append(numbers(f"{path}, line {line_number}", words, len(columns[0]) if columns else None))
    return matrix(where, matrix_id, name, zip(*columns, strict=True))


def _no_motif(where: str, header: str, body: list[Line]) -> FormatError:
    return FormatError(
        f"{where}: expected '>' with an id, then one line each for A, C, G, T, got {header[:20]!r} "
        f"and {len(body)} lines; was the file written fully?"
    )
