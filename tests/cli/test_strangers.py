"""Checkpoints from strangers on the command line: one line that names the file, exit code 2, no output."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gattn_tg.cli.main import main
from gattn_tg.models import checkpoint
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.models.readouts.sequences import ClassReadout
from gattn_tg.models.safetensors import pack, unpack
from gattn_tg.motif import MotifVocabulary


def with_nan(name: str) -> Callable[[Path], None]:
    """One weight is NaN, and the digest is that of the changed file."""

    def change(folder: Path) -> None:
        arrays = unpack((folder / checkpoint.WEIGHTS).read_bytes(), "x")
        arrays[name].reshape(-1)[0] = np.nan
        data = pack(arrays)
        (folder / checkpoint.WEIGHTS).write_bytes(data)
        told(weights_sha256=hashlib.sha256(data).hexdigest())(folder)

    return change


def told(**changes: object) -> Callable[[Path], None]:
    """Other values in config.json."""

    def change(folder: Path) -> None:
        path = folder / checkpoint.CONFIG
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return change


def wide(folder: Path) -> None:
    config = json.loads((folder / checkpoint.CONFIG).read_text())["config"]
    told(config={**config, "width": 65_536})(folder)


STRANGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "ck_nan_q": (with_nan("blocks.0.attention.q_proj.weight"), "q_proj.weight' that are NaN or infinite"),
    "ck_nan_v": (with_nan("blocks.0.attention.v_proj.weight"), "v_proj.weight' that are NaN or infinite"),
    "ck_nan_bias": (with_nan("blocks.0.attention.motif_bias"), "motif_bias' that are NaN or infinite"),
    "ck_wide": (wide, "the configuration and the weights are of different models"),
    "ck_nested": (lambda folder: (folder / "config.json").write_text("[" * 99_999), "nested too deeply"),
    "ck_labels": (told(labels=[1, 2]), "expected labels of different text"),
    "ck_cut": (lambda folder: (folder / "model.safetensors").write_bytes(b"\xff" * 9), "expected a whole safetensors"),
    "ck_empty": (lambda folder: (folder / "model.safetensors").unlink(), "got one without model.safetensors"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_one_line_for_every_verb(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = SequenceClassifier(ClassifierConfig(n_classes=2, width=8, n_layers=1, n_heads=2))
    folder = checkpoint.save(model, tmp_path / name, readout=ClassReadout(labels=("neg", "pos")),
                             vocabulary=MotifVocabulary.default())
    change, message = STRANGE[name]
    change(folder)
    (tmp_path / "p.fa").write_text(">a\nACGTACGTAC\n")
    (tmp_path / "p.csv").write_text("sequence,label\nACGTACGTAC,neg\nTTTTACGTAC,pos\n")
    for command in (["predict", folder, tmp_path / "p.fa", "-o", tmp_path / "out.tsv"],
                    ["evaluate", folder, tmp_path / "p.csv"]):  # fmt: skip
        assert main([str(word) for word in command]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        (line,) = said.err.splitlines()
        assert line.startswith(f"gattn: {folder}")
        assert message in line
    assert not (tmp_path / "out.tsv").exists()
