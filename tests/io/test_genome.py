# ruff: noqa: E501 - error texts stand whole, as users meet them
"""Genomes at any place: plain, gzip and bgzip give the same letters."""

from __future__ import annotations

import gzip
import os
import sys
import time
from pathlib import Path

import pytest

from gattn_tg.errors import ConfigError, CoordinateError, FormatError, GattnError, MissingExtraError
from gattn_tg.io import ContigNames, Genome
from gattn_tg.io.contigs import other_style
from gattn_tg.seq import Interval, reverse_complement

pytest.importorskip("pyfaidx", reason="pyfaidx is absent (extra genomics)")

CHR1 = b"ACGTTGCAAN" * 7 + b"acg"
TEXT = b">chr1 first\n" + b"".join(CHR1[at : at + 20] + b"\n" for at in range(0, len(CHR1), 20)) + b">chrM\nGGGG\n"


def write(path: Path, packing: str, text: bytes = TEXT) -> Path:
    if packing == "bgzip":
        bgzf = pytest.importorskip("Bio.bgzf", reason="Biopython is absent (extra genomics)")
        with bgzf.BgzfWriter(str(path.with_suffix(".fa.gz")), "wb") as out:
            out.write(text)
        return path.with_suffix(".fa.gz")
    path = path.with_suffix(".fa.gz") if packing == "gzip" else path
    path.write_bytes(gzip.compress(text) if packing == "gzip" else text)
    return path


@pytest.mark.parametrize("packing", ["plain", "gzip", "bgzip"])
def test_every_place_of_every_packing(tmp_path: Path, packing: str) -> None:
    with Genome(write(tmp_path / "g.fa", packing)) as genome:
        assert genome.sizes == {"chr1": 73, "chrM": 4}
        for start, end in [(0, 73), (0, 0), (19, 21), (72, 73), (40, 40), (73, 73)]:
            assert genome.fetch(Interval("chr1", start, end)) == CHR1[start:end]
        assert genome.fetch(Interval("chr1", 3, 30, "-")) == reverse_complement(CHR1[3:30])
        assert genome.padded(Interval("chrM", -2, 6)) == b"NNGGGGNN"
        assert genome.padded(Interval("chrM", -5, -1)) == genome.padded(Interval("chrM", 9, 13)) == b"NNNN"


@pytest.mark.parametrize("interval", [Interval("chrM", -1, 2), Interval("chrM", 2, 5), Interval("chrM", 7, 9)])
def test_places_outside_are_refused(tmp_path: Path, interval: Interval) -> None:
    with Genome(write(tmp_path / "g.fa", "plain")) as genome, pytest.raises(CoordinateError) as caught:
        genome.fetch(interval)
    assert str(caught.value) == (
        f"interval {interval}: expected bases 0 to 4 of chrM, but it reaches outside; "
        "resize it, pad it, or is this another assembly?"
    )


def test_names_of_another_style(tmp_path: Path) -> None:
    path = write(tmp_path / "g.fa", "plain")
    with Genome(path) as genome, pytest.raises(CoordinateError) as caught:
        genome.fetch(Interval("1", 0, 4))
    assert str(caught.value) == (
        "interval 1:0-4: expected a contig of the genome (chr1, chrM), got '1'; it has 'chr1': rename 1=chr1, or auto for all"
    )
    with Genome(path, rename="auto") as genome:
        assert genome.fetch(Interval("1", 0, 4)) == b"ACGT"
        assert genome.fetch(Interval("MT", 0, 4)) == b"GGGG"
        assert genome.renamed(Interval("MT", 0, 4)) == Interval("chrM", 0, 4)
    with Genome(path, rename={"x": "chr1"}) as genome:
        assert genome.fetch(Interval("x", 0, 4)) == b"ACGT"


