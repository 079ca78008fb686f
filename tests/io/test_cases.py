"""Small files made after public bug reports, each with what is right: the values, or the place of the fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from gattn_tg.errors import FormatError, GattnError
from gattn_tg.io import (
    Genome,
    Vcf,
    read_bed,
    read_fasta,
    read_gtf,
    read_labelled,
    read_peaks,
    transcription_starts,
)
from gattn_tg.seq import Interval

CASES = Path(__file__).resolve().parent.parent / "cases"
SIZES = {"chr1": 9000, "track1": 100}

BED: dict[str, list[tuple[str, str]] | str] = {
    "bed12.bed": [("chr1:10-100:-", "n")],
    "bedgraph.bed": [("chr1:10-20", "0.5")],
    "blank.bed": [("chr1:10-20", ".")],
    "crlf.bed": [("chr1:10-20", "."), ("chr1:30-40", ".")],
    "dotstrand.bed": [("chr1:10-20", "n")],
    "e.narrowPeak": [("chr1:100-200", "p"), ("chr1:300-400", "q")],
    "empty.bed": "at least one interval",
    "emptyname.bed": [("chr1:10-20:+", ".")],
    "f.narrowPeak": "line 1: expected a summit inside the peak",
    "floatc.bed": "line 1: expected start",
    "h.broadPeak": [("chr1:100-200", "p")],
    "hashhead.bed": [("chr1:10-20", ".")],
    "header.bed": "line 1: expected start",
    "huge.bed": "line 1: expected end",
    "i.narrowPeak": "line 1: expected pValue",
    "leadsp.bed": "line 1: expected the name of a contig without blanks, got ' chr1'",
    "namespace.bed": [("chr1:10-20:+", "a b c")],
    "nasc.bed": "line 1: expected score",
    "neg.bed": "line 1: expected start",
    "noprefix.bed": "line 1: expected a contig of the genome",
    "onlytrack.bed": "at least one interval",
    "past.bed": "line 1: expected an end of at most 9000",
    "rev.bed": "line 1: expected start <= end",
    "sci.bed": "line 1: expected start",
    "scisc.bed": [("chr1:10-20:+", "n")],
    "spaces.bed": "line 1: expected score",
    "strandstar.bed": "line 1: expected strand",
    "track.bed": [("chr1:10-20", ".")],
    "trackctg.bed": [("track1:10-20", "."), ("chr1:10-20", ".")],
    "trail.bed": [("chr1:10-20", ".")],
    "unk.bed": "line 1: expected a contig of the genome",
    "zero.bed": [("chr1:10-10", "n")],
}
GTF: dict[str, list[str] | str] = {
    "crlf.gtf": ["chr1:100-101:+"],
    "double.gtf": ["chr1:100-101:+"],
    "dquote.gtf": ["chr1:100-101:+"],
    "emptygene.gtf": "line 1: expected a gene_id",
    "exononly.gtf": ["chr1:100-101:+"],
    "gff3.gff3": "this looks like GFF3",
    "key_bracket.gtf": ["chr1:100-101:+"],
    "leading.gtf": ["chr1:100-101:+"],
    "minus.gtf": ["chr1:199-200:-"],
    "mrna.gtf": ["chr1:100-101:+"],
    "multi.gtf": ["chr1:100-101:+"],
    "multi2.gtf": ["chr1:100-101:+"],
    "ncbi_empty.gtf": ["chr1:100-101:+"],
    "nogeneid.gtf": "line 1: expected a gene_id",
    "nosemi.gtf": "line 1: expected attributes written name",
    "noval.gtf": "got 'pseudo;'",
    "q.gtf": [],
    "semi.gtf": ["chr1:100-101:+"],
    "tabs_in.gtf": "9 columns separated by tabs, got 10",
    "trailcomment.gtf": ["chr1:100-101:+"],
    "unquoted.gtf": ["chr1:100-101:+"],
    "unquoted_space.gtf": "line 1: expected attributes written name",
}
SAME = ["chr1:3:A>C"]
VCF: dict[str, list[str] | str] = {
    "bnd.vcf": [],
    "crlf.vcf": SAME,
    "dash.vcf": "got '-'",
    "dot.vcf": [],
    "empty.vcf": [],
    "first.vcf": ["chr1:1:AAA>A"],
    "ins1.vcf": ["chr1:1:A>GGA"],
    "iupac.vcf": ["chr1:3:A>R"],
    "last.vcf": ["chr1:9000:T>AT"],
    "lead.vcf": "got ''",
    "lower.vcf": SAME,
    "meta1.vcf": "line 1: expected ##fileformat=VCF",
    "multi.vcf": [*SAME, "chr1:3:A>AAA"],
    "nochr.vcf": "rename 1=chr1",
    "nochrA.vcf": "rename 1=chr1",
    "nohead.vcf": "line 1: expected ##fileformat=VCF",
    "nonref.vcf": SAME,
    "pos0.vcf": [],
    "refN.vcf": "variant chr1:3:N>C: the genome has A",
    "refNdel.vcf": [],
    "same.vcf": "two different alleles",
    "sites8fmt.vcf": "9 columns, as in the header, got 8",
    "slash.vcf": "got 'A/G'",
    "spaces.vcf": "8 columns, as in the header, got 1",
    "star.vcf": SAME,
    "starCA.vcf": "got '*CA'",
    "telo.vcf": [],
    "unsort.vcf": "line 4: expected lines sorted by contig and position",
    "v40.vcf": SAME,
}
TABLE: dict[str, tuple[str, ...] | str] = {
    "bom.csv": ("a", "b"),
    "commatsv.tsv": "a column 'label'",
    "cr.csv": "line 1: expected rows of quoted or plain fields",
    "dnabert_kmer.tsv": "line 2, sequence, column 4",
    "dup.csv": "one column 'label', got 2",
    "emptylines.csv": ("0", "1"),
    "extra.csv": "line 3: expected 3 columns",
    "float.csv": ("0.0", "1.0", "10.0", "2.0"),
    "hash.csv": "got '# made by x'",
    "index.csv": ("0", "1"),
    "intmix.csv": "got '01' and '1'; they would be two classes",
    "latin.csv": "line 2: expected UTF-8 text",
    "lowerseq.csv": ("0", "1"),
    "missing.csv": "line 3: expected a label",
    "mixdelim.csv": "a column 'label'",
    "na.csv": "line 2: expected a label",
    "nanlabel.csv": "line 2: expected a label, got 'nan', which stands for a missing one",
    "negs.csv": ("-1", "0", "1"),
    "newline.csv": "line 3, sequence, column 5",
    "nohdr.csv": "got a row of data; add the line sequence,label",
    "quoted.csv": ("b", "class, one"),
    "quotein.csv": ('3" end', '5" end'),
    "semihdr.csv": ("1",),
    "seqcol.csv": "a column 'sequence'",
    "space.txt": "a column 'sequence'",
    "tabname.txt": ("0", "1"),
}
FASTA: dict[str, dict[str, bytes] | str] = {
    "blank.bgz.gz": {"MT": b"CTCCGGGCCCATAACG", "GL000207.1": b"CATACATTTACG"},
    "blank.fa": {"MT": b"CTCCGGGCCCATAACG", "GL000207.1": b"CATACATTTACG"},
    "blank.plain.gz": {"MT": b"CTCCGGGCCCATAACG", "GL000207.1": b"CATACATTTACG"},
    "crlf.fa": {"MT": b"CTCCGGGCCCATAACG", "b": b"CATACATTTACG"},
    "crlf.fa.bgz.gz": {"MT": b"CTCCGGGCCCATAACG", "b": b"CATACATTTACG"},
    "digits.fa": "line 3, column 1",
    "emptyrec.fa": "line 1: expected a sequence",
    "gap.fa": "line 2, column 3",
    "mac.fa": "line 1: expected a sequence",
    "midblank.fa": {"MT": b"CTCCGGGCCCATAACG", "b": b"CATACATTTACG"},
    "noname.fa": "line 1: expected a name after '>'",
    "rna.fa": {"a": b"ACGUacgu"},
    "semi.fa": "line 1: expected a header that begins with '>'",
    "space.fa": "line 3, column 3",
    "spname.fa": "line 3: expected a name of its own",
    "star.fa": "line 2, column 4",
    "tabs.fa": {"a": b"ACGT", "b|x": b"CCGG"},
    "utf8.fa": {"étude": b"ACGTCG"},
}


def test_every_file_has_its_right_value() -> None:
    for folder, cases in (("bed", BED), ("gtf", GTF), ("vcf", VCF), ("table", TABLE), ("fasta", FASTA)):
        files = {path.name for path in (CASES / folder).iterdir() if path.suffix != ".gzi"}
        assert files == set(cases), folder


def refused(error: pytest.ExceptionInfo[GattnError], path: Path, text: str) -> None:
    assert str(error.value).startswith(str(path))
    assert text in str(error.value)


@pytest.mark.parametrize("name", BED)
def test_bed(name: str) -> None:
    path, right = CASES / "bed" / name, BED[name]
    read = read_peaks if ".narrowPeak" in name else read_bed
    if isinstance(right, str):
        with pytest.raises(GattnError) as caught:
            list(read(path, sizes=SIZES))
        refused(caught, path, right)
        return
    assert [(str(record.interval), record.name) for record in read(path, sizes=SIZES)] == right


def test_words_for_browsers_are_contigs_where_numbers_follow(tmp_path: Path) -> None:
    path = tmp_path / "x.bed"
    path.write_text("track name=x\ntrack\t1\t2\nbrowser position chr1:1-100\nbrowser2 3 4\ntrackless\t5\t6\ntrack\n")
    assert [str(r.interval) for r in read_bed(path)] == ["track:1-2", "browser2:3-4", "trackless:5-6"]


@pytest.mark.parametrize("name", GTF)
def test_gtf(name: str) -> None:
    path, right = CASES / "gtf" / name, GTF[name]
    if isinstance(right, str):
        with pytest.raises(FormatError) as caught:
            list(read_gtf(path))
        refused(caught, path, right)
        return
    features = list(read_gtf(path))
    assert features[0].gene_id == "G1"
    assert [str(start.interval) for start in transcription_starts(features)] == right


LINE = "c\tx\t{}\t{}\t{}\t.\t{}\t.\tgene_id \"{}\"; transcript_id \"{}\"; {}\n"


def test_attributes_as_the_world_writes_them(tmp_path: Path) -> None:
    path = tmp_path / "x.gtf"
    path.write_text(LINE.format("exon", 1, 9, "+", r"G\"1", "T", 'gene-name "n"; gene_name "a ""b"" \\\\" "c";; # x'))
    (feature,) = read_gtf(path)
    assert (feature.gene_id, feature.gene_name) == ('G"1', 'a "b" \\')
    for broken in ('note "' + "a" * 10**6, 'note ' + '"a" ' * 10**5 + "x"):  # refused in one pass, not in minutes
        path.write_text(LINE.format("exon", 1, 9, "+", "G", "T", broken))
        with pytest.raises(FormatError, match="attributes written name"):
            list(read_gtf(path))


def test_starts_come_from_exons_where_a_transcript_has_no_line(tmp_path: Path) -> None:
    path = tmp_path / "x.gtf"
    rows = [("exon", 11, 20, "-", "A"), ("transcript", 1, 50, "+", "B"), ("exon", 1, 5, "+", "B"),
            ("exon", 31, 40, "-", "A"), ("exon", 7, 9, "+", "C")]  # fmt: skip
    path.write_text("".join(LINE.format(kind, a, b, s, "G", t, "") for kind, a, b, s, t in rows))
    assert [str(f.interval) for f in transcription_starts(read_gtf(path))] == ["c:0-1:+", "c:39-40:-", "c:6-7:+"]
    with pytest.raises(FormatError, match="expected transcripts, or exons with a transcript_id, got only CDS"):
        list(transcription_starts([next(read_gtf(path))._replace(kind="CDS")]))


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Genome:
    pytest.importorskip("pyfaidx", reason="pyfaidx is absent (extra genomics)")
    path = tmp_path_factory.mktemp("genome") / "g.fa"
    path.write_bytes((CASES / "g.fa").read_bytes())
    return Genome(path)


@pytest.mark.parametrize("name", VCF)
def test_vcf_with_symbolic_alleles_skipped(name: str, genome: Genome) -> None:
    path, right = CASES / "vcf" / name, VCF[name]
    reader = Vcf(path, symbolic="skip", genome=genome)
    if isinstance(right, str):
        with pytest.raises(GattnError) as caught:
            list(reader)
        refused(caught, path, right)
        return
    assert [str(found.variant) for found in reader] == right


@pytest.mark.parametrize("name", ["pos0.vcf", "refNdel.vcf", "telo.vcf"])
def test_symbolic_alleles_are_refused_by_name_wherever_they_stand(name: str, genome: Genome) -> None:
    with pytest.raises(FormatError, match="alternative alleles with a sequence, got the"):
        list(Vcf(CASES / "vcf" / name, genome=genome))


@pytest.mark.parametrize("name", TABLE)
def test_table(name: str) -> None:
    path, right = CASES / "table" / name, TABLE[name]
    if isinstance(right, str):
        with pytest.raises(FormatError) as caught:
            read_labelled(path)
        refused(caught, path, right)
        return
    assert read_labelled(path).label_names == right


@pytest.mark.parametrize("name", FASTA)
def test_fasta_and_genome_agree_or_refuse(name: str, tmp_path: Path) -> None:
    path, right = CASES / "fasta" / name, FASTA[name]
    if isinstance(right, str):
        with pytest.raises(FormatError) as caught:
            list(read_fasta(path))
        refused(caught, path, right)
    else:
        assert {record.name: record.sequence for record in read_fasta(path)} == right
    pytest.importorskip("pyfaidx", reason="pyfaidx is absent (extra genomics)")
    pytest.importorskip("Bio", reason="Biopython is absent (extra genomics)")
    copy = tmp_path / name
    copy.write_bytes(path.read_bytes())
    try:
        with Genome(copy) as opened:
            found = {chrom: opened.fetch(Interval(chrom, 0, size)) for chrom, size in opened.sizes.items()}
    except FormatError:
        assert isinstance(right, str) or name == "midblank.fa"  # lines of another length have no places
    else:
        assert found == right or name == "semi.fa"  # a comment before the first record is left out
