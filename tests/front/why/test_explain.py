# ruff: noqa: E501 - error texts stand whole, as users meet them
"""Why a model says so: the folder that `gattn explain` fills, for sequences and for places in a genome."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from front.why.small import classifier

import gattn_tg
from gattn_tg.cli.main import main
from gattn_tg.errors import ConfigError, UnsupportedError
from gattn_tg.explain.attribution.mutagenesis import Mutagenesis
from gattn_tg.front.trained import Trained
from gattn_tg.io import BigWig
from gattn_tg.models import checkpoint
from gattn_tg.models.captured.forward import Forward
from gattn_tg.models.gpt import GenomicGPT, GPTConfig
from gattn_tg.models.readouts.bases import NextBaseReadout
from gattn_tg.models.readouts.sequences import ClassReadout
from gattn_tg.motif import MotifVocabulary
from gattn_tg.seq import reverse_complement

VOCABULARY = MotifVocabulary.default()
GENOME = "ACGTATAAAAGGCGCGTTGACATTGCATAACGTTACGGTATTTACGAGTCGGGCGGGACTGA"
ODD = "<b>&\"'=1+1"
SMALL = ["--batch-size", "16"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("why")
    model = classifier()
    checkpoint.save(model, folder / "classes", readout=ClassReadout(labels=("no", "<i>yes")), vocabulary=VOCABULARY)
    checkpoint.save(model, folder / "turned", readout=ClassReadout(labels=("no", "yes"), both_strands=True),
                    vocabulary=VOCABULARY)  # fmt: skip
    checkpoint.save(GenomicGPT(GPTConfig(width=16, n_layers=1, n_heads=2)), folder / "gpt",
                    readout=NextBaseReadout(width=32), vocabulary=VOCABULARY)  # fmt: skip
    (folder / "s.fa").write_text(f">{ODD}\n{GENOME[:32]}\n>short\n{GENOME[40:58].lower()}\n")
    (folder / "g.fa").write_text(f">chr1\n{GENOME}\n")
    (folder / "p.bed").write_text("chr1\t30\t50\tb\t0\t-\nchr1\t0\t20\ta\t0\t+\n")
    return folder


@pytest.fixture(scope="module")
def model(home: Path) -> Trained:
    return gattn_tg.load(home / "classes")


def test_the_network_that_chooses_a_class_is_the_one_that_is_asked_about_changes(home: Path) -> None:
    model = gattn_tg.load(home / "classes")
    model.explain([GENOME[:32]], method="mutagenesis", stretch=(0, 2), batch_size=16)
    held = model.asked._held
    assert sum(isinstance(x, Forward) for x in set(held.values())) == 1
    (changes,) = (x for x in held.values() if isinstance(x, Mutagenesis))
    assert changes._run is held["explain", 16]


def test_the_command_fills_a_folder(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Page, tables and arrays; strange names are text everywhere; what stands there is not lost."""
    out = tmp_path / "why"
    command = ["explain", str(home / "classes"), str(home / "s.fa"), "-o", str(out), *SMALL]
    assert main([*command, "--target", "<i>yes"]) == 0
    assert f"2 sequences by mutagenesis, in nats of log odds -> {out / 'index.html'}" in capsys.readouterr().out
    assert sorted(p.name for p in out.iterdir()) == ["bases.tsv", "index.html", "ohe.npz", "seqlets.tsv", "shap.npz"]
    page = (out / "index.html").read_text()
    assert "&lt;b&gt;&amp;" in page
    assert '<b>&"' not in page
    assert "<i>yes" not in page
    assert page.count("<svg") == 5  # outlines of the letters; letters and attention of two sequences
    one_hot, shap = (np.load(out / name)["arr_0"] for name in ("ohe.npz", "shap.npz"))
    assert one_hot.shape == shap.shape == (2, 4, 32)
    assert "".join("ACGT"[i] for i in one_hot[0].argmax(0)) == GENOME[:32]
    assert not one_hot[1, :, 18:].any()
    rows = [line.split("\t") for line in (out / "bases.tsv").read_text().splitlines()]
    assert len(rows) == 1 + 32 + 18
    assert rows[1][:4] == [ODD, "0", "A", "<i>yes"]
    np.testing.assert_allclose(float(rows[1][4]), shap[0, 0, 0], rtol=1e-4, atol=1e-7)
    assert main(command) == 2
    assert "expected a new folder, got one that exists" in capsys.readouterr().err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    assert main(["explain", command[1], command[2], "-o", str(tmp_path / "mine"), "--overwrite"]) == 2
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_places_in_a_genome_also_give_a_bigwig(home: Path, model: Trained, tmp_path: Path) -> None:
    pytest.importorskip("pybigtools")
    out = tmp_path / "why"
    found = model.explain(home / "g.fa", home / "p.bed", batch_size=16, attention=False)
    found.write(out)
    found.write(out, overwrite=True)
    with BigWig(out / "contributions.bw") as file:
        values = file.values(gattn_tg.Interval("chr1", 0, len(GENOME)))
    rows = [line.split("\t") for line in (out / "bases.tsv").read_text().splitlines()][1:]
    assert [row[0] for row in rows[::20]] == ["chr1:0-20:+", "chr1:30-50:-"]
    told = np.array([float(row[4]) + float(row[5]) for row in rows])
    np.testing.assert_allclose(values[:20], told[:20], rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(values[30:50], told[:19:-1], rtol=1e-3, atol=1e-6)


def test_methods_agree_about_what_is_answered(model: Trained, home: Path) -> None:
    """Sequences that are explained for the class that is predicted, by every method, with the same answer."""
    found = {name: model.explain(home / "s.fa", method=name, batch_size=16, steps=16, references=2, attention=False)
             for name in ("mutagenesis", "gradient", "integrated", "expected")}  # fmt: skip
    predicted = model.predict(home / "s.fa").predicted
    for name, one in found.items():
        assert one.targets == predicted, name
        np.testing.assert_allclose([a.answer for a in one.attributions],
                                   [a.answer for a in found["gradient"].attributions], atol=1e-6)  # fmt: skip
        assert len(list(one.rows())) == 50
    assert f"2 sequences by {name}" in repr(one)


@pytest.mark.parametrize("method", ["mutagenesis", "gradient", "integrated"])
def test_where_training_turned_strands_both_are_explained(home: Path, method: str) -> None:
    """As `predict` answers: the mean over a sequence and its reverse complement, told on the strand that was given."""
    sequences, asked = [GENOME[:32], GENOME[40:58]], {"method": method, "target": "yes", "attention": False}
    turned = [reverse_complement(x) for x in sequences]
    model = gattn_tg.load(home / "turned")
    found = model.explain([*sequences, *turned], batch_size=16, **asked).attributions
    alone = model.explain([*sequences, *turned], batch_size=16, both_strands=False, **asked).attributions
    for here, other, one, two in zip(found[:2], found[2:], alone[:2], alone[2:], strict=True):
        assert abs(one.answer - two.answer) > 1e-3
        np.testing.assert_allclose([here.answer, other.answer], (one.answer + two.answer) / 2, rtol=1e-5)
        for name in ("contributions", "by_motif"):
            mean = (getattr(one, name) + getattr(two, name)[::-1]) / 2
            np.testing.assert_allclose(getattr(here, name), mean, rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(getattr(other, name)[::-1], mean, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(here.hypothetical, other.hypothetical[::-1, ::-1], rtol=1e-4, atol=1e-5)


def test_where_training_turned_strands_a_motif_does_the_same_on_the_other(home: Path) -> None:
    model, backgrounds = gattn_tg.load(home / "turned"), [GENOME[:32], GENOME[20:52]]

    def effect(sequences: list[str], strand: str, position: int, both_strands: bool | None) -> float:
        told = model.marginalize(sequences, "TTGACG", strands=strand, positions=[position], target="yes",
                                 batch_size=16, both_strands=both_strands)  # fmt: skip
        return float(told.found[0].effect.mean)

    turned = [reverse_complement(x) for x in backgrounds]
    here, there = (effect(*where, None) for where in ((backgrounds, "+", 4), (turned, "-", 32 - 4 - 6)))
    np.testing.assert_allclose(here, there, rtol=1e-4)
    assert abs(effect(backgrounds, "+", 4, False) - here) > 1e-4
    with pytest.raises(ConfigError, match=r"explain: expected one strand for a GenomicGPT, as both_strands is for .*; leave it out"):
        gattn_tg.load(home / "gpt").explain(GENOME[:20], both_strands=True)


def test_what_cannot_be_explained_is_said(model: Trained, home: Path) -> None:
    for error, message, ask in (
        (ConfigError, "explain: expected as method one of mutagenesis, gradient, integrated, expected, got 'shap'",
         lambda: model.explain("ACGT", method="shap")),
        (ConfigError, "explain: expected as target one of no, <i>yes, got 'x'", lambda: model.explain("ACGT", target="x")),
        (ConfigError, "explain: steps: expected a number from 1 up, got 0", lambda: model.explain("ACGT", steps=0)),
        (ConfigError, "expected hold_motifs for mutagenesis only",
         lambda: model.explain("ACGT", method="gradient", hold_motifs=True)),
        (ConfigError, "explain: expected a stretch for mutagenesis only, got gradient",
         lambda: model.explain("ACGT", method="gradient", stretch=(0, 2))),
        (ConfigError, "explain: at: expected bases from 0 up, the first before the end, got (3, 3)",
         lambda: model.explain("ACGT", at=(3, 3))),
        (ConfigError, "explain: expected no base for a SequenceClassifier, which answers about a whole sequence, got 1",
         lambda: model.explain("ACGT", at=1)),
        (ConfigError, "explain: expected no head for a SequenceClassifier, got 'human'",
         lambda: model.explain("ACGT", head="human")),
        (UnsupportedError, "explain: expected a model of classes, labels or values of whole sequences, got a GenomicGPT",
         lambda: gattn_tg.load(home / "gpt").marginalize("ACGT", "tata_box")),
    ):  # fmt: skip
        with pytest.raises(error) as caught:
            ask()
        assert message in str(caught.value)
