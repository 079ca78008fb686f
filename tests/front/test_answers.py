"""Labels and values asked through the front door and the command line: columns, names, units, evaluation, the page."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tinygrad import Tensor
from training import tiny

import gattn_tg
from gattn_tg.cli.main import main
from gattn_tg.errors import FormatError, GattnError, UnsupportedError
from gattn_tg.front.evaluation import Evaluation
from gattn_tg.metrics.outcome import Outcome
from gattn_tg.models import checkpoint
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.models.readouts.sequences import ClassReadout, LabelReadout, SequenceReadout, ValueReadout
from gattn_tg.motif import MotifVocabulary

CONFIG = ClassifierConfig(n_classes=2, width=8, n_layers=1, n_heads=2, max_length=16, stem_kernel=0, dropout=0.0,
                          motif="none", embed_motifs=False)  # fmt: skip
HOSTILE = "a<b>"
READOUTS: dict[str, SequenceReadout] = {
    "labels": LabelReadout(labels=(HOSTILE, "b"), sequence_column="dna", name_column="peak"),
    "values": ValueReadout(labels=(HOSTILE, "b"), mean=(100.0, -1.0), sd=(10.0, 0.5), loss="mse",
                           sequence_column="dna", name_column="peak"),
}  # fmt: skip
SEQUENCES = ["ACGTACGTAC", "TTTTGGGGCC", "ACCCCCA", "GGGTTTAAACCCGGGT", "CATCATCATG", "TGATGATGAA"]
TRUTH = {"labels": ["1,0", "0,1", ",1", "1,0", "0,", "1,1"], "values": ["90,0", "105,-2", ",1", "111,3", "0,", "7,1"]}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of each task, of the same network, and a table for each."""
    folder = tmp_path_factory.mktemp("answers")
    model = SequenceClassifier(CONFIG, seed=1)
    model.head.weight = Tensor(np.random.default_rng(5).standard_normal((2, 8)).astype(np.float32))
    for task, readout in READOUTS.items():
        checkpoint.save(model, folder / task, readout=readout, vocabulary=MotifVocabulary.default())
        rows = [f"p{i},{s},{row}" for i, (s, row) in enumerate(zip(SEQUENCES, TRUTH[task], strict=True))]
        checkpoint.save(model, folder / f"{task}_turned", readout=replace(readout, both_strands=True),
                        vocabulary=MotifVocabulary.default())  # fmt: skip
        (folder / f"{task}.csv").write_text("\n".join([f"peak,dna,{HOSTILE},b", *rows]) + "\n")
    return folder


@pytest.fixture(scope="module")
def models(home: Path) -> dict[str, Any]:
    return {task: gattn_tg.load(home / task) for task in READOUTS}


def test_labels_are_sigmoids_and_values_are_in_the_units_of_the_table(models: dict[str, Any]) -> None:
    p = models["labels"].predict(SEQUENCES).probabilities
    z = np.log(p / (1 - p))
    values = models["values"].predict(SEQUENCES).values
    np.testing.assert_allclose(values, np.array([100.0, -1.0]) + np.array([10.0, 0.5]) * z, rtol=1e-4, atol=1e-4)
    assert np.ptp(p, 0).min() > 1e-3


@pytest.mark.parametrize(("task", "prefix"), [("labels", "p_"), ("values", "predicted_")])
def test_predictions_have_named_columns_and_keep_names(
    home: Path, models: dict[str, Any], task: str, prefix: str, tmp_path: Path
) -> None:
    assert main(["predict", str(home / task), str(home / f"{task}.csv"), "-o", str(tmp_path / "o.tsv")]) == 0
    lines = [line.split("\t") for line in (tmp_path / "o.tsv").read_text().splitlines()]
    found = models[task].predict(home / f"{task}.csv")
    assert lines[0] == found.header == ["name", "length", f"{prefix}{HOSTILE}", f"{prefix}b"]
    assert [line[0] for line in lines[1:]] == [f"p{i}" for i in range(6)]
    assert [line[1] for line in lines[1:]] == [str(len(s)) for s in SEQUENCES]
    np.testing.assert_allclose([[float(x) for x in line[2:]] for line in lines[1:]], found.numbers, rtol=1e-5)
    both = models[task].predict(SEQUENCES, both_strands=True).numbers
    turned = models[task].predict([s[::-1].translate(str.maketrans("ACGT", "TGCA")) for s in SEQUENCES],
                                  both_strands=True).numbers  # fmt: skip
    np.testing.assert_array_equal(both, turned)


