"""`gattn generate`: FASTA with the prompt in front, equal for equal seeds, and refusals in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gattn_tg.cli.main import main
from gattn_tg.io import read_fasta
from gattn_tg.models import checkpoint
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.models.gpt import GenomicGPT, GPTConfig
from gattn_tg.models.readouts.sequences import ClassReadout
from gattn_tg.motif import MotifVocabulary

SIZES = {"width": 16, "n_layers": 1, "n_heads": 2, "context": 32}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gpt") / "best"
    return checkpoint.save(GenomicGPT(GPTConfig.from_dict(SIZES)), folder, vocabulary=MotifVocabulary.default())


def test_fasta_with_the_prompt_in_front(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.fa"
    call = ["generate", str(saved), "--prompt", "acgt", "--length", "70", "--n", "2", "--seed", "5", "--json"]
    assert main([*call, "-o", str(out)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["n"], told["bases"], told["seed"]) == (2, 140, 5)
    first, second = (record.sequence for record in read_fasta(out))
    assert (len(first), first[:4], set(first) <= set(b"ACGT")) == (74, b"ACGT", True)
    assert first != second
    assert main([*call[:-1]]) == 0
    shown = capsys.readouterr().out
    assert shown == out.read_text()
    assert main([*call, "-o", str(out)]) == 2
    assert "a new file, got one that exists; add --overwrite" in capsys.readouterr().err


def test_refusals_take_one_line(saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    classifier = SequenceClassifier(ClassifierConfig(n_classes=2, width=16, n_layers=1, n_heads=2))
    other = checkpoint.save(classifier, tmp_path / "c", readout=ClassReadout(labels=("a", "b")),
                            vocabulary=MotifVocabulary.default())
    for arguments, text in (
        ([str(other)], "a SequenceClassifier cannot: only a model that predicts the next base can write"),
        ([str(saved), "--temperature", "-1"], "0 or a number from 1e-3 to 1e3, got '-1'"),
        ([str(saved), "--top-k", "9"], "at most 4, got '9'"),
        ([str(saved), "--prompt", "AC!"], "got '!' at position 2 of 3"),
    ):
        assert main(["generate", *arguments]) == 2
        assert text in capsys.readouterr().err
