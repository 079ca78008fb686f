"""The bundled data, checked against facts that were not used to make it."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from gattn_tg.data import encode_labelled, splice_junctions
from gattn_tg.data.genomes.bundled import bundled
from gattn_tg.errors import GattnError
from gattn_tg.io import read_fasta, read_labelled
from gattn_tg.io.gtf import read_gtf
from gattn_tg.motif import MotifVocabulary
from gattn_tg.seq import Interval, reverse_complement

# The fixed split: rows of ei, ie, n in train, valid, test, and the first rows of each.
SPLIT_COUNTS = [[481, 481, 1038], [120, 120, 260], [166, 164, 356]]
SPLIT_HEADS = [[0, 2, 4, 5], [3, 10, 11, 14], [1, 8, 13, 17]]


def test_class_counts_of_the_splice_junctions() -> None:
    table = read_labelled(bundled("splice_junctions.csv.gz"))
    assert table.label_names == ("ei", "ie", "n")
    assert np.bincount(table.labels).tolist() == [767, 765, 1654]
    assert {len(sequence) for sequence in table.sequences} == {60}
    assert set(b"".join(table.sequences)) == set(b"ACGT")


def test_introns_begin_with_gt_and_end_with_ag() -> None:
    table = read_labelled(bundled("splice_junctions.csv.gz"))
    by_label = {
        name: [
            s
            for s, label in zip(table.sequences, table.labels, strict=True)
            if table.label_names[label] == name
        ]
        for name in table.label_names
    }
    share = {
        ("ei", b"GT"): np.mean([s[30:32] == b"GT" for s in by_label["ei"]]),
        ("ie", b"AG"): np.mean([s[28:30] == b"AG" for s in by_label["ie"]]),
        ("n", b"GT"): np.mean([s[30:32] == b"GT" for s in by_label["n"]]),
        ("n", b"AG"): np.mean([s[28:30] == b"AG" for s in by_label["n"]]),
    }
    assert share["ei", b"GT"] > 0.98
    assert share["ie", b"AG"] > 0.99
    assert share["n", b"GT"] < 0.12
    assert share["n", b"AG"] < 0.12


def test_fixed_split_has_no_sequence_in_two_parts() -> None:
    table, parts = splice_junctions()
    assert [len(part) for part in parts] == [2000, 500, 686]
    assert sorted(np.concatenate(parts).tolist()) == list(range(3186))
    train, valid, test = ({table.sequences[row] for row in part.tolist()} for part in parts)
    assert train.isdisjoint(valid | test)
    assert valid.isdisjoint(test)
    counts = [np.bincount(table.labels[part]).tolist() for part in parts]
    assert counts == SPLIT_COUNTS
    assert [part[:4].tolist() for part in parts] == SPLIT_HEADS


def test_default_vocabulary_marks_the_junctions() -> None:
    table, _ = splice_junctions()
    vocabulary = MotifVocabulary.default()
    dataset = encode_labelled(table, vocabulary)
    donor, acceptor = (vocabulary.names.index(name) for name in ("splice_donor", "splice_acceptor"))
    at_junction = {
        (name, k): float((dataset.motif_ids[dataset.labels == label][:, at] == k).mean())
        for label, name in enumerate(table.label_names)
        for k, at in ((donor, 30), (acceptor, 28))
    }
    assert at_junction["ei", donor] > 0.6 > 0.05 > at_junction["n", donor]
    assert at_junction["ie", acceptor] > 0.3 > 0.05 > at_junction["n", acceptor]


def test_alpha_globin_locus() -> None:
    (record,) = read_fasta(bundled("alpha_globin_hg38.fa.gz"))
    assert (record.name, record.description) == ("chr16:186963-397118", "hg38 0-based-half-open")
    assert len(record.sequence) == 397_118 - 186_963
    assert set(record.sequence) <= set(b"ACGTN")


@pytest.mark.parametrize(
    ("gene", "start", "strand", "exon_end"),
    [
        ("ARHGDIG", 280_680, "+", 280_753),
        ("PDIA2", 283_169, "+", 283_368),
        ("FAM234A", 254_413, "+", None),
        ("LUC7L", 229_339, "-", None),
        ("AXIN1", 347_025, "-", None),
        ("MRPL28", 370_218, "-", None),
    ],
)
def test_genes_of_refseq_begin_where_they_should(
    gene: str, start: int, strand: str, exon_end: int | None
) -> None:
    """hg38 coordinates of start codons, and of two first introns, put the sequence at its place to the base."""
    (record,) = read_fasta(bundled("alpha_globin_hg38.fa.gz"))
    at = start - 186_963
    codon = (
        record.sequence[at : at + 3] if strand == "+" else reverse_complement(record.sequence[at - 3 : at])
    )
    assert codon == b"ATG", gene
    if exon_end is not None:
        assert record.sequence[exon_end - 186_963 :][:2] == b"GT", gene


def test_a_gene_spells_its_protein() -> None:
    """Rho GDP-dissociation inhibitor 3 (ARHGDIG, UniProt Q99819) begins M L G L D A C E L G."""
    codons = {"ATG": "M", "CTG": "L", "GGC": "G", "GAC": "D", "GCG": "A", "TGC": "C", "GAG": "E", "GGG": "G"}
    (record,) = read_fasta(bundled("alpha_globin_hg38.fa.gz"))
    coding = record.sequence[280_680 - 186_963 :][:30].decode()
    assert "".join(codons[coding[at : at + 3]] for at in range(0, 30, 3)) == "MLGLDACELG"


def test_introns_between_the_bundled_exons_begin_and_end_as_introns_do() -> None:
    """168 introns of 17 transcripts; one donor is GC, which is known of 1% of human introns."""
    (record,) = read_fasta(bundled("alpha_globin_hg38.fa.gz"))
    transcripts: dict[str, list[Interval]] = {}
    for feature in read_gtf(bundled("alpha_globin_exons.gtf.gz")):
        transcripts.setdefault(feature.transcript_id, []).append(feature.interval)
    assert len(transcripts) == 17
    ends: Counter[tuple[bytes, bytes]] = Counter()
    for exons in transcripts.values():
        assert exons == sorted(exons, key=lambda exon: exon.start)
        for one, other in pairwise(exons):
            intron = record.sequence[one.end - 186_963 : other.start - 186_963]
            read = reverse_complement(intron) if one.strand == "-" else intron
            ends[read[:2], read[-2:]] += 1
    assert ends == {(b"GT", b"AG"): 167, (b"GC", b"AG"): 1}


def test_unknown_name_is_refused() -> None:
    with pytest.raises(GattnError) as caught:
        bundled("absent.csv")
    message = str(caught.value)
    assert message.startswith("bundled data: expected 'absent.csv' in ")
    assert message.endswith(", but it is in neither; install the package again or run inside the repository")


def test_files_are_small_and_carry_no_time_stamp() -> None:
    folder = bundled("splice_junctions.csv.gz").parent
    assert sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) <= 450_000
    for path in folder.glob("*.gz"):
        assert path.read_bytes()[4:8] == b"\x00" * 4, path.name
