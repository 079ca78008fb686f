"""A motif matrix, and what its rows of numbers must be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gattn_tg.errors import FormatError
from gattn_tg.io.fields import number

SUM_TOLERANCE = 0.02
"""Numbers that add up to 1 this closely are probabilities: files round them to two or more digits."""

Line = tuple[int, str]
"""(line number from 1, text)."""

Row = tuple[float, float, float, float]


class MotifMatrix(NamedTuple):
    """A motif: `counts` has one row (A, C, G, T) per position, of observations or of probabilities that add up to 1."""

    id: str
    name: str
    counts: tuple[Row, ...]


def is_number(word: str) -> bool:
    """Whether a word begins a row of numbers; what is no proper number is refused when the row is read."""
    return bool(re.match(r"[-+.]?\d", word))


def numbers(where: str, words: Sequence[str], count: int | None) -> list[float]:
    """Return `count` numbers (any count when None) of at least 0; whole ones as int.

    Raises:
        FormatError: anything else.
    """
    values = [number(where, "count", word) for word in words]
    if not values or (count is not None and len(values) != count) or min(values) < 0:
        raise FormatError(
            f"{where}: expected {count or 'some'} numbers of at least 0, got {' '.join(words)[:40]!r}; "
            "correct the matrix"
            + (", or take the file of counts or probabilities instead of weights" if min(values, default=0) < 0 else "")
        )
    return [as_written(value) for value in values]


def as_written(value: float) -> float:
    """Return whole numbers as int, so that a vocabulary file says 4 and not 4.0."""
    return int(value) if float(value).is_integer() else float(value)


def matrix(where: str, matrix_id: str, name: str, rows: Iterable[Sequence[float]]) -> MotifMatrix:
    """Return a motif from its rows, one per position.

    Raises:
        FormatError: a row of zeros, or fractions below 1 that add up to something else.
    """
    counts = tuple((a, c, g, t) for a, c, g, t in rows)
    if not all(map(sum, counts)):
        raise FormatError(
            f"{where}: expected an observation at each position, but motif {matrix_id!r} has one without; "
            "correct the matrix"
        )
    wrong = next((sum(row) for row in counts if abs(sum(row) - 1) > SUM_TOLERANCE), None)
    if wrong is not None and max(map(max, counts)) < 1:
        raise FormatError(
            f"{where}: expected probabilities that add up to 1 at each position of motif {matrix_id!r}, got "
            f"{wrong:.3f}; correct the matrix"
        )
    return MotifMatrix(matrix_id, name, counts)
