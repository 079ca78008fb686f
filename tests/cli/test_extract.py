"""gattn: extract: loci as FASTA and one-hot."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from gattn_tg.cli.main import main
from gattn_tg.io import read_fasta
from gattn_tg.seq import encode, one_hot, reverse_complement

CHR1 = b"ACGTTGCAACGGTACCATTG" * 10


@pytest.fixture
def genome(tmp_path: Path) -> Path:
    (tmp_path / "g.fa.gz").write_bytes(gzip.compress(b">chr1\n" + CHR1 + b"\n"))
    return tmp_path / "g.fa.gz"


def run(*arguments: object) -> int:
    return main(["extract", *map(str, arguments)])


def test_loci_as_fasta(genome: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "x.fa.gz"
    (tmp_path / "x.bed").write_text("chr1\t5\t9\tpeak\t0\t-\n")
    loci = ["--locus", "chr1:0-130", "--locus", "chr1:3-7:-", "--bed", tmp_path / "x.bed"]
    assert run(genome, *loci, "-o", out, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"output": str(out), "n": 3, "bases": 138}
    assert [(r.name, r.description, r.sequence) for r in read_fasta(out)] == [
        ("chr1:0-130", "", CHR1[:130]),
        ("chr1:3-7:-", "", reverse_complement(CHR1[3:7])),
        ("chr1:5-9:-", "peak", reverse_complement(CHR1[5:9])),
    ]
    assert run(genome, "--locus", "1:1-4", "--one-based", "--rename", "auto", "-o", out, "--overwrite") == 0
    assert [(r.name, r.sequence) for r in read_fasta(out)] == [("chr1:0-4", CHR1[:4])]


def test_loci_as_one_hot(genome: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p.narrowPeak").write_text("z\t20\t40\tp\t1\t.\t1\t1\t1\t7\nz\t0\t9\tq\t1\t.\t1\t1\t1\t-1\n")
    out = tmp_path / "x.npz"
    assert run(genome, "--bed", tmp_path / "p.narrowPeak", "--width", 10, "--pad", "--rename", "z=chr1", "-o", out) == 0
    assert capsys.readouterr().out == f"2 intervals, 20 bases -> {out}\n"
    with np.load(out) as arrays:
        assert arrays["loci"].tolist() == ["chr1:22-32", "chr1:-1-9"]
        assert (arrays["ohe"][0] == one_hot(encode(CHR1[22:32]))).all()
        assert arrays["ohe"][1, :, 0].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("name", "more", "names"),
    [
        ("t.bed", [], ["chr1:100-200", "chr1:100-200/2"]),
        ("p.narrowPeak", [], ["chr1:100-200", "chr1:100-200/2"]),
        ("p.narrowPeak", ["--width", 20], ["chr1:110-130", "chr1:160-180"]),
    ],
)
def test_what_is_written_is_fasta_that_is_read(name: str, more: list[object], names: list[str], tmp_path: Path) -> None:
    """Places that come twice get names of their own."""
    cases = Path(__file__).resolve().parent.parent / "cases"
    (tmp_path / "g.fa.gz").write_bytes(gzip.compress((cases / "g.fa").read_bytes()))
    out = tmp_path / "x.fa"
    assert run(tmp_path / "g.fa.gz", "--bed", cases / "extract_dup" / name, *more, "-o", out) == 0
    assert [record.name for record in read_fasta(out)] == names
    assert main(["annotate", str(out), "-o", str(tmp_path / "x.out.bed")]) == 0


def test_empty_loci_are_refused_before_anything_is_written(
    genome: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "z.bed").write_text("chr1\t5\t9\nchr1\t10\t10\tz\n")
    for out in ("x.fa", "x.npz"):
        assert run(genome, "--bed", tmp_path / "z.bed", "-o", tmp_path / out) == 2
        told = f"{tmp_path}/z.bed, line 2: expected a locus of at least one base, got chr1:10-10"
        assert told in capsys.readouterr().err
        assert not (tmp_path / out).exists()
    assert run(genome, "--bed", tmp_path / "z.bed", "--width", 4, "-o", tmp_path / "x.fa") == 0


def test_peaks_whatever_their_name(genome: Path, tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("chr1\t20\t40\tq\t1\t.\t1\t1\t1\t7\n")
    for flags, place in (([], "chr1:25-35"), (["--peaks"], "chr1:22-32")):
        call = [genome, "--bed", tmp_path / "p.txt", *flags, "--width", 10, "-o", tmp_path / "x.fa", "--overwrite"]
        assert run(*call) == 0
        assert [record.name for record in read_fasta(tmp_path / "x.fa")] == [place]


def test_standard_input_is_one_input(genome: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("-", "--bed", "-", "-o", tmp_path / "x.fa") == 2
    assert "expected standard input for one input, got - for genome and bed" in capsys.readouterr().err
    assert run("-", "--locus", "chr1:0-5", "-o", tmp_path / "x.fa") == 2
    assert "because a genome is read at any place, got standard input" in capsys.readouterr().err


def test_mistakes(genome: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "x.npz"
    for arguments, text in (
        ([genome, "-o", out], "gattn: extract: expected loci, got none; add --locus or --bed"),
        ([genome, "--locus", "chr1:5", "-o", out], "chrom:start-end, got 'chr1:5'"),
        ([genome, "--locus", "chr1:0-5", "-o", tmp_path / "x.txt"], "a name that ends in .fa, .fasta"),
        ([genome, "--locus", "chr1:0-5", "-o", genome], "expected an output of its own, got the input"),
        ([genome, "--locus", "chr1:0-5", "--locus", "chr1:0-6", "-o", out], "got 5 to 6 bases; add --width"),
        ([genome, "--locus", "chr1:190-201", "-o", out], "bases 0 to 200 of chr1, but it reaches outside"),
        ([genome, "--locus", "1:0-5", "-o", out], "it has 'chr1': rename 1=chr1, or auto for all"),
        ([genome, "--locus", "1:0-5", "--rename", "1", "-o", out], "auto or NAME=NEW,..., got '1'"),
    ):
        assert run(*arguments) == 2
        said, err = capsys.readouterr()
        assert said == ""
        assert text in err
    assert not out.exists()
