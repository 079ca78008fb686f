# ruff: noqa: E501 - error texts stand whole, as users meet them
"""FASTA: what is read, and what is refused with file and line."""

from __future__ import annotations

import gzip
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gattn_tg.errors import FormatError
from gattn_tg.io import Record, read_fasta, stream_fasta

EOF = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


def bgzip(data: bytes, block: int = 40) -> bytes:
    """bgzip without htslib: gzip members with the block size in the extra field, and an empty one at the end."""
    packed = b""
    for at in range(0, len(data), block):
        member = gzip.compress(data[at : at + block], mtime=0)
        size = len(member) + 8 - 1
        extra = b"\x06\x00BC\x02\x00" + size.to_bytes(2, "little")
        packed += member[:3] + b"\x04" + member[4:8] + b"\x00\xff" + extra + member[10:]
    return packed + EOF


def records(path: Path) -> list[Record]:
    return list(read_fasta(path))


def refused(path: Path) -> str:
    with pytest.raises(FormatError) as caught:
        records(path)
    return str(caught.value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.fa"


def test_name_description_and_sequence(path: Path) -> None:
    path.write_text(">chr1 first  one\nACGT\nac\n>chr2\tsecond\nNN\n>chr3\nA")
    assert records(path) == [
        Record("chr1", "first  one", b"ACGTac"),
        Record("chr2", "second", b"NN"),
        Record("chr3", "", b"A"),
    ]


def test_a_record_takes_text_as_letters() -> None:
    want = Record("chr1", "first", b"ACGTac")
    assert want == Record("chr1", "first", "ACGTac") == ("chr1", "first", b"ACGTac")
    assert Record("a", "ACGT") == Record("a", b"ACGT") == Record(name="a", description="", sequence="ACGT")
    assert (Record("a", "ACGT").description, Record("a", "ACGT").sequence) == ("", b"ACGT")
    assert pickle.loads(pickle.dumps(want)) == want == want._replace(name="chr1")
    with pytest.raises(FormatError, match="record 'a': expected nucleotide letters, got 'É'; correct it"):
        Record("a", "ACÉT")


@pytest.mark.parametrize(
    "text",
    [
        b">a b\r\nACGT\r\nAC\r\n>c\r\nGG\r\n",
        b"\n>a b\nACGT\n\nAC\n\n\n>c\nGG\n\n",
        b">a b  \nACGT \nAC\t\n>c\nGG",
        b"\xef\xbb\xbf>a b\nACGTAC\n>c\nGG\n",
        b">  a b\nA\nC\nG\nT\nA\nC\n>c\nG\nG\n",
    ],
    ids=["windows", "empty-lines", "blanks", "byte-order-mark", "one-base-a-line"],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress, bgzip], ids=["plain", "gzip", "bgzip"])
def test_layouts_and_compressions_read_alike(path: Path, text: bytes, pack: object) -> None:
    path.write_bytes(pack(text))  # type: ignore[operator]
    assert records(path) == [Record("a", "b", b"ACGTAC"), Record("c", "", b"GG")]


def test_several_gzip_members_are_one_file(path: Path) -> None:
    path.write_bytes(gzip.compress(b">a\nAC") + gzip.compress(b"GT\n>b\nT\n"))
    assert records(path) == [Record("a", "", b"ACGT"), Record("b", "", b"T")]