def test_contig_names() -> None:
    names = ContigNames([f"{k}" for k in range(1, 9)])
    with pytest.raises(CoordinateError) as caught:
        names.resolve("scaffold_9", "x.bed, line 3")
    assert str(caught.value) == (
        "x.bed, line 3: expected a contig of the genome (1, 2, 3, 4, 5 and 3 more), got 'scaffold_9'; rename the contig, or is this another assembly?"
    )
    with pytest.raises(CoordinateError) as caught:
        ContigNames(["chr16:100-900"]).resolve("chr16", "x.vcf, line 3")
    assert str(caught.value) == (
        "x.vcf, line 3: expected a contig of the genome (chr16:100-900), got 'chr16'; this genome is a stretch of it: use the name chr16:100-900 and count places from its first base; read such names as regions, where there is a choice; or give the whole contig"
    )
    with pytest.raises(ConfigError) as config:
        ContigNames(["a"], {"b": "c"})
    assert str(config.value) == "contig names: expected a contig of the genome as new name of 'b', got 'c'; the genome has a"
    with pytest.raises(ConfigError) as config:
        ContigNames(["a"], "chr")
    assert str(config.value) == "contig names: expected a table of names, 'auto' or None, got 'chr'; write 22=chr22 for each name, or auto"
    assert other_style("chr22", {"22", "x"}) == "22"
    assert other_style("MT", {"chrM"}) == "chrM"
    assert other_style("22", {"22"}) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b">a\nACGT\nACGTA\nACGT\n", ": expected FASTA with lines of equal length for random access, got: Line length of fasta file is not consistent! Inconsistent line found in >a at line 3.; rewrap the file, and delete its .fai if there is one"),
        (b"", ": expected FASTA with lines of equal length for random access, got: The FASTA file PATH does not contain a valid sequence. Check that sequence definition lines start with '>'.; rewrap the file, and delete its .fai if there is one"),
        (b">a\n>b\nAC\n", ": expected at least one record with a sequence, got an empty one; is this a FASTA file?"),
        (b">a\nACQT\n", ", a:0-4, column 3: expected nucleotide letters (A C G T U N and the IUPAC ambiguity letters), got 'Q'; is this a nucleotide sequence?"),
    ],
)  # fmt: skip
def test_files_that_are_refused(tmp_path: Path, text: bytes, message: str) -> None:
    path = write(tmp_path / "g.fa", "plain", text)
    with pytest.raises(FormatError) as caught, Genome(path) as genome:
        genome.fetch(Interval("a", 0, 4))
    assert str(caught.value) == f"{path}{message.replace('PATH', str(path))}"


def test_an_index_of_another_file_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "g.fa", "plain")
    (tmp_path / "g.fa.fai").write_text("chr1\t500\t12\t20\t21\n")
    with pytest.raises(FormatError, match=r"delete"), Genome(path) as genome:
        genome.fetch(Interval("chr1", 200, 220))


def test_an_index_that_cannot_be_written(tmp_path: Path) -> None:
    path = write(tmp_path / "g.fa", "plain")
    with pytest.raises(GattnError) as caught:
        Genome(path, index=tmp_path / "absent" / "g.fai")
    assert str(caught.value) == (
        f"{path}: expected an index, but {tmp_path}/absent/g.fai cannot be written; say where with index=, or make it "
        "with samtools faidx"
    )
    with Genome(path, index=tmp_path / "other.fai") as genome:
        assert genome.sizes == {"chr1": 73, "chrM": 4}
    assert not (tmp_path / "g.fa.fai").exists()


def test_cut_bgzip_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "g.fa", "bgzip")
    path.write_bytes(path.read_bytes()[:-28])
    with pytest.raises(FormatError, match=r"end-of-file block, but that block is missing"):
        Genome(path)


def test_large_gzip_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gattn_tg.io.genome.MAX_GZIP_BYTES", 1 << 5)
    path = write(tmp_path / "g.fa", "gzip")
    with pytest.raises(FormatError) as caught:
        Genome(path)
    assert str(caught.value) == (
        f"{path}: expected a plain or bgzip file for random access, got gzip of more than 0 MB; run: gunzip, then bgzip"
    )


