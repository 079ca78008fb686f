"""Inputs are opened once and read in pieces: pipes lose nothing, and memory does not follow the length of a line."""

from __future__ import annotations

import csv
import gzip
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from gattn_tg.errors import CoordinateError, FormatError
from gattn_tg.io import (
    BigWig,
    Genome,
    Vcf,
    read_bed,
    read_fasta,
    read_gtf,
    read_labelled,
    read_matrices,
    read_peaks,
    stream_fasta,
)
from gattn_tg.io.source import BGZF_EOF, Source
from gattn_tg.score.sequences import read
from gattn_tg.seq import Interval, Variant

pytest.importorskip("resource", reason="no named pipes and no limit on memory on this system")

ROOT = Path(__file__).resolve().parent.parent.parent
MANY = 3000  # lines: more than any buffer holds
PEAK = "chr1\t{}\t{}\tp\t631\t.\t11.9\t-1\t2.7\t3\n"
GTF = 'chr1\tx\texon\t{}\t{}\t.\t+\t.\tgene_id "G"; transcript_id "T";\n'
VCF = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
READERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "fasta": (lambda path: list(read_fasta(path)), "".join(f">s{k}\nACGTTGCA\n" for k in range(MANY))),
    "bed": (lambda path: list(read_bed(path)), "".join(f"chr1\t{k}\t{k + 9}\n" for k in range(MANY))),
    "peaks": (lambda path: list(read_peaks(path)), "".join(PEAK.format(k, k + 9) for k in range(MANY))),
    "gtf": (lambda path: list(read_gtf(path)), "".join(GTF.format(k + 1, k + 9) for k in range(MANY))),
    "table": (lambda path: read_labelled(path).sequences, "sequence,label\n" + "ACGTTGCA,1\n" * MANY),
    "vcf": (lambda path: list(Vcf(path)), VCF + "".join(f"c\t{k + 1}\t.\tA\tC\t.\t.\t.\n" for k in range(MANY))),
    "sequences of a table": (lambda path: list(read(path)), "sequence\n" + "ACGTTGCA\n" * MANY),
    "sequences of FASTA": (lambda path: list(read(path)), "\n\n" + "".join(f">s{k}\nACGTTGCA\n" for k in range(MANY))),
    "matrices": (lambda path: list(read_matrices(path)), ">a b\nA [ 4 19 ]\nC [16  0 ]\nG [ 0 1 ]\nT [ 0 0 ]\n"),
}


def fed(path: Path, data: bytes) -> threading.Thread:
    """Something that writes into a pipe, the first bytes alone."""

    def write() -> None:
        with path.open("wb", buffering=0) as file:
            file.write(data[:1])
            rest = memoryview(data)[1:]
            while rest:
                rest = rest[file.write(rest) :]

    os.mkfifo(path)
    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("name", READERS)
def test_a_pipe_gives_what_the_file_gives(name: str, pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    reader, text = READERS[name]
    (tmp_path / "file").write_bytes(text.encode())
    writer = fed(tmp_path / "pipe", pack(text.encode()))
    found = reader(tmp_path / "pipe")
    writer.join(10)
    assert not writer.is_alive()
    assert found == reader(tmp_path / "file")


@pytest.mark.parametrize("name", ["fasta", "bed", "table", "sequences of a table"])
def test_a_minus_is_standard_input(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, text = READERS[name]
    path = tmp_path / "file"
    path.write_text(text)
    with path.open("rb") as file:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(fileno=file.fileno))
        assert reader(Path("-")) == reader(path)


def test_a_bgzip_pipe_without_its_last_block_is_refused(tmp_path: Path) -> None:
    block = gzip.compress(b">a\nACGT\n", mtime=0)
    packed = block[:3] + b"\x04" + block[4:10] + b"\x06\x00BC\x02\x00\x00\x00" + block[10:]
    fed(tmp_path / "cut", packed)
    with pytest.raises(FormatError, match="that block is missing"):
        list(read_fasta(tmp_path / "cut"))
    fed(tmp_path / "whole", packed + BGZF_EOF)
    assert [record.sequence for record in read_fasta(tmp_path / "whole")] == [b"ACGT"]


def test_what_is_read_at_any_place_must_be_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, kind in ((tmp_path / "pipe", "a pipe"), (Path("-"), "standard input"), (tmp_path, "a folder")):
        with pytest.raises(FormatError) as caught:
            Genome(path)
        assert str(caught.value) == (
            f"{path}: expected a regular file, because a genome is read at any place, got {kind}; "
            "write it to a file first"
        )
    pytest.importorskip("pybigtools", reason="pybigtools is absent (extra genomics)")
    with pytest.raises(FormatError, match="because a BigWig file is read at any place, got a pipe"):
        BigWig(tmp_path / "pipe")


def test_a_pipe_of_variants_is_read_once(tmp_path: Path) -> None:
    fed(tmp_path / "pipe", (VCF + "c\t1\t.\tA\tC\t.\t.\t.\n").encode())
    reader = Vcf(tmp_path / "pipe")
    assert len(list(reader)) == 1
    with pytest.raises(FormatError, match="expected a file that can be read again, got a pipe"):
        list(reader)


def test_the_first_byte_is_looked_at_and_left(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xef\xbb\xbf\n \n  >a\n")
    with Source(tmp_path / "x") as source:
        assert source.first() == source.first() == b">"
        assert [piece for _, _, piece in source.pieces(4)] == [b"\n", b" \n", b"  >a", b"\n"]
    (tmp_path / "x").write_bytes(b"\n\n")
    with Source(tmp_path / "x") as source:
        assert source.first() == b""


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"  \n"])
def test_a_line_of_any_length_comes_in_blocks(tmp_path: Path, line_end: bytes) -> None:
    sequence = b"ACGTTGCAAC" * 30_000
    (tmp_path / "x.fa").write_bytes(b">a\n" + sequence + line_end + b">b\nAC" + line_end)
    blocks = list(stream_fasta(tmp_path / "x.fa", 100_000))
    assert max(len(block.sequence) for block in blocks) <= 100_000
    assert b"".join(block.sequence for block in blocks if block.name == "a") == sequence
    assert [record.sequence for record in read_fasta(tmp_path / "x.fa")] == [sequence, b"AC"]


