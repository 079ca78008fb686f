# ruff: noqa: E501 - error texts stand whole, as users meet them
"""VCF: alleles one by one, and everything that is refused."""

from __future__ import annotations

import gzip
import warnings
from pathlib import Path

import pytest

from gattn_tg.errors import ConfigError, CoordinateError, FormatError, GattnError
from gattn_tg.io import Genome, Vcf
from gattn_tg.seq import Variant

HEAD = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


def row(pos: object, ref: str, alt: str, chrom: str = "chr1") -> str:
    return f"{chrom}\t{pos}\trs1\t{ref}\t{alt}\t50\tPASS\tAC=1\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.vcf"


@pytest.fixture
def genome(tmp_path: Path) -> Genome:
    (tmp_path / "g.fa.gz").write_bytes(gzip.compress(b">chr1\nACGTACGTAC\n>chr2\nGGGG\n"))
    return Genome(tmp_path / "g.fa.gz")


def test_alleles_of_a_line_come_one_by_one(path: Path, genome: Genome) -> None:
    path.write_text(HEAD + row(2, "c", "T,CA") + row(3, "GT", "G") + row(4, "G", "A", "chr2"))
    found = list(Vcf(path, genome=genome))
    assert [str(v.variant) for v in found] == ["chr1:2:C>T", "chr1:2:C>CA", "chr1:3:GT>G", "chr2:4:G>A"]
    assert [(v.allele, v.line) for v in found] == [(1, 3), (2, 3), (1, 4), (1, 5)]
    assert found[0][1:5] == ("rs1", "50", "PASS", "AC=1")


def test_packed_and_windows_files_read_alike(path: Path) -> None:
    text = (HEAD + row(2, "C", "T")).replace("\n", "\r\n").encode()
    path.write_bytes(gzip.compress(text))
    assert [v.variant for v in Vcf(path)] == [Variant("chr1", 1, "C", "T")]


def test_symbolic_alleles_are_counted_when_skipped(path: Path, genome: Genome) -> None:
    path.write_text(HEAD + row(2, "C", "<DEL>,T,*") + row(3, "G", ".") + row(4, "T", "T[chr2:5[") + row(5, "A", "A."))
    reader = Vcf(path, symbolic="skip", genome=genome)
    for _ in range(2):
        assert [str(v.variant) for v in reader] == ["chr1:2:C>T"]
        assert reader.n_checked == 4
        assert reader.skipped == {
            "symbolic allele": 1, "spanning deletion": 1, "missing allele": 1, "breakend": 1, "single breakend": 1,
        }  # fmt: skip


def test_renamed_contigs(path: Path, genome: Genome) -> None:
    path.write_text(HEAD + row(1, "A", "T", "1") + row(1, "G", "T", "2"))
    assert [v.variant.chrom for v in Vcf(path, rename={"1": "one"})] == ["one", "2"]
    assert [v.variant.chrom for v in Vcf(path, rename="auto", genome=genome)] == ["chr1", "chr2"]
    with pytest.raises(ConfigError) as caught:
        Vcf(path, rename="auto")
    assert str(caught.value) == "vcf: expected a genome to rename contigs by 'auto', got none; give the FASTA file"


def test_unsorted_files_are_read_when_asked_for(path: Path) -> None:
    path.write_text(HEAD + row(5, "C", "T") + row(2, "C", "T"))
    assert len(list(Vcf(path, sorted_only=False))) == 2


