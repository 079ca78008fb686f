# ruff: noqa: E501 - error texts stand whole, as users meet them
"""Parts by chromosome and by fold file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from gattn_tg.data import parts_by_contig, parts_by_fold, read_folds
from gattn_tg.errors import ConfigError, CoordinateError, FormatError, GattnError
from gattn_tg.seq import Interval

ROWS = [Interval("chr1", 0, 5), Interval("chr2", 10, 15), Interval("chr2", 30, 35), Interval("chr3", 0, 5)]
FOLDS = [(Interval("chr1", 0, 50), "f0"), (Interval("chr2", 0, 20), "f1"), (Interval("chr2", 20, 50), "f2"), (Interval("chr9", 0, 5), "f2")]


def test_by_contig() -> None:
    part = parts_by_contig(["chr1", "chr2", "chr3"], {"valid": ["chr1"], "test": ["chr3"]}, "train")
    assert [part(row) for row in ROWS] == ["valid", "train", "train", "test"]


def test_by_fold_file(tmp_path: Path) -> None:
    """A window across the border of two parts, or beside all folds, belongs to none."""
    path = tmp_path / "folds.bed"
    path.write_text("".join(f"{i.chrom}\t{i.start}\t{i.end}\t{fold}\n" for i, fold in FOLDS))
    assert read_folds(path) == FOLDS
    part = parts_by_fold(read_folds(path), {"test": ["f2"]}, "train")
    assert [part(row) for row in ROWS] == ["train", "train", "test", None]
    assert part(Interval("chr2", 18, 22)) is None
    assert parts_by_fold(FOLDS, {}, "train")(Interval("chr2", 18, 22)) == "train"


def test_real_windows(shared_data: Path) -> None:
    folds = read_folds(shared_data / "tracks" / "hg38_borzoi_tiny_windows.bed")
    part = parts_by_fold(folds, {"valid": ["valid"]}, "train")
    assert Counter(part(i) for i, fold in folds if fold in ("train", "valid")) == {"train": 45, "valid": 10}


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: parts_by_contig(["chr1"], {"a": ["chr1"], "b": ["chr1"]}, "c"), "b: expected each contig in one part, got chr1 in a as well; remove one"),
        (lambda: parts_by_contig(["chr1", "chr2"], {"a": ["chr7"]}, "c"), "a: expected a contig of chr1, chr2, got 'chr7'; correct the name"),
        (lambda: parts_by_fold(FOLDS, {"a": ["f7"]}, "c"), "a: expected a fold of f0, f1, f2, got 'f7'; correct the name"),
    ],
)  # fmt: skip
def test_parts_that_would_leak_or_do_not_exist_are_refused(call: Callable[[], object], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        call()
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chr1\t0\t5\n", ", line 1: expected chrom, start, end and fold, got 3 columns; correct the line"),
        ("chr1\t5\t5\tf\n", ", line 1: expected start < end, got 5 and 5; correct the line"),
        ("#x\n", ": expected at least one fold, got none; was the file written fully?"),
    ],
)
def test_fold_files_that_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "f").write_text(text)
    with pytest.raises(GattnError) as caught:
        read_folds(tmp_path / "f")
    assert str(caught.value) == f"{tmp_path}/f{message}"
    assert type(caught.value) in (FormatError, CoordinateError)
