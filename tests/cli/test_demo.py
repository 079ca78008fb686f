"""The demo, with a smaller network and one pass, so that it takes seconds: what it writes and says, what it spares."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from gattn_tg.cli.demo import learn, locus, verb
from gattn_tg.cli.main import main
from gattn_tg.data.genomes.bundled import ALPHA_GLOBIN, bundled
from gattn_tg.io import read_fasta
from gattn_tg.metrics.classes import Metrics
from gattn_tg.models import checkpoint
from gattn_tg.seq import Interval


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verb, "MODEL", replace(learn.MODEL, width=8, n_layers=1, n_heads=2, stem_kernel=0))
    monkeypatch.setattr(locus, "ZOOM", (282_500, 283_500))


@pytest.mark.usefixtures("small")
def test_writes_everything_and_ends_with_the_accuracy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "gattn-demo"
    learnt: list[learn.Outcome | None] = []
    monkeypatch.setattr(verb, "learn", lambda *a: learnt.append(learn.learn(*a)) or learnt[-1])
    assert main(["demo", "-o", str(home), "--epochs", "1", "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    said = json.loads(out)
    assert said == json.loads((home / "result.json").read_text())
    assert 0 < said["test_accuracy"] < 1
    assert said["seconds"] > 0
    assert {p.name for p in home.iterdir()} == set(verb.MADE)
    assert checkpoint.load(home / "with_motif_bias" / "best").labels == ("ei", "ie", "n")
    assert len((home / "test_predictions.tsv").read_text().splitlines()) == 687
    assert len((home / "metrics.jsonl").read_text().splitlines()) == 2
    bed = (home / "locus_motifs.bed").read_text().splitlines()
    assert bed[0].startswith("chr16\t1869")
    assert len(bed) > 5000
    header, *sites = [line.split("\t") for line in (home / "locus_splice_sites.tsv").read_text().splitlines()]
    assert header[:7] == ["chrom", "position", "strand", "kind", "probability", "shown", "known"]
    assert all(282_501 <= int(row[1]) <= 283_501 for row in sites)
    # the table and the page are of one mind
    shown = [row for row in sites if row[5] == "yes"]
    assert shown == [row for row in sites if float(row[4]) > locus.SHOWN]
    for kind, judgement in said["splice_sites"].items():
        of_kind = [row for row in sites if row[3] == kind]
        known = {row[1] for row in of_kind if row[6] == "yes"}
        assert (judgement["n_candidates"], judgement["n_real"]) == (len(of_kind), len(known))
        assert known == {"donor": {"282531", "283369"}, "acceptor": {"282615"}}[kind]  # ARHGDIG and PDIA2
        assert judgement["n_found"] == len(known & {row[1] for row in of_kind if row[5] == "yes"})
    page = (home / "summary.html").read_text()
    assert f"{len(shown):,} of {len(sites):,} GT and AG" in page
    for row in shown:
        assert f"{row[3]} chr16:{int(row[1]):,} ({row[2]})" in page
    assert "95% interval, one seed each" in page
    variant = re.search(r"A variant: chr16:([0-9,]+) ([ACGT])&gt;([ACGT]) does most of all 180 changes", page)
    assert variant is not None
    record = next(read_fasta(bundled(ALPHA_GLOBIN)))
    at = int(variant[1].replace(",", "")) - 1 - Interval.parse(record.name).start
    assert chr(record.sequence[at]).upper() == variant[2] != variant[3]
    assert "</html>" in (home / "summary.html").read_text()

    assert main(["demo", "-o", str(home), "--epochs", "1"]) == 2
    assert "got one that holds an earlier demo; add --overwrite" in capsys.readouterr().err
    again, kept = iter(learnt), tmp_path / "kept"
    (home / "with_motif_bias").rename(kept)

    def from_before(*_: object) -> learn.Outcome | None:
        """Training twice would show nothing new."""
        if kept.exists():
            kept.rename(home / "with_motif_bias")
        return next(again)

    monkeypatch.setattr(verb, "learn", from_before)
    assert main(["demo", "-o", str(home), "--epochs", "1", "--overwrite"]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    shown_lines = [line for line in lines if "known among them: precision" in line or "no precision" in line]
    assert [line.split(":")[0].strip() for line in shown_lines] == ["donors", "acceptors"]
    assert sum("times the mean attention" in line for line in lines) == 2
    assert last.startswith(f"test_accuracy={said['test_accuracy']:.4f} seconds=")


def test_a_difference_within_chance_is_none() -> None:
    """959 of 1,000 and 953 of 1,000 right: +0.6 points, of which 1.8 are chance."""

    def metrics(accuracy: float) -> Metrics:
        return Metrics(n=1000, loss=0.1, accuracy=accuracy, auc=0.9, mcc=0.9, auprc=0.9, ece=0.1)

    same, other = (learn.compared(metrics(a), metrics(b)) for a, b in ((0.959, 0.953), (0.959, 0.9)))
    assert same == (
        "The accuracies do not differ with and without motif bias: +0.6% ± 1.8% (95% interval, one seed each)."
    )
    assert other.startswith("The accuracies differ with and without motif bias: +5.9% ± 2.2%")


def test_a_folder_of_others_is_never_touched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.doc").write_text("years of work")
    for extra in ([], ["--overwrite"]):
        assert main(["demo", "-o", str(tmp_path), *extra]) == 2
        assert "got one that holds 'thesis.doc', which no demo wrote" in capsys.readouterr().err
    assert main(["demo", "-o", str(tmp_path / "thesis.doc")]) == 2
    assert "a folder, but a file is there" in capsys.readouterr().err
    assert (tmp_path / "thesis.doc").read_text() == "years of work"