SKIP = "skip symbolic alleles, or remove the line"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ", after line 0: expected the line #CHROM POS ID REF ALT QUAL FILTER INFO, got none; was the file written fully?"),
        ("##fileformat=VCFv4.2\n", ", after line 1: expected the line #CHROM POS ID REF ALT QUAL FILTER INFO, got none; was the file written fully?"),
        ("chr1\t5\t6\n", ", line 1: expected ##fileformat=VCF, got 'chr1\\t5\\t6'; is this a VCF file?"),
        ("##fileformat=VCFv4.2\n" + row(2, "C", "T"), ", line 2: expected the line #CHROM POS ID REF ALT QUAL FILTER INFO before the variants, got 'chr1\\t2\\trs1\\tC\\tT\\t50\\tPA...'; add it"),
        ("##fileformat=VCFv4.2\n#CHROM POS\n", ", line 2: expected the columns #CHROM POS ID REF ALT QUAL FILTER INFO, separated by tabs, got '#CHROM POS'; is this a VCF file?"),
        (HEAD + "chr1\t5\t.\tA\tT\n", ", line 3: expected 8 columns, as in the header, got 5; was the file written fully?"),
        (HEAD + row(0, "C", "T"), ", line 3: expected POS, a whole number of at least 1, got '0'; VCF counts from 1"),
        (HEAD + row("1e3", "C", "T"), ", line 3: expected POS, a whole number of at least 1, got '1e3'; VCF counts from 1"),
        (HEAD + row(2, "<X>", "T"), ", line 3: expected REF of nucleotide letters, got '<X>'; correct the line"),
        (HEAD + row(2, "C", "T,"), ", line 3: expected ALT of nucleotide letters, got ''; correct the line"),
        (HEAD + row(2, "C", "C"), ", line 3: variant chr1:2:C>C: expected two different alleles, but both are the same; remove it"),
        (HEAD + row(2, "C", "<DEL>"), f", line 3: expected alternative alleles with a sequence, got the symbolic allele '<DEL>'; {SKIP}"),
        (HEAD + row(2, "C", "T,*"), f", line 3: expected alternative alleles with a sequence, got the spanning deletion '*'; {SKIP}"),
        (HEAD + row(2, "C", "."), f", line 3: expected alternative alleles with a sequence, got the missing allele '.'; {SKIP}"),
        (HEAD + row(2, "C", "C]chr2:4]"), f", line 3: expected alternative alleles with a sequence, got the breakend 'C]chr2:4]'; {SKIP}"),
        (HEAD + row(5, "A", "T") + row(3, "G", "T"), ", line 4: expected lines sorted by contig and position, got chr1:3 after chr1:5; sort the file with bcftools sort"),
        (HEAD + row(5, "A", "T") + row(1, "G", "T", "chr2") + row(6, "C", "T"), ", line 5: expected lines sorted by contig and position, got chr1:6 after chr2:1; sort the file with bcftools sort"),
        (HEAD + row(2, "G", "T"), ", line 3: variant chr1:2:G>T: the genome has C at this position; was the VCF made for another assembly?"),
        (HEAD + row(2, "G", "<DEL>"), ", line 3: variant chr1:2:G><DEL>: the genome has C at this position; was the VCF made for another assembly?"),
        (HEAD + row(11, "G", "T"), ", line 3: variant chr1:11:G>T: expected a position on chr1, which has 10 bases, but it lies outside; was the VCF made for another assembly?"),
        (HEAD + row(2, "C", "T", "1"), ", line 3: expected a contig of the genome (chr1, chr2), got '1'; it has 'chr1': rename 1=chr1, or auto for all"),
    ],
)  # fmt: skip
def test_what_is_refused(path: Path, genome: Genome, text: str, message: str) -> None:
    path.write_text(text)
    with pytest.raises(GattnError) as caught:
        list(Vcf(path, genome=genome))
    assert str(caught.value) == f"{path}{message}"
    assert type(caught.value) in (FormatError, CoordinateError)


def test_other_words_for_symbolic_are_refused(path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        Vcf(path, symbolic="drop")
    assert str(caught.value) == "vcf: expected symbolic 'refuse' or 'skip', got 'drop'; choose one"


def test_text_that_is_no_utf8_is_refused(path: Path) -> None:
    path.write_bytes(HEAD.encode() + row(2, "C", "T").encode().replace(b"rs1", b"\xff"))
    with pytest.raises(FormatError, match="line 3: expected UTF-8 text"):
        list(Vcf(path))


@pytest.fixture(scope="module")
def chr20(shared_data: Path) -> Genome:
    return Genome(shared_data / "regions" / "hg19_chr20_1000000_2000000.fa.gz")


RENAME = {"z": "chr20:1000000-2000000"}


def test_every_reference_allele_of_1000_genomes_is_in_the_genome(shared_data: Path, chr20: Genome) -> None:
    reader = Vcf(shared_data / "variants" / "hg19_chr20_1000G.vcf.gz", genome=chr20, rename=RENAME, symbolic="skip")
    found = list(reader)
    assert reader.n_checked == 28_998
    assert len({v.line for v in found}) == 28_998 - reader.skipped["symbolic allele"] == 28_974
    assert len(found) == 29_120


def test_a_planted_reference_allele_is_caught(tmp_path: Path, shared_data: Path, chr20: Genome) -> None:
    text = gzip.decompress((shared_data / "variants" / "hg19_chr20_1000G.vcf.gz").read_bytes()).splitlines(keepends=True)
    fields = text[5000].split(b"\t")
    assert (fields[1], fields[3]) == (b"175351", b"A")
    text[5000] = b"\t".join([*fields[:3], b"C", *fields[4:]])
    path = tmp_path / "planted.vcf.gz"
    path.write_bytes(gzip.compress(b"".join(text)))
    with pytest.raises(CoordinateError) as caught:
        list(Vcf(path, genome=chr20, rename=RENAME, symbolic="skip"))
    assert str(caught.value) == (
        f"{path}, line 5001: variant chr20:1000000-2000000:175351:C>G: the genome has A at this position; "
        "was the VCF made for another assembly?"
    )


def test_against_htslib(shared_data: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cyvcf2 = pytest.importorskip("cyvcf2", reason="cyvcf2 is absent (extra test, no Windows)")
    path = shared_data / "variants" / "hg19_chr20_1000G.vcf.gz"
    theirs = [(v.CHROM, v.start, v.REF, alt) for v in cyvcf2.VCF(str(path)) for alt in v.ALT if alt[0] != "<"]
    ours = [(v.variant.chrom, v.variant.start, v.variant.ref, v.variant.alt) for v in Vcf(path, symbolic="skip")]
    assert ours == theirs
