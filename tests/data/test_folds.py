# ruff: noqa: E501 - error texts stand whole, as users meet them
"""Parts by chromosome and by fold file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gattn_tg.data import read_folds, split_by_contig, split_by_folds
from gattn_tg.errors import ConfigError, CoordinateError, FormatError, GattnError
from gattn_tg.seq import Interval

ROWS = [Interval("chr1", 0, 5), Interval("chr2", 10, 15), Interval("chr2", 30, 35), Interval("chr3", 0, 5)]
FOLDS = [(Interval("chr1", 0, 50), "f0"), (Interval("chr2", 0, 20), "f1"), (Interval("chr2", 20, 50), "f2"), (Interval("chr9", 0, 5), "f2")]


def told(parts: dict[str, object]) -> dict[str, list[int]]:
    return {name: rows.tolist() for name, rows in parts.items()}  # type: ignore[attr-defined]


def test_by_contig() -> None:
    assert told(split_by_contig(ROWS, {"valid": ["chr1"], "test": ["chr3"]}, rest="train")) == {"valid": [0], "test": [3], "train": [1, 2]}
    assert told(split_by_contig(ROWS, {"a": ["chr1", "chr2"], "b": ["chr3"]})) == {"a": [0, 1, 2], "b": [3]}


def test_by_fold_file(tmp_path: Path) -> None:
    path = tmp_path / "folds.bed"
    path.write_text("".join(f"{i.chrom}\t{i.start}\t{i.end}\t{fold}\n" for i, fold in FOLDS))
    assert read_folds(path) == FOLDS
    assert told(split_by_folds(ROWS, read_folds(path), {"train": ["f0", "f1"], "test": ["f2"]})) == {"train": [0, 1], "test": [2]}


def test_real_windows(shared_data: Path) -> None:
    folds = read_folds(shared_data / "tracks" / "hg38_borzoi_tiny_windows.bed")
    parts = split_by_folds([i for i, _ in folds], folds, {"train": ["train"], "valid": ["valid"]})
    assert [len(rows) for rows in parts.values()] == [45, 10]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: split_by_contig(ROWS, {"a": ["chr1"], "b": ["chr1"]}), "split_by_contig: each contig in one part is required, but chr1 is in a and b; remove one"),
        (lambda: split_by_contig(ROWS, {"a": ["chr1"]}), "split_by_contig: a part for each contig is required, but chr2 has none; name it, or the part of the rest"),
        (lambda: split_by_contig(ROWS, {"a": ["chr7"]}, rest="train"), "split_by_contig: at least one row in each part is required, but 'a' has none; correct the parts"),
        (lambda: split_by_folds(ROWS, FOLDS, {"a": ["f7"]}), "split_by_folds: one of the folds f0, f1, f2 is required, but came 'f7'; correct it"),
        (lambda: split_by_folds([Interval("chr2", 18, 22)], FOLDS, {"a": ["f1"], "b": ["f2"]}), "split_by_folds: windows inside one part are required, but chr2:18-22 touches a and b; shorten the windows or remove it"),
    ],
)  # fmt: skip
def test_splits_that_are_refused(call: Callable[[], object], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        call()
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chr1\t0\t5\n", ", line 1: chrom, start, end and fold are required, but came 3 columns; correct it"),
        ("chr1\t5\t5\tf\n", ", line 1: start < end is required, but came 5 and 5; correct the line"),
        ("#x\n", ": at least one fold is required, but came none; was the file written fully?"),
    ],
)
def test_fold_files_that_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "f").write_text(text)
    with pytest.raises(GattnError) as caught:
        read_folds(tmp_path / "f")
    assert str(caught.value) == f"{tmp_path}/f{message}"
    assert type(caught.value) in (FormatError, CoordinateError)
