"""Columns of numbers in a table: measured values, counts, or 0 and 1; cells without a number are unknown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from gattn_tg.errors import FormatError

UNKNOWN = ("", "na", "nan")  # cells, in any case of letters, that R, pandas and people leave where nothing was measured
LARGEST = 3.4e38  # float32 ends there

WANTED = {"number": "a number", "count": "a number of 0 or more", "yes_no": "0 or 1"}


@dataclass(frozen=True)
class NumberColumns:
    """Which columns of a table to read as numbers.

    Args:
        names: of the columns.
        kind: what a cell may be: any finite number, a count (0 or more, not always whole), or 0 and 1.
    """

    names: tuple[str, ...]
    kind: Literal["number", "count", "yes_no"] = "number"

    def read(self, where: str, name: str, text: str) -> float:
        """The number of a cell; nan where it is unknown.

        Args:
            where: file and line, for messages.
            name: of the column.
            text: of the cell, without surrounding blanks.

        Raises:
            FormatError: something else stands there.
        """
        if text.casefold() in UNKNOWN:
            return math.nan
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        fits = {"number": True, "count": value >= 0, "yes_no": value in (0, 1)}
        if not (abs(value) <= LARGEST and fits[self.kind]):
            raise FormatError(
                f"{where}, column {name!r}: expected {WANTED[self.kind]}, got {text[:40]!r}; correct the cell, or "
                "leave it empty where the value is not known"
            )
        return value
