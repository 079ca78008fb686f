"""Motif matrices from MEME and JASPAR files."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from gattn_tg.errors import ConfigError, FormatError
from gattn_tg.io.lines import lines
from gattn_tg.io.rows import number

DEFAULT_SITES = 100
"""Observations per position that MEME's probabilities stand for where the file does not say."""
MAX_WIDTH = 1000  # no motif is nearly as wide; a file that claims more is damaged

_PROBABILITIES = re.compile(r"letter-probability matrix:(?P<rest>.*)", re.IGNORECASE)
_SETTING = re.compile(r"([A-Za-z]+)=\s*(\S+)")


class MotifMatrix(NamedTuple):
    """A count matrix: `counts` has one row (A, C, G, T) per position."""

    id: str
    name: str
    counts: tuple[tuple[int, int, int, int], ...]


def read_matrices(path: str | Path) -> list[MotifMatrix]:
    """Read all motifs of a file in MEME's minimal format (version 4 or 5) or in JASPAR's.

    MEME holds probabilities; they are multiplied by `nsites` and rounded, which gives counts back to within one
    observation where all positions have as many. Fractional counts are rounded.

    Args:
        path: plain, gzip or bgzip; its first line tells the format.

    Raises:
        FormatError: neither format, a matrix with another alphabet, too few rows or numbers, negative numbers,
            probabilities that do not add up to 1, no motif; the text names file and line.
    """
    path = Path(path)
    text = [(number, line.decode("latin-1").strip()) for number, line in lines(path)]
    text = [(number, line) for number, line in text if line and not line.startswith("#")]
    if not text:
        raise FormatError(f"{path}: at least one motif is required, but came an empty file; was it written fully?")
    first = text[0][1]
    if first.startswith("MEME version"):
        found = list(_meme(path, text))
    elif first.startswith(">"):
        found = list(_jaspar(path, text))
    else:
        raise FormatError(
            f"{path}, line {text[0][0]}: 'MEME version' or '>' is required, but came {first[:20]!r}; "
            "is this a motif file?"
        )
    if not found:
        raise FormatError(f"{path}: at least one motif is required, but came none; was the file written fully?")
    return found


def select(matrices: Sequence[MotifMatrix], wanted: Iterable[str], where: str) -> list[MotifMatrix]:
    """Return the motifs of these names or ids, in this order; case does not matter, and neither does a missing version.

    Where several share a name (JASPAR has CTCF three times), the one with the lowest id, the oldest profile, is meant.

    Args:
        matrices: what there is.
        wanted: "CTCF", "MA0139.2" or "MA0139".
        where: the file or database, for the message.

    Raises:
        ConfigError: no motif has the name.
    """
    chosen = []
    for name in wanted:
        same = [m for m in matrices if name.casefold() in (m.name.casefold(), m.id.casefold())]
        same = same or [m for m in matrices if name.casefold() == m.id.casefold().split(".")[0]]
        if not same:
            near = difflib.get_close_matches(name.upper(), sorted({m.name.upper() for m in matrices}), 3)
            advice = f"did you mean {' or '.join(near)}?" if near else "look the name up at jaspar.elixir.no"
            raise ConfigError(f"{where}: a motif {name!r} is required, but came none of this name; {advice}")
        chosen.append(min(same, key=lambda m: m.id))
    return chosen


def _meme(path: Path, text: list[tuple[int, str]]) -> Iterator[MotifMatrix]:
    at = 0
    name: list[str] = []
    while at < len(text):
        line_number, line = text[at]
        where = f"{path}, line {line_number}"
        at += 1
        words = line.split()
        if words[0] == "ALPHABET=" and "".join(words[1:]).upper() not in ("ACGT", "ACGTU"):
            raise FormatError(f"{where}: alphabet ACGT is required, but came {line!r}; use motifs of DNA")
        if words[0] == "MOTIF":
            name = words[1:3]
            if not name:
                raise FormatError(f"{where}: a name is required after MOTIF, but came none; name the motif")
        match = _PROBABILITIES.match(line)
        if not match:
            continue
        settings = dict(_SETTING.findall(match["rest"]))
        width, sites = (
            int(number(where, key, settings.get(key, default)))
            for key, default in (("w", "0"), ("nsites", str(DEFAULT_SITES)))
        )
        body = text[at : at + width] if 0 < width <= MAX_WIDTH else []
        if not name or settings.get("alength", "4") != "4" or not body or len(body) < width:
            raise FormatError(
                f"{where}: a MOTIF line, alength= 4 and w= rows of four probabilities are required, but came "
                f"w={settings.get('w')} with {len(text) - at} lines after; was the file written fully?"
            )
        at += width
        rows = [_numbers(f"{path}, line {line_number}", row.split(), 4) for line_number, row in body]
        for (line_number, _), row in zip(body, rows, strict=True):
            if abs(sum(row) - 1) > 0.02:
                raise FormatError(
                    f"{path}, line {line_number}: probabilities that add up to 1 are required, but came "
                    f"{sum(row):.3f}; correct the row"
                )
        yield _matrix(where, name, [[p * max(sites, 1) for p in row] for row in rows])
        name = []


def _jaspar(path: Path, text: list[tuple[int, str]]) -> Iterator[MotifMatrix]:
    for at in range(0, len(text), 5):
        line_number, header = text[at]
        where = f"{path}, line {line_number}"
        name = header[1:].split()
        body = text[at + 1 : at + 5]
        if not header.startswith(">") or not name or len(body) < 4:
            raise FormatError(
                f"{where}: '>' with an id, then one line each for A, C, G, T, is required, but came {header[:20]!r} "
                f"and {len(body)} lines; was the file written fully?"
            )
        columns: list[list[float]] = []
        for letter, (line_number, line) in zip("ACGT", body, strict=True):
            words = line.replace("[", " ").replace("]", " ").split()
            if words and words[0].upper() in ("A", "C", "G", "T"):
                if words[0].upper() != letter:
                    raise FormatError(
                        f"{path}, line {line_number}: the counts of {letter} are required, but came those of "
                        f"{words[0]}; order the lines A, C, G, T"
                    )
                words = words[1:]
            columns.append(_numbers(f"{path}, line {line_number}", words, len(columns[0]) if columns else None))
        yield _matrix(where, name, [list(row) for row in zip(*columns, strict=True)])


def _numbers(where: str, words: list[str], count: int | None) -> list[float]:
    values = [number(where, "count", word) for word in words]
    if not values or (count is not None and len(values) != count) or min(values) < 0:
        raise FormatError(
            f"{where}: {count or 'some'} numbers of at least 0 are required, but came {' '.join(words)[:40]!r}; "
            "correct the matrix"
        )
    return values


def _matrix(where: str, name: list[str], rows: list[list[float]]) -> MotifMatrix:
    counts = [[round(value) for value in row] for row in rows]
    if not all(map(sum, counts)):
        raise FormatError(
            f"{where}: an observation at each position is required, but motif {name[0]!r} has one without; "
            "correct the matrix"
        )
    return MotifMatrix(name[0], name[-1], tuple((a, c, g, t) for a, c, g, t in counts))
