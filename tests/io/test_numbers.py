"""Columns of numbers: what is read, which cells are unknown, and what is refused with file, line and column."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from gattn_tg.errors import FormatError
from gattn_tg.io import read_labelled
from gattn_tg.io.numbers import NumberColumns


def test_cells_are_numbers_or_unknown(tmp_path: Path) -> None:
    (tmp_path / "x.tsv").write_text("DNA\tb\tA\tid\nACGT\t1e3\t\tp\nGG\tNA\t-2.5\tp\nTT\tnan\t7\tq\n")
    numbers = NumberColumns(("a", "b"))
    table = read_labelled(tmp_path / "x.tsv", sequence="dna", numbers=numbers, name="id", repeats=True)
    assert table.sequences == (b"ACGT", b"GG", b"TT")
    assert table.label_names == ("a", "b")
    assert table.labels is None
    assert table.names == ("p", "p", "q")
    assert table.values is not None
    np.testing.assert_array_equal(table.values, [[math.nan, 1000], [-2.5, math.nan], [7, math.nan]])


@pytest.mark.parametrize(("kind", "cell", "told"), [
    ("yes_no", "yes", "expected 0 or 1, got 'yes'; correct the cell, or leave it empty where the value is not known"),
    ("yes_no", "2", "expected 0 or 1, got '2'"),
    ("yes_no", "0.5", "expected 0 or 1, got '0.5'"),
    ("count", "-1", "expected a number of 0 or more, got '-1'"),
    ("number", "high", "expected a number, got 'high'"),
    ("number", "inf", "expected a number, got 'inf'"),
    ("number", "1e39", "expected a number, got '1e39'"),
    ("number", "1,5", "expected a number, got '1,5'"),
])  # fmt: skip
def test_other_cells_are_refused_by_line_and_column(kind: str, cell: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "x.tsv"
    path.write_text(f"sequence\ty\nACGT\t1\nGG\t\nTT\t{cell}\n")
    with pytest.raises(FormatError) as raised:
        read_labelled(path, numbers=NumberColumns(("y",), kind))  # type: ignore[arg-type]
    assert str(raised.value).startswith(f"{path}, line 4, column 'y': {told}")


def test_a_column_that_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("sequence,a\nACGT,1\n")
    with pytest.raises(FormatError, match="line 1: expected a column 'b', got 'sequence', 'a'; rename the column"):
        read_labelled(tmp_path / "x.csv", numbers=NumberColumns(("a", "b")))