def test_missing_files_and_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FormatError, match="no such file or directory; check the path"):
        Genome(tmp_path / "absent.fa")
    path = write(tmp_path / "g.fa", "plain")
    monkeypatch.setitem(sys.modules, "pyfaidx", None)
    with pytest.raises(MissingExtraError) as caught:
        Genome(path)
    assert str(caught.value) == (
        "io.genome: expected pyfaidx to read a FASTA file at any place, but it is not installed; "
        'pip install "gattn_tg[genomics]"'
    )


def every_base(path: Path) -> list[bytes]:
    with Genome(path) as genome:
        return [genome.fetch(Interval(chrom, 0, size)) for chrom, size in genome.sizes.items()]


@pytest.mark.parametrize("packing", ["plain", "bgzip"])
@pytest.mark.parametrize("change", ["header", "moved", "rewrapped", "longer", "more", "renamed"])
def test_an_index_of_another_file_gives_no_bases_whatever_its_date(tmp_path: Path, packing: str, change: str) -> None:
    path = write(tmp_path / "g.fa", packing)
    with Genome(path) as genome:
        assert genome.fetch(Interval("chrM", 0, 4)) == b"GGGG"
    later = time.time() + 100
    for index in tmp_path.glob("g.fa*i"):
        os.utime(index, (later, later))
    first, second = TEXT.split(b">chrM\n")
    text = {
        "header": first.replace(b"first", b"first patched") + b">chrM\n" + second,
        "moved": b">chrM\n" + second + first,
        "rewrapped": first.replace(b"\n", b"").replace(b"first", b"first\n") + b"\n\n\n\n>chrM\n" + second,
        "longer": first[:-1] + b"AA\n>chrM\n" + second,
        "more": TEXT + b">new\nACGT\n",
        "renamed": TEXT.replace(b">chrM", b">chrN"),
    }[change]
    write(tmp_path / "g.fa", packing, text)
    with pytest.raises(FormatError, match=r"index"):
        every_base(path)


def test_a_replaced_genome_of_equal_sizes_is_noticed(tmp_path: Path) -> None:
    """The replaced file of a report: the same names and sizes, only its headers are longer."""
    new = (Path(__file__).resolve().parent.parent / "cases" / "stale_fai" / "new.fa").read_bytes()
    path = tmp_path / "g.fa"
    path.write_bytes(new.replace(b" patched", b""))
    with Genome(path) as genome:
        assert genome.fetch(Interval("chr1", 20, 40)) == b"GCTTGCTCGATTTGATCGAT"
    path.write_bytes(new)
    os.utime(path, (1, 1))
    with pytest.raises(FormatError) as caught, Genome(path) as genome:
        genome.fetch(Interval("chr1", 20, 40))
    assert str(caught.value) == (
        f"{path}: expected the index of this file, got one that does not fit (chr2 does not begin at byte 256); "
        f"delete {path}.fai, or rewrap the file"
    )
    with Genome(path, index=tmp_path / "new.fai") as genome:
        assert genome.fetch(Interval("chr1", 20, 40)) == b"GCTTGCTCGATTTGATCGAT"


def test_a_small_gzip_file_of_many_bases_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gattn_tg.io.genome.MAX_GZIP_BP", 70)
    with pytest.raises(FormatError, match="got gzip of more than 70 bases; run: gunzip, then bgzip"):
        Genome(write(tmp_path / "g.fa", "gzip"))


def test_a_window_beyond_any_chromosome_is_refused(tmp_path: Path) -> None:
    with Genome(write(tmp_path / "g.fa", "gzip")) as genome, pytest.raises(CoordinateError, match="expected at most"):
        genome.padded(Interval("chr1", 0, 10**12))