@given(
    st.lists(st.text(alphabet="ACGTNacgtnRYKM", min_size=1, max_size=90), min_size=1, max_size=5),
    st.integers(1, 70),
)
def test_wrapping_does_not_matter(sequences: list[str], width: int) -> None:
    import tempfile

    text = ""
    for k, sequence in enumerate(sequences):
        text += f">s{k}\n" + "".join(
            sequence[at : at + width] + "\n" for at in range(0, len(sequence), width)
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.fa"
        path.write_text(text)
        assert [record.sequence.decode() for record in read_fasta(str(path))] == sequences


LETTERS = "expected nucleotide letters (A C G T U N and the IUPAC ambiguity letters)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", ": expected at least one record, got an empty file; was it written fully?"),
        (b"\n\n", ": expected at least one record, got an empty file; was it written fully?"),
        (b"\nACGT\n", ", line 2: expected a header that begins with '>', got 'ACGT'; is this a FASTA file?"),
        (b"A" * 30, ", line 1: expected a header that begins with '>', got 'AAAAAAAAAAAAAAAAAAAA...'; is this a FASTA file?"),
        (b"@r1\nACGT\n+\nIIII\n", ", line 1: expected a header that begins with '>', got '@r1'; this looks like FASTQ, convert it first"),
        (b">a\nAC\n> \nGT\n", ", line 3: expected a name after '>', got an empty header; name the record"),
        (b">a x\nAC\n>b\nGT\n>a y\nA\n", ", line 5: expected a name of its own for each record, but 'a' also stands in line 1; rename or remove one"),
        (b">a\n>b\nAC\n", ", line 1: expected a sequence after the header, but 'a' has none; was the file written fully?"),
        (b">a\nAC\n>b\n", ", line 3: expected a sequence after the header, but 'b' has none; was the file written fully?"),
        (b">a\nACGT\nACEGT\n", f", line 3, column 3: {LETTERS}, got 'E'; is this a nucleotide sequence?"),
        (b">a\nAC-GT\n", f", line 2, column 3: {LETTERS}, got '-'; remove the alignment gaps"),
        (b">a\nAC GT\n", f", line 2, column 3: {LETTERS}, got ' '; is this a nucleotide sequence?"),
        (b">a\rACGT\r>b\rGG\r", ", line 1: expected a sequence after the header, but 'a' has none; was the file written fully?"),
        (b"PK\x03\x04....", ": expected plain or gzip text, got a zip archive (or a spreadsheet); convert it first"),
        (b"\xff\xfe>\x00a\x00", ": expected plain or gzip text, got UTF-16 text; convert it first"),
    ],
)  # fmt: skip
def test_malformed_files_are_refused(path: Path, text: bytes, message: str) -> None:
    path.write_bytes(text)
    assert refused(path) == f"{path}{message}"


def test_records_before_the_fault_are_read(path: Path) -> None:
    path.write_text(">a\nACGT\n>b\nAC*\n")
    reader = read_fasta(path)
    assert next(reader).name == "a"
    with pytest.raises(FormatError, match=r"line 4, column 3: .* got '\*'"):
        next(reader)


def test_cut_gzip_is_refused(path: Path) -> None:
    packed = gzip.compress(b"".join(b">s%d\nACGTTGCAAC\n" % k for k in range(500)))
    path.write_bytes(packed[: len(packed) // 2])
    message = refused(path)
    assert message.startswith(f"{path}, after line ")
    assert message.endswith(
        ": expected a complete gzip stream, but it ends early; fetch or compress the file again"
    )
    assert int(message.split("after line ")[1].split(":")[0]) > 100


def test_damaged_gzip_is_refused(path: Path) -> None:
    packed = bytearray(gzip.compress(b">a\n" + b"ACGT" * 500, mtime=0))
    packed[-6] ^= 1  # the checksum
    path.write_bytes(packed)
    message = refused(path)
    assert message.startswith(
        f"{path}, after line 1: expected an undamaged gzip stream, got CRC check failed"
    )
    assert message.endswith("; fetch or compress the file again")


def test_bgzip_cut_between_blocks_is_refused(path: Path) -> None:
    path.write_bytes(bgzip(b">a\n" + b"ACGT" * 40)[: -len(EOF)])
    assert refused(path) == (
        f"{path}: expected a bgzip file with its end-of-file block, but that block is missing, "
        "so the file is probably cut; fetch or compress it again"
    )


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    absent = tmp_path / "absent.fa"
    assert (
        refused(absent)
        == f"{absent}: expected a readable file, got: no such file or directory; check the path"
    )
    assert (
        refused(tmp_path)
        == f"{tmp_path}: expected a readable file, got: is a directory; check the path"
    )


def test_real_file(shared_data: Path) -> None:
    (record,) = records(shared_data / "genomes" / "lambda_NC_001416.fa.gz")
    assert len(record.sequence) == 48502
    assert record.sequence[:12].upper() == b"GGGCGGCGACCT"  # the left cohesive end


@pytest.mark.parametrize("size", [1, 3, 4, 1000])
def test_blocks_are_the_records_in_parts(path: Path, size: int) -> None:
    path.write_text(">a x y\nACGT\nac\n>b\nNN\n\nGGG\n>c\nA\n")
    blocks = list(stream_fasta(path, size))
    for record in read_fasta(path):
        mine = [block for block in blocks if block.name == record.name]
        assert b"".join(block.sequence for block in mine) == record.sequence
        assert [block.start for block in mine] == [sum(len(b.sequence) for b in mine[:k]) for k in range(len(mine))]
        assert {block.description for block in mine} == {record.description}
    assert [block.name for block in blocks if block.start == 0] == ["a", "b", "c"]
