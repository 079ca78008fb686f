"""Predictions from files: order, names, labels; evaluation; refusals."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tinygrad import Tensor

from gattn_tg.errors import ConfigError, FormatError, LengthWarning
from gattn_tg.io import Record
from gattn_tg.metrics.classes import confusion
from gattn_tg.models.captured.forward import Forward, class_probabilities
from gattn_tg.models.checkpoint import Checkpoint
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.models.readouts.sequences import ClassReadout
from gattn_tg.motif import MotifVocabulary
from gattn_tg.score.evaluate import outcome
from gattn_tg.score.predict import fields, header, predict
from gattn_tg.score.sequences import read

CONFIG = ClassifierConfig(
    n_classes=2, width=8, n_layers=1, n_heads=2, positions="learned", max_length=10, stem_kernel=0, dropout=0.0
)

READOUT = ClassReadout(labels=("no", "yes"))


@pytest.fixture(scope="module")
def trained() -> tuple[Checkpoint, Forward]:
    model = SequenceClassifier(CONFIG, seed=1)
    model.head.weight = Tensor(np.random.default_rng(5).standard_normal((2, 8)).astype(np.float32))
    model.head.bias = Tensor([0.0, 0.0])
    return Checkpoint(model, MotifVocabulary.default(), READOUT), class_probabilities(model, 4)


def test_predictions_keep_order_and_do_not_depend_on_neighbours(trained: tuple[Checkpoint, Forward]) -> None:
    checkpoint, forward = trained
    rng = np.random.default_rng(0)
    records = [
        Record(f"s{i}", "", bytes(rng.choice(list(b"ACGTacgtN"), rng.integers(1, 11)).tolist())) for i in range(70)
    ]
    whole = list(predict(checkpoint, records, run=forward, batch_size=4))  # more than one chunk of 16 batches of 4
    assert [p.name for p in whole] == [r.name for r in records]
    assert [p.length for p in whole] == [len(r.sequence) for r in records]
    for p in whole:
        assert sum(p.probabilities) == pytest.approx(1.0, abs=1e-5)
        assert p.label == ("no", "yes")[int(np.argmax(p.probabilities))]
    assert {p.label for p in whole} == {"no", "yes"}
    alone = next(predict(checkpoint, records[66:67], run=forward, batch_size=4))
    assert alone.probabilities == pytest.approx(whole[66].probabilities, abs=1e-6)
    lower = next(predict(checkpoint, [Record("x", "", records[66].sequence.lower())], run=forward, batch_size=4))
    assert lower.probabilities == alone.probabilities
    assert header(checkpoint.labels) == ["name", "length", "predicted", "p_no", "p_yes"]
    assert fields(whole[0])[3:] == [f"{x:.6f}" for x in whole[0].probabilities]


def test_too_long_a_sequence(trained: tuple[Checkpoint, Forward]) -> None:
    with pytest.raises(FormatError, match=r"a.fa: expected sequences of at most 10 bases .* got 'chr1' of 11; cut"):
        list(predict(trained[0], [Record("chr1", "", b"A" * 11)], run=trained[1], where="a.fa"))


def test_sequences_far_shorter_than_those_of_training_are_told(trained: tuple[Checkpoint, Forward]) -> None:
    checkpoint = replace(trained[0], readout=replace(READOUT, shortest=8))
    records = [Record("a", "", b"ACGT"), Record("b", "", b"ACG"), Record("c", "", b"ACGTACGTAC")]
    text = r"a.fa: 1 of 3 sequences have less than half .* \(8\); nothing is known"
    with pytest.warns(LengthWarning, match=text) as told:
        assert len(list(predict(checkpoint, records, run=trained[1], where="a.fa"))) == 3
    assert len(told) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(predict(checkpoint, records[::2], run=trained[1], where="a.fa"))) == 2
        assert len(list(predict(trained[0], records, run=trained[1], where="a.fa"))) == 3  # of an older checkpoint


def test_reads_fasta_and_tables(tmp_path: Path) -> None:
    fasta, table = tmp_path / "a.txt", tmp_path / "b.txt"
    fasta.write_text("\n>one x\nACGT\nAC\n>two\nGG\n")
    table.write_text("id\tsequence\n7\tACGTAC\n8\tGG\n")
    assert [(r.name, r.sequence) for r in read(fasta)] == [("one", b"ACGTAC"), ("two", b"GG")]
    assert [(r.name, r.sequence) for r in read(table)] == [("row_1", b"ACGTAC"), ("row_2", b"GG")]
    (tmp_path / "c.txt").write_text("")
    with pytest.raises(FormatError, match="expected at least one record, got an empty file"):
        list(read(tmp_path / "c.txt"))


def test_both_strands(trained: tuple[Checkpoint, Forward], tmp_path: Path) -> None:
    """Equal answers on both strands, in between those of the strands; the same through a table; refused by name."""
    checkpoint, forward = trained
    records = [Record("here", "", b"ACGTATAAAG"), Record("there", "", b"CTTTATACGT")]
    apart = [p.probabilities[1] for p in predict(checkpoint, records, run=forward, batch_size=4)]
    here, there = (
        p.probabilities[1] for p in predict(checkpoint, records, run=forward, batch_size=4, both_strands=True)
    )
    assert here == there == pytest.approx(np.mean(apart), abs=1e-6)
    assert apart[0] != apart[1]
    path = tmp_path / "a.csv"
    path.write_text("sequence,label\n" + "".join(f"{r.sequence.decode()},yes\n" for r in records))
    loss = outcome(checkpoint, path, batch_size=4, both_strands=True).metrics()["loss"]
    assert loss == pytest.approx(-np.log(here), abs=1e-5)
    vocabulary = checkpoint.vocabulary
    tata = next(motif for motif in vocabulary.classes if motif.name == "tata_box")
    lone = MotifVocabulary((tata,))
    with pytest.raises(ConfigError, match="mean over both strands: expected a vocabulary whose classes mean the"):
        list(predict(replace(checkpoint, vocabulary=lone), records, run=forward, batch_size=4, both_strands=True))


def test_evaluation_counts(trained: tuple[Checkpoint, Forward], tmp_path: Path) -> None:
    checkpoint, forward = trained
    letters = np.random.default_rng(1).choice(list("ACGT"), (9, 10))
    sequences = ["".join(row) for row in letters]
    records = [Record("x", "", s.encode()) for s in sequences]
    found = [p.label for p in predict(checkpoint, records, run=forward, batch_size=4)]
    path = tmp_path / "a.csv"
    path.write_text("sequence,label\n" + "".join(f"{s},yes\n" for s in sequences))
    result = outcome(checkpoint, path, batch_size=4)
    n_right = found.count("yes")
    assert confusion(result.truth, result.answers.argmax(1), 2).tolist() == [[0, 0], [9 - n_right, n_right]]
    assert result.metrics()["accuracy"] == pytest.approx(n_right / 9)
    path.write_text("sequence,label\nACGT,maybe\n")
    with pytest.raises(ConfigError, match="expected labels no, yes, got maybe"):
        outcome(checkpoint, path)
