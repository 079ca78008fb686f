"""gattn annotate: one result, however it is cut and spread."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from gattn_tg.cli.main import main
from gattn_tg.io import BigWig, read_bed
from gattn_tg.motif import MotifVocabulary, annotate, hits
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


def test_standard_output_is_bed6(genome: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["annotate", str(genome)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 1000
    assert {line.count("\t") for line in lines} == {5}


def test_own_vocabulary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "g.fa.gz").write_bytes(gzip.compress(b">c\nTTCGTTACGT\n"))
    (tmp_path / "v.toml").write_text(MotifVocabulary(MotifVocabulary.default().classes[:1]).to_toml())
    assert main(["annotate", str(tmp_path / "g.fa.gz"), "--vocab", str(tmp_path / "v.toml")]) == 0
    assert capsys.readouterr().out == "c\t2\t4\tcpg\t1000\t.\nc\t7\t9\tcpg\t1000\t.\n"


def test_mistakes(genome: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, text in (
        (["annotate", tmp_path / "absent.fa"], "a readable file is required, but came: no such file or directory"),
        (["annotate", genome, "-o", genome], "a new file is required, but it exists"),
        (["annotate", genome, "--bigwig", genome], "a new file is required, but it exists"),
        (["annotate", genome, "--json"], "a file for the table is required with --json"),
        (["annotate", genome, "--bin-bp", "0"], "a whole number of at least 1 is required"),
        (["annotate", genome, "-o", tmp_path / "x.bed", "--vocab", genome], "TOML text is required"),
    ):
        assert main([str(a) for a in arguments]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert text in err
        assert err.count("\n") == 1
    assert not (tmp_path / "x.bed").exists()
