# ruff: noqa: E501 - error texts stand whole, as users meet them
"""TSV and BED: what is written, and that nothing is lost."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gattn_tg.errors import CoordinateError, FormatError, GattnError
from gattn_tg.io import BedRow, replacing, write_bed, write_tsv
from gattn_tg.io.bgzf import BLOCK_BYTES, block_starts
from gattn_tg.io.source import BGZF_EOF, is_bgzip

ROW = BedRow("chr1", 10, 20, "tata_box", 500, "+", "#1f78b4")


def only(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_tsv(tmp_path: Path) -> None:
    path = tmp_path / "x.tsv"
    rows = [("a", 1, 0.1, None), ("b", np.int64(2), np.float32(0.1), "é")]
    assert write_tsv(path, ("name", "n", "p", "note"), rows) == 2
    assert path.read_bytes().decode() == "name\tn\tp\tnote\na\t1\t0.1\t\nb\t2\t0.1\té\n"
    assert only(tmp_path) == ["x.tsv"]


def test_bed_has_nine_columns_with_a_colour(tmp_path: Path) -> None:
    path = tmp_path / "x.bed"
    assert write_bed(path, [ROW, BedRow("chr2", 0, 1, "cpg")]) == 2
    assert path.read_text() == (
        "chr1\t10\t20\ttata_box\t500\t+\t10\t20\t31,120,180\nchr2\t0\t1\tcpg\t0\t.\t0\t1\t0,0,0\n"
    )


HOSTILE = {
    "a\x1b[2Jb": "a\\x1b[2Jb", "a\tb": "a\\tb", "a\nb": "a\\nb", "\x9b31m": "\\x9b31m", "a\u202eb": "a\\u202eb",
    "a\udc80": "a\\udc80", "=1+1": "'=1+1", "@SUM(A1)": "'@SUM(A1)", "+cmd|' /C calc'!A0": "'+cmd|' /C calc'!A0", "-x": "'-x",
    "-0.5": "-0.5", "+": "+", "-": "-", "é": "é", "chr1:5-9": "chr1:5-9", "a=b": "a=b", "-1e-05": "-1e-05",
}  # fmt: skip


def test_names_with_control_characters_and_formulas_are_escaped_in_tables(tmp_path: Path) -> None:
    write_tsv(tmp_path / "x.tsv", list(HOSTILE), [list(HOSTILE), [-0.5] * len(HOSTILE)])
    head, row, numbers = (line.split("\t") for line in (tmp_path / "x.tsv").read_text().splitlines())
    assert head == row == list(HOSTILE.values())
    assert set(numbers) == {"-0.5"}


def test_names_with_control_characters_are_escaped_in_bed(tmp_path: Path) -> None:
    write_bed(tmp_path / "x.bed", [BedRow(name, 0, 1, name) for name in HOSTILE])
    rows = [line.split("\t") for line in (tmp_path / "x.bed").read_text().splitlines()]
    assert [row[0] for row in rows] == [row[3] for row in rows] == [text.removeprefix("'") for text in HOSTILE.values()]
    assert {len(row) for row in rows} == {9}


def test_packed_files_are_blocks_with_an_end_that_every_reader_of_gzip_reads(tmp_path: Path) -> None:
    text = "".join(f"{k * 7919 % 1_000_003}\n" for k in range(30_000))
    with replacing(tmp_path / "x.txt.gz") as handle:
        handle.write(text)
    packed = (tmp_path / "x.txt.gz").read_bytes()
    assert gzip.decompress(packed).decode() == text
    assert packed.endswith(BGZF_EOF)
    starts = block_starts(tmp_path / "x.txt.gz")
    assert len(starts) == -(-len(text) // BLOCK_BYTES) + 1
    assert starts[-1] == len(packed) - len(BGZF_EOF)
    assert all(is_bgzip(packed[at : at + 18]) for at in starts)


def test_compressed_output_is_the_same_on_every_run(tmp_path: Path) -> None:
    for name in ("x.bed.gz", "y.bed.gz"):
        write_bed(tmp_path / name, [ROW] * 50)
    one, two = ((tmp_path / name).read_bytes() for name in ("x.bed.gz", "y.bed.gz"))
    assert one == two
    assert gzip.decompress(one).count(b"\n") == 50


@pytest.mark.parametrize("name", ["x.bed", "x.bed.gz"])
def test_existing_file_is_refused_and_kept(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("precious")
    with pytest.raises(GattnError) as caught:
        write_bed(path, [ROW])
    assert (
        str(caught.value)
        == f"{path}: expected a new file, got one that exists; choose another name or overwrite it"
    )
    assert path.read_text() == "precious"
    assert only(tmp_path) == [name]


def test_overwrite_replaces(tmp_path: Path) -> None:
    path = tmp_path / "x.bed"
    path.write_text("old")
    write_bed(path, [ROW], overwrite=True)
    assert path.read_text().startswith("chr1")


@pytest.mark.parametrize("name", ["x.tsv", "x.tsv.gz"])
def test_error_half_way_keeps_the_old_file_and_leaves_no_other(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("precious")

    def rows() -> Iterator[tuple[str]]:
        yield ("a",)
        raise RuntimeError("model failed")

    with pytest.raises(RuntimeError, match="model failed"):
        write_tsv(path, ("name",), rows(), overwrite=True)
    assert path.read_text() == "precious"
    assert only(tmp_path) == [name]


def test_file_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    with pytest.raises(GattnError, match="one that exists"), replacing(path) as handle:  # noqa: PT012 - the race is the test
        handle.write("mine")
        path.write_text("theirs")
    assert path.read_text() == "theirs"
    assert only(tmp_path) == ["x.txt"]


def test_link_is_followed(tmp_path: Path) -> None:
    target, link = tmp_path / "target.bed", tmp_path / "link.bed"
    target.write_text("old")
    link.symlink_to(target)
    write_bed(link, [ROW], overwrite=True)
    assert link.is_symlink()
    assert target.read_text().startswith("chr1")


def test_folder_and_device_are_never_replaced(tmp_path: Path) -> None:
    for path in (tmp_path, Path(os.devnull)):
        with pytest.raises(GattnError) as caught:
            write_bed(path, [ROW], overwrite=True)
        assert (
            str(caught.value)
            == f"{path}: expected a regular file, got a folder or device; choose another name"
        )


def test_missing_folder_is_named(tmp_path: Path) -> None:
    path = tmp_path / "absent" / "x.bed"
    with pytest.raises(GattnError) as caught:
        write_bed(path, [ROW])
    assert str(caught.value) == (
        f"{path}: expected a file that can be written, got: no such file or directory; "
        "check the folder, its permissions and the free space"
    )


def test_full_disk_is_named_and_keeps_the_old_file(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("/dev/full is absent: no way to make a full disk here")
    path = tmp_path / "x.txt"
    path.write_text("precious")
    with pytest.raises(GattnError) as caught, replacing(path, overwrite=True) as handle:
        raise OSError(28, "No space left on device")
    assert "got: no space left on device; check the folder" in str(caught.value)
    assert handle is not None
    assert path.read_text() == "precious"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("a",), "row 1: expected 2 values, got 1; give one for each column"),
    ],
)
def test_bad_tsv_rows_are_refused(tmp_path: Path, row: tuple[str, ...], message: str) -> None:
    path = tmp_path / "x.tsv"
    with pytest.raises(FormatError) as caught:
        write_tsv(path, ("x", "y"), [row])
    assert str(caught.value) == f"{path}, {message}"
    assert only(tmp_path) == []


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"start": -1}, CoordinateError, "expected 0 <= start < end, got -1 and 20; BED is 0-based and half-open"),
        ({"end": 10}, CoordinateError, "expected 0 <= start < end, got 10 and 10; BED is 0-based and half-open"),
        ({"score": 1001}, FormatError, "expected a whole score 0..1000, got 1001; scale it"),
        ({"score": 0.5}, FormatError, "expected a whole score 0..1000, got 0.5; scale it"),
        ({"strand": "?"}, FormatError, "expected strand + - or ., got '?'; use one of these"),
        ({"colour": "red"}, FormatError, "expected a colour #rrggbb, got 'red'; for example #1f77b4"),
        ({"colour": "#1234"}, FormatError, "expected a colour #rrggbb, got '#1234'; for example #1f77b4"),
        ({"name": ""}, FormatError, "expected a chrom and a name, got an empty one; fill it in"),
    ],
)  # fmt: skip
def test_bad_bed_rows_are_refused(
    tmp_path: Path, change: dict[str, object], error: type[GattnError], message: str
) -> None:
    path = tmp_path / "x.bed"
    with pytest.raises(error) as caught:
        write_bed(path, [ROW, ROW._replace(**change)])  # type: ignore[arg-type]
    assert str(caught.value) == f"{path}, row 2: {message}"
    assert only(tmp_path) == []
