"""gattn annotate: one result, however it is cut and spread."""

from __future__ import annotations

import gzip
import json
import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from gattn_tg.cli.main import main
from gattn_tg.io import BigWig, read_bed
from gattn_tg.motif import MotifVocabulary, annotate, hits, vocabulary_of
from gattn_tg.seq import Interval


@pytest.fixture
def genome(tmp_path: Path) -> Path:
    rng = np.random.default_rng(8)
    text = ""
    for name in ("b", "a"):
        bases = "".join(rng.choice(list("ACGT"), 30_000, p=[0.3, 0.2, 0.2, 0.3])) + "CGGCA" * 100
        text += f">{name} x\n" + "\n".join(bases[at : at + 70] for at in range(0, len(bases), 70)) + "\n"
    (tmp_path / "g.fa").write_text(text)
    return tmp_path / "g.fa"


@pytest.mark.parametrize("processes", [1, 2])
def test_files_hold_all_hits(
    genome: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    pytest.importorskip("pybigtools", reason="pybigtools is absent (extra genomics)")
    monkeypatch.setattr("gattn_tg.motif.stream.PIECE_BP", 4000)
    bed, bigwig = tmp_path / "m.bed.gz", tmp_path / "d.bw"
    arguments = ["annotate", genome, "-o", bed, "--bigwig", bigwig, "--json", "--processes", processes]
    assert main([str(a) for a in arguments]) == 0
    told = json.loads(capsys.readouterr().out)
    contigs = dict(part.split(" x\n") for part in genome.read_text()[1:].split("\n>"))
    expected = []
    with BigWig(bigwig) as density:
        for name, lines in contigs.items():
            sequence = lines.replace("\n", "")
            expected += [(name, h.start, h.end, h.name, h.strand) for h in hits(sequence)]
            inside = annotate(sequence) > 0
            np.testing.assert_allclose(
                density.values(Interval(name, 0, len(sequence)))[::100],
                [inside[at : at + 100].mean() for at in range(0, len(sequence), 100)],
                rtol=1e-6,
            )
    found = [(r.interval.chrom, r.interval.start, r.interval.end, r.name, r.interval.strand) for r in read_bed(bed)]
    assert sorted(found) == sorted(expected)
    assert [(r[0], r[1]) for r in found] == sorted(((r[0], r[1]) for r in found), key=lambda r: (r[0] == "a", r[1]))
    assert told["n"] == len(expected) == sum(told["motifs"].values())
    assert (told["sequences"], told["bases"]) == (2, 61_000)


def test_standard_output_has_the_lines_of_a_file(
    genome: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["annotate", str(genome)]) == 0
    told = capsys.readouterr().out
    assert told.count("\n") > 1000
    assert {line.count("\t") for line in told.splitlines()} == {9}
    assert main(["annotate", str(genome), "-o", str(tmp_path / "m.bed.gz")]) == 0
    assert gzip.decompress((tmp_path / "m.bed.gz").read_bytes()).decode() == told


def test_sites_of_a_matrix_carry_their_share_of_the_best_score_and_their_pvalue(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("lightmotif", reason="lightmotif is absent (extra genomics)")
    shares = ((0.7, 0.1, 0.1, 0.1), (0.1, 0.6, 0.2, 0.1), (0.05, 0.05, 0.85, 0.05), (0.2, 0.1, 0.1, 0.6))
    vocabulary = vocabulary_of([("M1", "m", shares)], 0.02, base=MotifVocabulary(MotifVocabulary.default().classes[:1]))
    (tmp_path / "v.toml").write_text(vocabulary.to_toml())
    (tmp_path / "g.fa").write_text(">c\nACGTNNNNAGGTNNNNACGA\n")
    assert main(["annotate", str(tmp_path / "g.fa"), "--vocab", str(tmp_path / "v.toml")]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    best = math.log2(0.7 * 0.6 * 0.85 * 0.6 * 4**4)
    second = math.log2(0.7 * 0.2 * 0.85 * 0.6 * 4**4)
    found = {(int(row[1]), row[5]): (int(row[4]), row[9]) for row in rows if row[3] == "m"}
    words = [math.prod(shares[i][b] for i, b in enumerate(word)) for word in product(range(4), repeat=4)]
    chances = [sum(w >= x * (1 - 1e-9) for w in words) / 256 for x in (0.2142, 0.7 * 0.2 * 0.85 * 0.6)]
    assert found[0, "+"] == (1000, format(chances[0], ".3g"))
    assert found[8, "+"] == (round(1000 * second / best), format(chances[1], ".3g"))
    assert {(row[4], row[9]) for row in rows if row[3] == "cpg"} == {("1000", ".")}


def test_short_contigs_are_annotated_together_with_the_result_of_each_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(3)
    contigs = ["".join(rng.choice(list("ACGT"), n, p=[0.2, 0.3, 0.3, 0.2])) for n in (1, 40, 900, 7, 3000, 250, 2, 600)]
    contigs += ["CGGCA" * 80, "CGGCA" * 80, "TATAA", "AAGCG", "CGTATA"]
    (tmp_path / "g.fa").write_text("".join(f">c{k}\n{text}\n" for k, text in enumerate(contigs)))
    expected = [
        (f"c{k}", hit.start, hit.end, hit.name, hit.strand) for k, text in enumerate(contigs) for hit in hits(text)
    ]
    for group_bp in (1, 500, 1 << 18):
        monkeypatch.setattr("gattn_tg.motif.stream.groups.__defaults__", (group_bp,))
        assert main(["annotate", str(tmp_path / "g.fa")]) == 0
        rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
        assert [(row[0], int(row[1]), int(row[2]), row[3], row[5]) for row in rows] == expected


def test_tabix_reads_any_region_through_the_index(genome: Path, tmp_path: Path) -> None:
    bed = tmp_path / "m.bed.gz"
    with genome.open("a") as file:  # a contig with long stretches, across windows and bins of every size
        file.write(">long\n" + ("AT" * 150_000 + "ACGTTGCA" * 50_000 + "CGGCA" * 40_000) + "\n")
    assert main(["annotate", str(genome), "-o", str(bed), "--tbi"]) == 0
    lines = [line.split("\t") for line in gzip.decompress(bed.read_bytes()).decode().splitlines()]
    index = gzip.decompress((tmp_path / "m.bed.gz.tbi").read_bytes())
    assert index[:8] == b"TBI\1" + (3).to_bytes(4, "little")
    pysam = pytest.importorskip("pysam", reason="pysam is absent (an oracle, not in an extra)")
    rng = np.random.default_rng(1)
    contigs, starts, ends = (np.array(column) for column in zip(*((x, int(y), int(z)) for x, y, z, *_ in lines),
                                                               strict=True))  # fmt: skip
    with pysam.TabixFile(str(bed)) as tabix:
        assert tabix.contigs == ["b", "a", "long"]
        for _ in range(200):
            chrom, size = [("b", 30_500), ("a", 30_500), ("long", 900_000)][rng.integers(3)]
            start = int(rng.integers(size))
            end = min(start + int(rng.integers(1, 3000)), size)
            expected = [lines[i] for i in np.flatnonzero((contigs == chrom) & (starts < end) & (ends > start))]
            assert [row.split("\t") for row in tabix.fetch(chrom, start, end)] == expected


def test_all_outputs_appear_or_none(genome: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pybigtools", reason="pybigtools is absent (extra genomics)")
    out = tmp_path / "out"
    out.mkdir()
    bed, bigwig = out / "m.bed.gz", out / "d.bw"
    (tmp_path / "bad.fa").write_text(genome.read_text() + ">c\nACGT\nAC?T\n")
    outputs = ["-o", str(bed), "--tbi", "--bigwig", str(bigwig)]
    assert main(["annotate", str(tmp_path / "bad.fa"), *outputs]) == 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gattn_tg.cli.genomes.annotate.density_values", lambda *_: iter([("b", 5, 1, 0.0)]))
        assert main(["annotate", str(genome), *outputs]) == 2
    assert list(out.iterdir()) == []
    bed.write_text("old")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gattn_tg.cli.genomes.annotate.density_values", lambda *_: iter([("b", 5, 1, 0.0)]))
        assert main(["annotate", str(genome), *outputs, "--overwrite"]) == 2
    assert bed.read_text() == "old"
    assert list(out.iterdir()) == [bed]
    assert main(["annotate", str(genome), *outputs, "--overwrite"]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["d.bw", "m.bed.gz", "m.bed.gz.tbi"]
    capsys.readouterr()
    assert main(["annotate", str(genome), "-o", str(bed), "--overwrite"]) == 2
    assert "m.bed.gz.tbi: expected no index of an earlier file, got one; add --tbi" in capsys.readouterr().err


def test_names_that_steer_a_terminal_are_escaped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "g.fa").write_bytes(b">a\x1b[2J\nACGT\n>a\x1b[2J\nACGT\n")
    assert main(["annotate", str(tmp_path / "g.fa")]) == 2
    told = capsys.readouterr()
    assert "\x1b" not in told.err + told.out
    (tmp_path / "g.fa").write_bytes(b">a\x1b[2J\nACGT\n")
    assert main(["annotate", str(tmp_path / "g.fa"), "-o", str(tmp_path / "m.bed")]) == 0
    assert (tmp_path / "m.bed").read_text().startswith("a\\x1b[2J\t1\t3\tcpg\t")


def test_own_vocabulary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "g.fa.gz").write_bytes(gzip.compress(b">c\nTTCGTTACGT\n"))
    (tmp_path / "v.toml").write_text(MotifVocabulary(MotifVocabulary.default().classes[:1]).to_toml())
    assert main(["annotate", str(tmp_path / "g.fa.gz"), "--vocab", str(tmp_path / "v.toml")]) == 0
    assert capsys.readouterr().out == "".join(
        f"c\t{at}\t{at + 2}\tcpg\t1000\t.\t{at}\t{at + 2}\t228,26,28\t.\n" for at in (2, 7)
    )


def test_mistakes(genome: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there = tmp_path / "there.bw"
    there.write_text("of another day")
    for arguments, text in (
        (["annotate", tmp_path / "absent.fa"], "a readable file, got: no such file or directory"),
        (["annotate", genome, "-o", there], "a new file, got one that exists"),
        (["annotate", genome, "--bigwig", there], "a new file, got one that exists"),
        (["annotate", genome, "-o", tmp_path / "x.bed", "--tbi"], "--tbi: expected -o NAME.bed.gz, got "),
        (["annotate", genome, "--tbi"], "--tbi: expected -o NAME.bed.gz, got none; an index needs a packed file"),
        (["annotate", genome, "--bigwig", tmp_path / "x.bed"], "a name that ends in .bw or .bigwig"),
        (["annotate", genome, "-o", tmp_path / "x.bw", "--bigwig", tmp_path / "x.bw"], "got it twice"),
        (["annotate", genome, "-o", genome, "--overwrite"], "expected an output of its own, got the input"),
        (["annotate", genome, "--json"], "a file for the table with --json"),
        (["annotate", genome, "--bin-bp", "0"], "a whole number of at least 1 and at most 2147483647"),
        (["annotate", genome, "-o", tmp_path / "x.bed", "--vocab", genome], "TOML text"),
    ):
        assert main([str(a) for a in arguments]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert text in err
        assert err.count("\n") == 1
    assert not (tmp_path / "x.bed").exists()
