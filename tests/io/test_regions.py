# ruff: noqa: E501 - error texts stand whole, as users meet them
"""BED, narrowPeak, GTF."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from gattn_tg.errors import CoordinateError, FormatError, GattnError
from gattn_tg.io import (
    BedRecord,
    BedRow,
    Peak,
    read_bed,
    read_fasta,
    read_gtf,
    read_peaks,
    transcription_starts,
    write_bed,
)  # fmt: skip
from gattn_tg.seq import Interval, reverse_complement

SIZES = {"chr1": 100, "chrM": 9}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.txt"


def test_bed_of_any_width(path: Path) -> None:
    path.write_text("track name=x\n#c\nbrowser y\n\nchr1\t5\t9\nchr1 5 9 a\nchr1\t5\t9\ta b\t7.5\t-\t5\t9\t0,0,0\r\n")
    here = Interval("chr1", 5, 9)
    assert list(read_bed(path)) == [
        BedRecord(here, ".", 0.0, 5), BedRecord(here, "a", 0.0, 6), BedRecord(Interval("chr1", 5, 9, "-"), "a b", 7.5, 7),
    ]  # fmt: skip


def test_written_bed_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "x.bed.gz"
    write_bed(path, [BedRow("chr1", 3, 8, "cpg", 900, "+", "#ff0000")])
    assert list(read_bed(path, sizes=SIZES)) == [BedRecord(Interval("chr1", 3, 8, "+"), "cpg", 900.0, 1)]


def test_peaks_have_summits(path: Path) -> None:
    path.write_bytes(gzip.compress(b"1\t5\t9\tp\t631\t.\t11.9\t-1\t2.7\t3\nchrM\t0\t4\tq\t1\t+\t2\t3\t4\t-1\n"))
    assert list(read_peaks(path, sizes=SIZES, rename="auto")) == [
        Peak(Interval("chr1", 5, 9), "p", 631.0, 11.9, -1.0, 2.7, 8, 1),
        Peak(Interval("chrM", 0, 4, "+"), "q", 1.0, 2.0, 3.0, 4.0, None, 2),
    ]


GTF = 'chr1\tx\ttranscript\t3\t9\t.\t-\t.\tgene_id "G;1"; transcript_id "T"; exon_number 2; gene_name "N";\n'


def test_gtf_and_transcription_starts(path: Path) -> None:
    path.write_text("#!genome\n" + GTF + GTF.replace("\t-\t", "\t+\t").replace('gene_name "N"; ', "") + GTF.replace("transcript\t3", "exon\t4"))
    features = list(read_gtf(path))
    assert [f.interval for f in features] == [Interval("chr1", 2, 9, "-"), Interval("chr1", 2, 9, "+"), Interval("chr1", 3, 9, "-")]
    assert features[0][1:] == ("transcript", "G;1", "N", "T", 2)
    assert [f.interval for f in transcription_starts(features)] == [Interval("chr1", 8, 9, "-"), Interval("chr1", 2, 3, "+")]
    assert [f.kind for f in read_gtf(path, {"exon"})] == ["exon"]


def bed(path: Path) -> object:
    return list(read_bed(path, sizes=SIZES))


def peaks(path: Path) -> object:
    return list(read_peaks(path, sizes=SIZES))


def gtf(path: Path) -> object:
    return list(read_gtf(path))


PEAK = "chr1\t5\t9\tp\t631\t.\t11.9\t-1\t2.7\t"


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        (bed, "", ": expected at least one interval, got none; was the file written fully?"),
        (bed, "chr1\t5\n", ", line 1: expected at least 3 columns, got 2; was the file written fully?"),
        (bed, "chr1\t-5\t9\n", ", line 1: expected start, a whole number of at least 0, got '-5'; correct it"),
        (bed, "chr1\t5\tx\n", ", line 1: expected end, a whole number of at least 0, got 'x'; correct it"),
        (bed, "chr1\t9\t5\n", ", line 1: expected start <= end, got 9 and 5; correct the line"),
        (bed, "\t5\t9\n", ", line 1: expected the name of a contig, got an empty one; correct the line"),
        (bed, "chr1\t5\t9\ta\tx\n", ", line 1: expected score, a number, got 'x'; correct it"),
        (bed, "chr1\t5\t9\ta\t1\tx\n", ", line 1: expected strand + - or ., got 'x'; correct the line"),
        (bed, "1\t5\t9\n", ", line 1: expected a contig of the genome (chr1, chrM), got '1'; it has 'chr1': rename 1=chr1, or auto for all"),
        (bed, "chr1\t5\t101\n", ", line 1: expected an end of at most 100, the size of chr1, got 101; is this another assembly?"),
        (peaks, "chr1\t5\t9\n", ", line 1: expected at least 10 columns, got 3; was the file written fully?"),
        (peaks, PEAK + "4\n", ", line 1: expected a summit inside the peak, got offset 4 in 4 bases; the column counts from the start of the peak"),
        (peaks, PEAK.replace("11.9", "inf") + "3\n", ", line 1: expected signalValue, a number, got 'inf'; correct it"),
        (gtf, "#x\n", ": expected at least one feature, got none; was the file written fully?"),
        (gtf, "chr1\tx\n", ", line 1: expected 9 columns separated by tabs, got 2; is this a GTF file?"),
        (gtf, GTF.replace("\t3\t", "\t0\t"), ", line 1: expected 1 <= start <= end, got 0 and 9; GTF counts from 1"),
        (gtf, GTF.replace("\t-\t", "\tx\t"), ", line 1: expected a contig and strand + - or ., got 'chr1' and 'x'; correct the line"),
        (gtf, GTF.replace("gene_id", "gene"), ", line 1: expected a gene_id, got none; is this a GTF file?"),
        (gtf, "chr1\tx\texon\t3\t9\t.\t-\t.\tID=g1;Name=x\n", ", line 1: expected attributes written name \"value\";, got 'ID=g1;Name=x'; this looks like GFF3, convert it with gffread -T"),
    ],
)  # fmt: skip
def test_what_is_refused(path: Path, read: Callable[[Path], object], text: str, message: str) -> None:
    path.write_text(text)
    with pytest.raises(GattnError) as caught:
        read(path)
    assert str(caught.value) == f"{path}{message}"
    assert type(caught.value) in (FormatError, CoordinateError)


def test_yeast_genes_start_with_atg(shared_data: Path) -> None:
    """Coding sequences of the GTF, read from the genome at the converted places, begin with a start codon."""
    genome = {record.name: record.sequence for record in read_fasta(shared_data / "genomes" / "sacCer3.fa.gz")}
    starts = list(read_gtf(shared_data / "genomes" / "sacCer3.ensGene.gtf.gz", {"start_codon"}))
    codons = []
    for feature in starts:
        span = feature.interval
        codon = genome[span.chrom][span.start : span.end]
        codons.append((reverse_complement(codon) if span.strand == "-" else codon).upper())
    assert len(codons) > 6000
    assert codons.count(b"ATG") / len(codons) > 0.99


def test_real_tables(shared_data: Path) -> None:
    regions = shared_data / "regions"
    assert [len(list(read_peaks(regions / f"chipseq_{name}_hg38.narrowPeak"))) for name in ("ctcf", "znf263")] == [149, 74]
    assert [len(list(read_bed(regions / f"exons_gencode24_{name}.bed"))) for name in ("hg19", "hg38")] == [483, 939]
