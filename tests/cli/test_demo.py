"""The demo, with a smaller network and one pass, so that it takes seconds: what it writes and says, what it spares."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gattn_tg.cli import demo
from gattn_tg.cli.main import main
from gattn_tg.models import checkpoint


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "MODEL", replace(demo.MODEL, width=8, n_layers=1, n_heads=2, stem_kernel=0))
    monkeypatch.setattr(demo, "ZOOM", (268_000, 269_000))


@pytest.mark.usefixtures("small")
def test_writes_everything_and_ends_with_the_accuracy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "gattn-demo"
    learnt: list[demo.Outcome | None] = []
    learn = demo.learn
    monkeypatch.setattr(demo, "learn", lambda *a: learnt.append(learn(*a)) or learnt[-1])
    assert main(["demo", "-o", str(home), "--epochs", "1", "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    said = json.loads(out)
    assert said == json.loads((home / "result.json").read_text())
    assert 0 < said["test_accuracy"] < 1
    assert said["seconds"] > 0
    assert {p.name for p in home.iterdir()} == set(demo.MADE)
    assert checkpoint.load(home / "with_motif_bias" / "best").labels == ("ei", "ie", "n")
    assert len((home / "test_predictions.tsv").read_text().splitlines()) == 687
    assert len((home / "metrics.jsonl").read_text().splitlines()) == 2
    bed = (home / "locus_motifs.bed").read_text().splitlines()
    assert bed[0].startswith("chr16\t1869")
    assert len(bed) > 5000
    sites = [line.split("\t")[0].split(":") for line in (home / "locus_splice_sites.tsv").read_text().splitlines()[1:]]
    assert all(268_000 <= int(position) <= 269_000 for _, position, _, _ in sites)
    assert "</html>" in (home / "summary.html").read_text()

    assert main(["demo", "-o", str(home), "--epochs", "1"]) == 2
    assert "it holds an earlier demo; add --overwrite" in capsys.readouterr().err
    again = iter(learnt)
    monkeypatch.setattr(demo, "learn", lambda *a: next(again))  # training twice would show nothing new
    assert main(["demo", "-o", str(home), "--epochs", "1", "--overwrite"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(f"test_accuracy={said['test_accuracy']:.4f} seconds=")


def test_a_folder_of_others_is_never_touched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.doc").write_text("years of work")
    for extra in ([], ["--overwrite"]):
        assert main(["demo", "-o", str(tmp_path), *extra]) == 2
        assert "it holds 'thesis.doc', which no demo wrote" in capsys.readouterr().err
    assert main(["demo", "-o", str(tmp_path / "thesis.doc")]) == 2
    assert "a folder is required, but a file is there" in capsys.readouterr().err
    assert (tmp_path / "thesis.doc").read_text() == "years of work"
