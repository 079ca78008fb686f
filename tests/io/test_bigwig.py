# ruff: noqa: E501 - error texts stand whole, as users meet them
"""BigWig: what is written reads back, here and in another library."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gattn_tg.errors import CoordinateError, FormatError, GattnError, MissingExtraError
from gattn_tg.io import BigWig, write_bigwig
from gattn_tg.seq import Interval

pytest.importorskip("pybigtools", reason="pybigtools is absent (extra genomics)")

SIZES = {"chr2": 100, "chr1": 50}
VALUES = [("chr2", np.int64(0), 10, np.float32(1)), ("chr2", 10, 20, 2.5), ("chr1", 3, 5, -0.5)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "x.bw"
    write_bigwig(path, SIZES, VALUES)
    return path


def test_values_read_back(path: Path) -> None:
    with BigWig(path) as track:
        assert track.sizes == SIZES
        assert track.values(Interval("chr2", 5, 25)).tolist() == [1.0] * 5 + [2.5] * 10 + [0.0] * 5
        assert track.values(Interval("chr1", 3, 7, "-"), missing=9).tolist() == [9, 9, -0.5, -0.5]
        assert track.values(Interval("chr1", -1, 1), pad=True).dtype == np.float32
        assert track.binned(Interval("chr2", 5, 25), 10).tolist() == [1.75, 1.25]
        assert track.binned(Interval("chr2", 5, 25, "-"), 10).tolist() == [1.25, 1.75]


def test_contigs_are_renamed(path: Path) -> None:
    with BigWig(path, rename="auto") as track:
        assert track.values(Interval("1", 3, 4)).tolist() == [-0.5]


def test_other_names_of_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError) as caught:
        write_bigwig(tmp_path / "density", SIZES, VALUES)
    assert str(caught.value) == (
        f"{tmp_path}/density: expected a name that ends in .bw or .bigwig for a BigWig file, got 'density'; rename it"
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], ": expected at least one number, got none; a BigWig file cannot be empty"),
        ([("chr2", 5, 9, 1.0), ("chr2", 3, 5, 1.0)], ", number 2: expected numbers in order, without overlap, got chr2:3 after chr2:9; sort them"),
        ([("chr2", 5, 9, 1.0), ("chr1", 3, 5, 1.0), ("chr2", 9, 10, 1.0)], ", number 3: expected numbers in order, without overlap, got chr2:9 after chr1:5; sort them"),
        ([("chr2", 95, 101, 1.0)], ", number 1: expected 0 <= start < end <= 100 on chr2, got 95 and 101; is this another assembly?"),
        ([("chr3", 5, 9, 1.0)], ", number 1: expected a contig of the genome, got 'chr3'; give its size"),
        ([("chr2", 5, 9, float("nan"))], ", number 1: expected a finite number, got nan; leave the stretch out"),
    ],
)  # fmt: skip
def test_numbers_that_are_refused_leave_no_file(tmp_path: Path, values: list[tuple[str, int, int, float]], message: str) -> None:
    path = tmp_path / "x.bw"
    with pytest.raises(GattnError) as caught:
        write_bigwig(path, SIZES, values)
    assert str(caught.value) == f"{path}{message}"
    assert not list(tmp_path.iterdir())


def test_an_existing_file_stays(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(GattnError, match="a new file, got one that exists"):
        write_bigwig(path, SIZES, VALUES)
    with pytest.raises(CoordinateError):
        write_bigwig(path, SIZES, [*VALUES, ("chr1", 0, 1, 1.0)], overwrite=True)
    assert path.read_bytes() == before


def test_places_outside_and_odd_bins_are_refused(path: Path) -> None:
    with BigWig(path) as track:
        for call, text in (
            (lambda: track.values(Interval("chr1", 45, 51)), "interval chr1:45-51: expected bases 0 to 50 of chr1, but it reaches outside; resize it, pad it, or is this another assembly?"),
            (lambda: track.values(Interval("1", 4, 5)), "interval 1:4-5: expected a contig of the genome (chr1, chr2), got '1'; it has 'chr1': rename 1=chr1, or auto for all"),
            (lambda: track.binned(Interval("chr1", 4, 9), 2), "interval chr1:4-9: expected a whole number of bins of 2, but it has 5 bases; resize it"),
        ):
            with pytest.raises(CoordinateError) as caught:
                call()
            assert str(caught.value) == f"{path}, {text}"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda b: b"hello" * 20, "another kind of file"),
        (lambda b: b[:30], "another kind of file"),
        (lambda b: b"", "another kind of file"),
        (lambda b: b[:8] + struct.pack("<Q", 10**9) + b[16:], "offsets outside the file"),
        (lambda b: b.replace(struct.pack("<I", 0x78CA8C91), b"zzzz", 1), "a damaged table of contigs"),
        (lambda b: b.replace(struct.pack("<I", 0x2468ACE0), b"zzzz", 1), "a damaged index"),
        (lambda b: b[: (at := b.index(struct.pack("<I", 0x2468ACE0)) + 75)] + b"\xff" + b[at + 1 :], "a damaged index"),
    ],
)
def test_other_files_are_refused(path: Path, change: object, fault: str) -> None:
    path.write_bytes(change(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(FormatError) as caught:
        BigWig(path)
    assert str(caught.value) == f"{path}: expected a BigWig file, got: {fault}; fetch or convert it again"


def test_absent_file_and_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FormatError, match="got: no such file or directory; fetch"):
        BigWig(tmp_path / "absent.bw")
    monkeypatch.setitem(sys.modules, "pybigtools", None)
    with pytest.raises(MissingExtraError) as caught:
        BigWig(tmp_path / "x.bw")
    assert str(caught.value) == (
        "io.bigwig: expected pybigtools for BigWig files, but it is not installed; "
        'pip install "gattn_tg[genomics]"'
    )


def test_infinite_numbers_are_refused_where_they_are_read(tmp_path: Path) -> None:
    library = pytest.importorskip("pybigtools")
    library.open(str(tmp_path / "x.bw"), "w").write({"a": 100}, iter([("a", 0, 5, 1.0), ("a", 6, 7, float("-inf"))]))
    with BigWig(tmp_path / "x.bw") as track:
        assert track.values(Interval("a", 0, 6)).tolist() == [1.0] * 5 + [0.0]
        for read in (lambda: track.values(Interval("a", 2, 9)), lambda: track.binned(Interval("a", 0, 10), 5)):
            with pytest.raises(FormatError) as caught:
                read()
            assert str(caught.value) == (
                f"{tmp_path}/x.bw, a:6-7: expected a finite number, got -inf; mend the file or leave the stretch out"
            )


@pytest.mark.parametrize("fault", [FormatError("mine"), KeyboardInterrupt(), ZeroDivisionError("x")])
def test_faults_of_the_numbers_come_through_without_a_traceback_of_the_library(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], fault: BaseException
) -> None:
    def numbers() -> Iterator[tuple[str, int, int, float]]:
        yield "chr2", 0, 5, 1.0
        yield "chr2", 5, 9, 2.0
        raise fault

    with pytest.raises(type(fault)) as caught:
        write_bigwig(tmp_path / "x.bw", SIZES, numbers())
    assert caught.value is fault
    with pytest.raises(FormatError, match="a finite number, got inf"):
        write_bigwig(tmp_path / "x.bw", SIZES, [("chr2", 0, 5, 1.0), ("chr2", 5, 9, float("inf"))])
    with pytest.raises(FormatError, match="a finite number, got 1e"):
        write_bigwig(tmp_path / "x.bw", SIZES, [("chr2", 0, 5, 1.0), ("chr2", 5, 9, 1e39)])
    assert capfd.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())


def test_against_pybigwig(tmp_path: Path) -> None:
    theirs = pytest.importorskip("pyBigWig", reason="pyBigWig is absent (an oracle, not in an extra)")
    rng = np.random.default_rng(3)
    edges = np.unique(rng.integers(0, 20_000, 900))
    values = [("chr1", int(a), int(b), float(rng.normal())) for a, b in zip(edges[::2], edges[1::2], strict=False)]
    path = tmp_path / "y.bw"
    write_bigwig(path, {"chr1": 20_000}, values)
    with BigWig(path) as track:
        mine = track.values(Interval("chr1", 0, 20_000), missing=-99)
    other = theirs.open(str(path))
    np.testing.assert_array_equal(mine, np.nan_to_num(np.array(other.values("chr1", 0, 20_000), np.float32), nan=-99))
    other.close()
    made = theirs.open(str(tmp_path / "z.bw"), "w")
    made.addHeader([("chr1", 20_000)])
    made.addEntries(["chr1"] * len(values), [v[1] for v in values], ends=[v[2] for v in values], values=[v[3] for v in values])
    made.close()
    with BigWig(tmp_path / "z.bw") as track:
        np.testing.assert_array_equal(track.values(Interval("chr1", 0, 20_000), missing=-99), mine)
