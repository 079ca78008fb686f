# ruff: noqa: E501 - error texts stand whole, as users meet them
"""Labelled tables: what is read, and what is refused with file and line."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from gattn_tg.errors import FormatError
from gattn_tg.io import LabelledTable, read_labelled

LETTERS = "expected nucleotide letters (A C G T U N and the IUPAC ambiguity letters)"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.csv"


def read(path: Path, text: bytes, **columns: str | None) -> LabelledTable:
    path.write_bytes(text)
    return read_labelled(path, **columns)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        b"sequence,label\nACGT,yes\nac,no\nNN,yes\n",
        b"sequence,label\r\nACGT,yes\r\nac,no\r\nNN,yes\r\n",
        b"\xef\xbb\xbfsequence,label\nACGT,yes\nac,no\nNN,yes",
        b"label\tid\tSequence\nyes\t1\tACGT\nno\t2\tac\nyes\t3\tNN\n",
        b'"sequence";"label"\n"ACGT";"yes"\n"ac";"no"\n"NN";"yes"\n',
        b"\nsequence, label \nACGT, yes\n\nac,no\n , \nNN,yes\n\n",
        gzip.compress(b"sequence,label\nACGT,yes\nac,no\nNN,yes\n"),
    ],
    ids=["plain", "windows", "byte-order-mark", "tabs", "semicolons-quotes", "blanks", "gzip"],
)
def test_layouts_read_alike(path: Path, text: bytes) -> None:
    table = read(path, text)
    assert table.sequences == (b"ACGT", b"ac", b"NN")
    assert table.label_names == ("no", "yes")
    assert table.labels is not None
    assert table.labels.dtype == np.int32
    assert table.labels.tolist() == [1, 0, 1]
    assert (table.path, table.names, len(table)) == (path, None, 3)


def test_whole_numbers_are_ordered_as_numbers(path: Path) -> None:
    assert read(path, b"sequence,label\nA,10\nA,9\nA,-1\n").label_names == ("-1", "9", "10")
    assert read(path, b"sequence,label\nA,10\nA,9\nA,x\n").label_names == ("10", "9", "x")


def test_other_columns_by_name(path: Path) -> None:
    text = b"Peak,DNA,bound,note\np1,AC,1,\np2,GT,0,x\n"
    table = read(path, text, sequence="dna", label="bound", name="peak")
    assert (table.sequences, table.label_names, table.names) == ((b"AC", b"GT"), ("0", "1"), ("p1", "p2"))


def test_without_labels(path: Path) -> None:
    table = read(path, b"sequence\nACGT\nGG\n", label=None)
    assert (table.sequences, table.labels, table.label_names) == ((b"ACGT", b"GG"), None, ())


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        (b"", {}, ": expected a header line, got an empty file; was it written fully?"),
        (b"\n\n", {}, ": expected a header line, got an empty file; was it written fully?"),
        (b"sequence,label\n", {}, ": expected at least one row after the header, got none; was it written fully?"),
        (b"ACGTACGTAC,1\nGGGTACGTAC,0\n", {}, ", line 1: expected a header with 'sequence' and 'label', got a row of data; add the line sequence,label"),
        (b"seq,label\nACGT,1\n", {}, ", line 1: expected a column 'sequence', got 'seq', 'label'; rename the column or say which one to read"),
        (b"hello world\nwhat is this\n", {}, ", line 1: expected FASTA, or a table with a column 'sequence', got 'hello world'; check the file, or rename its column"),
        (b"sequence,y\nACGT,1\n", {}, ", line 1: expected a column 'label', got 'sequence', 'y'; rename the column or say which one to read"),
        (b"sequence,label,Label\nACGT,1,1\n", {}, ", line 1: expected one column 'label', got 2; rename one"),
        (b"sequence,label\nACGT,1\nACGT\n", {}, ", line 3: expected 2 columns, as in the header, got 1; complete or quote the row"),
        (b"sequence,label\nACGT,1,2\n", {}, ", line 2: expected 2 columns, as in the header, got 3; complete or quote the row"),
        (b"sequence,label\nACGT,1\n,1\n", {}, ", line 3: expected a sequence, got an empty one; fill in or remove the row"),
        (b"sequence,label\n\nACGT, \n", {}, ", line 3: expected a label, got an empty one; fill in or remove the row"),
        (b"sequence,label\nACGT,1\nACGEF,1\n", {}, f", line 3, sequence, column 4: {LETTERS}, got 'E'; is this a nucleotide sequence?"),
        (b"sequence,label\nAC-T,1\n", {}, f", line 2, sequence, column 3: {LETTERS}, got '-'; remove the alignment gaps"),
        (b'sequence,label\n"ACGT,1\nACGT,0\n', {}, ", line 3: expected rows of quoted or plain fields, got: unexpected end of data; check the quotes"),
        (b"sequence,label\nACGT,\xe9t\xe9\n", {}, ", line 2: expected UTF-8 text, got byte 0xe9; save the table as UTF-8"),
        (b"id,sequence,label\na,AC,1\nb,AC,1\na,GG,0\n", {"name": "id"}, ", line 4: expected an id of its own for each row, but 'a' also stands in line 2; rename or remove one"),
        (b"\xfd7zXZ\x00....", {}, ": expected plain or gzip text, got an xz file; convert it first"),
    ],
)  # fmt: skip
def test_malformed_tables_are_refused(path: Path, text: bytes, columns: dict[str, str], message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read(path, text, **columns)
    assert str(caught.value) == f"{path}{message}"


def test_line_numbers_count_lines_inside_quotes(path: Path) -> None:
    with pytest.raises(FormatError, match="line 4, sequence, column 1"):
        read(path, b'sequence,label,note\nACGT,1,"two\nlines"\nXX,0,\n')


def test_cut_gzip_is_refused(path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = "".join("".join(rng.choice(list("ACGT"), 60)) + ",1\n" for _ in range(400))
    packed = gzip.compress(f"sequence,label\n{rows}".encode())
    with pytest.raises(FormatError) as caught:
        read(path, packed[:-2000])
    assert "a complete gzip stream, but it ends early" in str(caught.value)


def test_missing_file_is_refused(path: Path) -> None:
    with pytest.raises(FormatError) as caught:
        read_labelled(path)
    assert (
        str(caught.value)
        == f"{path}: expected a readable file, got: no such file or directory; check the path"
    )


def test_real_table(shared_data: Path) -> None:
    table = read_labelled(shared_data / "labelled" / "splice400.csv.gz")
    assert table.labels is not None
    assert np.bincount(table.labels).tolist() == [990, 979, 2573]
    assert {len(sequence) for sequence in table.sequences} == {400}
