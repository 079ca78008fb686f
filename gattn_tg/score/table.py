"""Results as tables: what every result can do beside its arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from gattn_tg.errors import MissingExtraError
from gattn_tg.io import write_tsv

SHOWN = 5  # rows in the text of a result
COLUMNS = 10  # and columns: the lines of a wider table would be broken by a terminal


class Table:
    """Base of the results: frozen dataclasses of names and NumPy arrays that can also be read row by row."""

    @property
    def summary(self) -> str:
        """What it is, in a few words."""
        raise NotImplementedError

    @property
    def header(self) -> list[str]:
        """Names of the columns."""
        raise NotImplementedError

    def rows(self) -> Iterable[Sequence[object]]:
        """One value per column, row by row."""
        raise NotImplementedError

    def to_tsv(self, path: str | Path, *, overwrite: bool = False) -> int:
        """Write the rows under a header line and return their number; the file appears when all is written.

        Args:
            path: the file; compressed when its name ends in `.gz`.
            overwrite: replace an existing file.

        Raises:
            GattnError: the file exists, or cannot be written.
        """
        return write_tsv(path, self.header, self.written(), overwrite=overwrite)

    def written(self) -> Iterable[Sequence[object]]:
        """The rows as they stand in a TSV: numbers that are not whole with six digits."""
        return map(written, self.rows())

    def to_dataframe(self) -> Any:
        """The rows as a pandas DataFrame.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError as missing:
            raise MissingExtraError("to_dataframe: expected pandas, got a Python without it; pip install pandas, or "
                                    "use to_tsv") from missing
        return pandas.DataFrame(list(self.rows()), columns=self.header)

    def __repr__(self) -> str:
        found = [list(map(_shown, row)) for row in islice(iter(self.rows()), SHOWN + 1)]
        lines = [line[:COLUMNS] for line in (self.header, *found[:SHOWN])]
        lines[0] += ["..."] if len(self.header) > COLUMNS else []
        lines = [line + [""] * (len(lines[0]) - len(line)) for line in lines]
        wide = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
        text = ["  ".join(field.ljust(n) for field, n in zip(line, wide, strict=True)).rstrip() for line in lines]
        return "\n".join([f"{type(self).__name__}: {self.summary}", *text, *(["..."] if len(found) > SHOWN else [])])


def written(row: Sequence[object]) -> list[object]:
    """A row as it stands in a TSV: numbers that are not whole with six digits."""
    return [float(f"{value:.6g}") if isinstance(value, float) else value for value in row]


def _shown(value: object) -> str:
    text = f"{value:.4f}" if isinstance(value, float) else str(value)
    return text if len(text) <= 40 else text[:37] + "..."
