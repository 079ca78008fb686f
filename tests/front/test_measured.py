# ruff: noqa: E501 - error texts stand whole, as users meet them
"""A model that reads measured states: tables and reads with them are asked alike, and letters alone are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tinygrad import Tensor

import gattn_tg
from gattn_tg.cli.main import main
from gattn_tg.errors import FormatError, GattnError, UnsupportedError
from gattn_tg.io import Read, Record
from gattn_tg.metrics.mixture import share
from gattn_tg.models import checkpoint
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.models.readouts.sequences import ClassReadout
from gattn_tg.motif import MotifVocabulary

CONFIG = ClassifierConfig(n_classes=2, width=8, n_layers=1, n_heads=2, max_length=16, stem_kernel=0, dropout=0.0,
                          motif="pair")  # fmt: skip
READOUT = ClassReadout(labels=("normal", "tumour"), state_column="calls")
ROWS = [("a", "ACGTACGTAC", ".1...0....", "tumour"), ("b", "ACGTACGTAC", ".0...0....", "normal"),
        ("c", "CGCGCG", "1.1.1.", "tumour"), ("d", "TTTTCGTTTT", "..........", "normal")]  # fmt: skip
READS = [Read(name, sequence, states=states) for name, sequence, states, _ in ROWS]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("measured")
    model = SequenceClassifier(CONFIG, seed=1)
    model.head.weight = Tensor(np.random.default_rng(5).standard_normal((2, 8)).astype(np.float32))
    checkpoint.save(model, folder / "model", readout=READOUT, vocabulary=MotifVocabulary.methylation())
    lines = ["name,sequence,calls,label", *(",".join(row) for row in ROWS)]
    (folder / "reads.csv").write_text("\n".join(lines) + "\n")
    (folder / "reads.fa").write_text("".join(f">{name}\n{sequence}\n" for name, sequence, *_ in ROWS))
    (folder / "odd.csv").write_text("name,sequence,calls,label\na,ACGT,.m..,tumour\n")
    (folder / "short.csv").write_text("name,sequence,calls,label\na,ACGT,.1.,tumour\n")
    return folder


@pytest.fixture(scope="module")
def model(home: Path) -> Any:
    return gattn_tg.load(home / "model")


def test_a_table_and_reads_get_the_same_answers_and_these_rest_on_the_states(home: Path, model: Any) -> None:
    found = model.predict(home / "reads.csv")
    assert found.names == ("a", "b", "c", "d")
    assert (found.probabilities == model.predict(READS).probabilities).all()
    assert np.abs(found.probabilities[0] - found.probabilities[1]).max() > 1e-3  # their letters are the same
    swapped = [Read("a", "ACGTACGTAC", states=".0...1....")]
    assert np.abs(model.predict(swapped).probabilities[0] - found.probabilities[0]).max() > 1e-4


def test_both_strands_have_one_answer(model: Any) -> None:
    here = Read("here", "ACGTTCGA", states=".1...0..")
    there = Read("there", "TCGAACGT", states="..0...1.")  # the calls now stand at the G of each CpG
    p = model.predict([here, there], both_strands=True).probabilities
    assert (p[0] == p[1]).all()


def test_evaluation_reads_the_states(home: Path, model: Any, capsys: pytest.CaptureFixture[str]) -> None:
    found = model.evaluate(home / "reads.csv")
    assert (found.outcomes["data"].answers == model.predict(READS).probabilities).all()
    assert main(["evaluate", str(home / "model"), str(home / "reads.csv")]) == 0
    assert capsys.readouterr().out.startswith("4 sequences")


def test_attention_and_embedding_rest_on_the_states_too(model: Any) -> None:
    looks = model.motif_attention(READS[0])
    assert looks.frequency.tolist() == [0.6, 0.2, 0.2, 0.0]  # of none, cpg_methylated, cpg_unmethylated, cpg
    one, other = model.embed(READS[:2]).vectors
    assert np.abs(one - other).max() > 1e-3


@pytest.mark.parametrize(
    ("ask", "text"),
    [
        (lambda m, _: m.predict(["ACGT"]), "predict: expected the measured state of every base of 'sequence_1', which the model reads, got letters alone"),
        (lambda m, _: m.predict([READS[0], Record("x", "ACGT")]), "predict: expected the measured state of every base of 'x'"),
        (lambda m, h: m.predict(h / "reads.fa"), "expected a table with a column 'calls' of measured states, which the model reads, got FASTA; give a table"),
        (lambda m, h: m.predict(h / "odd.csv"), "expected the measured states 0 1 or ., as the vocabulary has them, got 'm'"),
        (lambda m, h: m.evaluate(h / "short.csv"), "line 2, calls: expected one letter for each of 4 bases, got 3; write . where nothing was measured"),
        (lambda m, _: m.embed(["ACGT"]), "sequences: expected the measured state of every base of 'sequence_1'"),
        (lambda m, _: m.motif_attention("ACGT"), "sequences: expected the measured state of every base of 'sequence_1'"),
    ],
    ids=["letters", "one-of-two", "fasta", "odd-state", "short", "embed", "attention"],
)  # fmt: skip
def test_what_has_no_states_is_refused(home: Path, model: Any, ask: Callable[[Any, Path], object], text: str) -> None:
    with pytest.raises(FormatError) as caught:
        ask(model, home)
    assert text in str(caught.value)


@pytest.mark.parametrize("method", ["explain", "variants", "along"])
def test_questions_about_letters_alone_are_refused(home: Path, model: Any, method: str) -> None:
    more = ["chr1:1:A>C"] if method == "variants" else []
    with pytest.raises(UnsupportedError) as caught:
        getattr(model, method)(home / "reads.fa", *more)
    assert str(caught.value).startswith(f"{method}: a SequenceClassifier cannot: it reads measured states beside the ")


def test_the_command_line_tells_it_in_one_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for more in ([], ["--stride", "4", "-o", str(home / "x.bw")]):
        assert main(["predict", str(home / "model"), str(home / "reads.fa"), *more]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert not (home / "x.bw").exists()


def test_reads_hold_one_state_per_base() -> None:
    assert READS[0] == Read("a", "", "ACGTACGTAC", b".1...0....") != Read("a", "", "ACGTACGTAC", "." * 10)
    assert READS[0] != Record("a", "ACGTACGTAC")
    assert len({READS[0], READS[1], Read("a", "ACGTACGTAC", states=".1...0....")}) == 2
    for states, text in ((".", "for each of 2 bases, got 1"), (". ", "got ' '"), ("é.", "got 'é'")):
        with pytest.raises(GattnError, match=text):
            Read("a", "AC", states=states)


def test_the_share_of_a_class_in_a_mixture(home: Path, model: Any, capsys: pytest.CaptureFixture[str]) -> None:
    p = model.predict(READS).probabilities[:, 1]
    known = (np.arange(4) % 2 == (0 if p[[0, 2]].mean() > p[[1, 3]].mean() else 1)).astype(int)  # told apart somehow
    rows = [f"{name},{s},{calls},{('normal', 'tumour')[k]}" for (name, s, calls, _), k in zip(ROWS, known, strict=True)]
    (home / "known.csv").write_text("\n".join(["name,sequence,calls,label", *rows]) + "\n")
    found = model.mixture(home / "reads.csv", home / "known.csv")
    assert found == share(p, p[known == 0], p[known == 1])
    asked = ["evaluate", str(home / "model"), str(home / "known.csv"), "--mixture", str(home / "reads.csv")]
    assert main(asked) == 0
    assert capsys.readouterr().out.startswith(f"{home / 'reads.csv'}: tumour {found.estimate:.1%} of 4 sequences (95 %")
    assert main([*asked, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"mixture": str(home / "reads.csv"), "label": "tumour",
                                                   **asdict(found)}  # fmt: skip
    assert main(["evaluate", str(home / "model"), "--mixture", str(home / "reads.csv")]) == 2
    assert "expected a table of known sequences with --mixture" in capsys.readouterr().err
