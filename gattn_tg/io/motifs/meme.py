"""Motifs in MEME's text: the minimal format, or the whole report; and the minimal format, written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from gattn_tg.errors import FormatError
from gattn_tg.io.fields import number
from gattn_tg.io.motifs.matrix import SUM_TOLERANCE, Line, MotifMatrix, is_number, matrix, numbers

MAX_WIDTH = 1000  # no motif is nearly as wide; a file that claims more is damaged

_PROBABILITIES = re.compile(r"letter-probability matrix:(?P<rest>.*)", re.IGNORECASE)
_ALPHABET = re.compile(r"ALPHABET\s*=\s*(?P<letters>.*)")
_SETTING = re.compile(r"([A-Za-z]+)=\s*(\S+)")


def meme_text(motifs: Iterable[tuple[str, str, Sequence[Sequence[float]]]]) -> str:
    """The minimal format.

    Args:
        motifs: (id, name, probabilities of A, C, G, T at each position) of each.
    """
    lines = ["MEME version 4", "", "ALPHABET= ACGT", "", "strands: + -", ""]
    for motif_id, name, rows in motifs:
        lines += [f"MOTIF {motif_id} {name}", f"letter-probability matrix: alength= 4 w= {len(rows)}"]
        lines += [" ".join(f"{value:.6f}" for value in row) for row in rows]
        lines.append("")
    return "\n".join(lines)


def read_meme(path: Path, text: list[Line]) -> Iterator[MotifMatrix]:
    """Yield the motifs; every `MOTIF` line must be followed by a letter-probability matrix.

    `w=` may be missing: the matrix then ends at the first empty line, or line of words. `nsites=` is not looked at,
    because the probabilities are kept as they are.

    Args:
        path: the file, for messages.
        text: its lines without comments; empty ones count.

    Raises:
        FormatError: see `read_matrices`.
    """
    at = 0
    where, name = "", list[str]()
    while at < len(text):
        here = f"{path}, line {text[at][0]}"
        line = text[at][1]
        at += 1
        alphabet = _ALPHABET.match(line)
        if alphabet and "".join(alphabet["letters"].split()).upper() not in ("ACGT", "ACGTU", "ACGU"):
            raise FormatError(f"{here}: expected alphabet ACGT, got {line!r}; use motifs of DNA")
        if line.split()[:1] == ["MOTIF"]:
            _check_matrix(where, name)
            where = here
            # the oldest reports go on with `width = 8`, where newer ones have a second name
            name = [word for word in line.split()[1:3] if word != "width"]
            if not name:
                raise FormatError(f"{here}: expected a name after MOTIF, got none; name the motif")
        header = _PROBABILITIES.match(line)
        if not header:
            continue
        settings = dict(_SETTING.findall(header["rest"]))
        body = _body(here, text, at, settings.get("w"))
        if not name or settings.get("alength", "4") != "4" or not body:
            raise FormatError(
                f"{here}: expected a MOTIF line, alength= 4 and w= rows of four probabilities, got "
                f"w={settings.get('w')} with {sum(bool(line) for _, line in text[at:])} lines after; "
                "was the file written fully?"
            )
        at = body[-1][0] + 1
        rows = [_probabilities(f"{path}, line {text[i][0]}", line) for i, line in body]
        yield matrix(here, name[0], name[-1], rows)
        name = []
    _check_matrix(where, name)


def _body(where: str, text: list[Line], at: int, width: str | None) -> list[tuple[int, str]]:
    """Return (index, text) of the rows of a matrix that begins at index `at`; none where there are too few."""
    rows: list[tuple[int, str]] = []
    wanted = MAX_WIDTH if width is None else int(number(where, "w", width))
    for i in range(at, len(text)):
        line = text[i][1]
        if len(rows) == wanted or (width is None and rows and not (line and is_number(line))):
            break
        if line:
            rows.append((i, line))
    if width is None or not 0 < wanted <= MAX_WIDTH:
        return rows if width is None else []
    after = rows[-1][0] + 1 if rows else at
    if len(rows) == wanted and after < len(text) and is_number(text[after][1]):
        raise FormatError(
            f"{where}: expected w= {wanted} rows, got more; correct w= or the rows"
        )
    return rows if len(rows) == wanted else []


def _probabilities(where: str, line: str) -> list[float]:
    row = numbers(where, line.split(), 4)
    if abs(sum(row) - 1) > SUM_TOLERANCE:
        raise FormatError(
            f"{where}: expected probabilities that add up to 1, got {sum(row):.3f}; correct the row"
        )
    return row


def _check_matrix(where: str, name: list[str]) -> None:
    if name:
        raise FormatError(
            f"{where}: expected a letter-probability matrix for motif {name[0]!r}, got none; "
            "add it or remove the MOTIF line"
        )