def test_models_that_learnt_from_both_strands_answer_for_both_unless_told(
    home: Path, models: dict[str, Any], tmp_path: Path
) -> None:
    one, both = (models["labels"].predict(SEQUENCES, both_strands=x).numbers for x in (False, True))
    assert np.abs(one - both).max() > 1e-3
    turned = gattn_tg.load(home / "labels_turned")
    np.testing.assert_array_equal(models["labels"].predict(SEQUENCES).numbers, one)
    np.testing.assert_array_equal(turned.predict(SEQUENCES).numbers, both)
    np.testing.assert_array_equal(turned.predict(SEQUENCES, both_strands=False).numbers, one)
    table = home / "labels.csv"
    assert turned.evaluate(table).metrics == models["labels"].evaluate(table, both_strands=True).metrics
    for flags, wanted in (([], both), (["--one-strand"], one)):
        out = tmp_path / f"{len(flags)}.tsv"
        assert main(["predict", str(home / "labels_turned"), str(table), *flags, "-o", str(out)]) == 0
        found = [[float(x) for x in line.split("\t")[2:]] for line in out.read_text().splitlines()[1:]]
        np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_training_that_turns_strands_is_kept_in_the_checkpoint() -> None:
    assert not tiny.task().readout.both_strands
    readout = tiny.task(replace(tiny.SETTINGS, reverse_complement=True)).readout
    assert readout.both_strands
    assert ClassReadout.from_about(readout.to_about()) == readout


@pytest.mark.parametrize("task", list(READOUTS))
def test_an_evaluation_compares_known_cells_and_draws_a_page(
    home: Path, models: dict[str, Any], task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    command = ["evaluate", str(home / task), str(home / f"{task}.csv"), "--html", str(page)]
    assert main([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["data"]
    truth = np.array([[float(x or "nan") for x in row.split(",")] for row in TRUTH[task]])
    wanted = Outcome(READOUTS[task], truth, models[task].predict(SEQUENCES).numbers).metrics()
    assert told["n"] == 6
    assert {k: v for k, v in told.items() if v is not None} == pytest.approx(
        {k: v for k, v in wanted.items() if not math.isnan(v)}, rel=1e-4)
    html = page.read_text()
    assert "a&lt;b&gt;" in html
    assert HOSTILE not in html
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "")
    for title in {"labels": ("ROC", "Precision and recall", "Calibration"), "values": ("Column by column", "b")}[task]:
        assert f"<h2>{title}</h2>" in html
    assert "nan" not in html
    assert main(command) == 2  # the page is there
    assert "expected a new file" in capsys.readouterr().err
    assert page.read_text() == html
    assert main([*command, "--overwrite"]) == 0
    assert "label" in capsys.readouterr().out


def test_a_table_without_the_columns_of_training_is_refused(models: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("sequence,a\nACGT,1\n")
    with pytest.raises(FormatError, match="expected a column 'dna'"):
        models["labels"].predict(tmp_path / "x.csv")
    with pytest.raises(FormatError, match="expected a column 'dna'"):
        models["values"].evaluate(tmp_path / "x.csv")


def test_the_page_of_classes_shows_the_confusion(tmp_path: Path) -> None:
    readout = ClassReadout(labels=("no", "yes", HOSTILE))
    p = np.random.default_rng(1).dirichlet(np.ones(3), 40)
    found = Evaluation.of_outcomes("SequenceClassifier", {"data": Outcome(readout, np.arange(40) % 3, p)})
    found.to_html(tmp_path / "x.html")
    html = (tmp_path / "x.html").read_text()
    assert "<h2>Confusion</h2>" in html
    assert HOSTILE not in html
    with pytest.raises(GattnError, match="expected a new file"):
        found.to_html(tmp_path / "x.html")
    with pytest.raises(UnsupportedError, match="to_html: a TrackModel cannot"):
        Evaluation("TrackModel", {"valid": {"loss": 1.0}}).to_html(tmp_path / "y.html")


def test_every_question_reads_tables_by_the_columns_of_training(home: Path, models: dict[str, Any]) -> None:
    model, table = models["labels"], home / "labels.csv"
    # no attention to draw: its kernels are those of every length
    told, same = (model.explain(given, target=HOSTILE, method="gradient", attention=False)
                  for given in (table, SEQUENCES))  # fmt: skip
    assert told.names == tuple(f"p{i}" for i in range(6)) == model.embed(table).names
    for one, other in zip(told.attributions, same.attributions, strict=True):
        np.testing.assert_array_equal(one.contributions, other.contributions)
    put_in, again = (model.marginalize(given, "ACGT", target=HOSTILE) for given in (table, SEQUENCES))
    assert put_in.found == again.found