@pytest.mark.parametrize("at", [65_534, 65_535, 65_536, 65_537, 131_071])
@pytest.mark.parametrize("wrong", [b"*", b" ", b">", b"\r"])
def test_a_fault_in_a_long_line_is_told_by_its_column(tmp_path: Path, at: int, wrong: bytes) -> None:
    (tmp_path / "x.fa").write_bytes(b">a\n" + b"A" * at + wrong + b"A" * 70_000 + b"\n")
    with pytest.raises(FormatError, match=rf"line 2, column {at + 1}: expected nucleotide letters"):
        list(stream_fasta(tmp_path / "x.fa", 1))


def test_records_longer_than_wanted_are_refused_before_they_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.fa.gz").write_bytes(gzip.compress(b">a\nACGT\n>b\n" + b"N" * 10**7))
    reader = read_fasta(tmp_path / "x.fa.gz", most_bp=50)
    assert next(reader).sequence == b"ACGT"
    with pytest.raises(FormatError, match="expected sequences of at most 50 bases, got a longer one, 'b'"):
        next(reader)


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]), int(sys.argv[2])))
from gattn_tg.io import stream_fasta
print(sum(len(block.sequence) for block in stream_fasta(sys.argv[1])))
"""


def test_a_small_file_of_a_very_long_line_needs_little_memory(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "n.fa.gz", "wb", 1) as file:
        file.write(b">n\n")
        for _ in range(40):
            file.write(b"N" * 10**7)
    call = [sys.executable, "-c", LIMITED, str(tmp_path / "n.fa.gz"), str(1 << 30)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(call, capture_output=True, text=True, env=environment, timeout=120)
    assert done.stdout == "400000000\n", done.stderr


def test_fields_of_any_length(tmp_path: Path) -> None:
    long = "ACGT" * 50_000  # above the 131,072 characters that Python's csv takes at first
    for text in (f"sequence,label\n{long},1\nAC,0\n", f'sequence\tlabel\n"{long}"\t1\nAC\t0\n'):
        (tmp_path / "x.csv").write_text(text)
        csv.field_size_limit(131_072)
        assert [len(sequence) for sequence in read_labelled(tmp_path / "x.csv").sequences] == [200_000, 2]


def test_names_of_a_table_are_those_of_its_predictions(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("Name,sequence\nfirst,AC\n,GT\nfirst,GG\n")
    assert [(record.name, record.sequence) for record in read(tmp_path / "x.csv")] == [
        ("first", b"AC"), ("row_2", b"GT"), ("first", b"GG"),
    ]  # fmt: skip
    (tmp_path / "x.csv").write_text("sequence\nAC\n")
    assert [record.name for record in read(tmp_path / "x.csv")] == ["row_1"]


def test_many_alternatives_of_a_long_reference_are_read_at_once(tmp_path: Path) -> None:
    ref, n = "ACGTTGCAAC" * 50_000, 2_000
    alts = ",".join("A" + "G" * (1 + k % 7) for k in range(n))
    (tmp_path / "x.vcf").write_text(f"{VCF}c\t1\t.\t{ref}\t{alts}\t.\t.\t.\n")
    found = [variant.variant for variant in Vcf(tmp_path / "x.vcf")]
    assert len(found) == n
    assert {variant.kind for variant in found} == {"indel"}
    assert all(variant.ref is found[0].ref for variant in found)  # one text for all of them
    assert Variant("c", 0, "AC" * 10, "AC").shown == "c:1:ACACACACACACACACACAC>AC"
    assert len(Variant("c", 0, ref, "A").shown) < 100


def test_places_of_too_many_digits_are_refused(tmp_path: Path) -> None:
    for text in ("chr1:0-" + "9" * 13, "chr1:" + "1" * 5000 + "-" + "2" * 5000):
        with pytest.raises(CoordinateError, match="chrom:start-end"):
            Interval.parse(text)
    with pytest.raises(FormatError, match="chrom:pos:ref>alt"):
        Variant.parse("chr1:" + "1" * 5000 + ":A>C")
