"""NaN and infinity never leave a model as an answer: every verb ends with one line, and no output is left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tinygrad import Tensor
from tinygrad.nn.state import get_state_dict

from gattn_tg.cli.main import main
from gattn_tg.errors import DivergedError
from gattn_tg.models import checkpoint
from gattn_tg.models.bases import PerBaseConfig, PerBaseModel
from gattn_tg.models.captured.forward import class_probabilities
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.models.gpt import GenomicGPT, GPTConfig
from gattn_tg.models.kinds import KINDS
from gattn_tg.models.tracks import TrackConfig, TrackModel
from gattn_tg.motif import MotifVocabulary
from gattn_tg.seq import decode

SIZES: dict[str, Any] = {"width": 32, "n_layers": 1, "n_heads": 2, "mlp_ratio": 1, "dropout": 0.0}
N = 32
TRACKS = {"head": "human", "tracks": ["a"], "pairs": None, "scale": [2.0], "soft_clip": 1.0, "window_bp": N}
MODELS = {
    "classifier": SequenceClassifier(ClassifierConfig(n_classes=2, max_length=N, **SIZES)),
    "tracks": TrackModel(TrackConfig(heads=(("human", 1),), stem_width=32, bin_bp=8, composition_bp=(), **SIZES)),
    "sites": PerBaseModel(PerBaseConfig(**SIZES)),
    "language": GenomicGPT(GPTConfig(context=N, **SIZES)),
}
ABOUT: dict[str, dict[str, Any]] = {
    "classifier": {"labels": ["no", "yes"]}, "tracks": TRACKS, "sites": {"window_bp": N, "site_bp": 2}, "language": {},
}  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints of finite weights whose last layer is so large that its sums are not finite."""
    folder, rng = tmp_path_factory.mktemp("finite"), np.random.default_rng(0)
    letters = decode(rng.integers(0, 4, N))
    (folder / "g.fa").write_text(f">a\n{letters}\n")
    (folder / "t.csv").write_text(f"sequence,label\n{letters},no\n{letters[::-1]},yes\n")
    for name, model in MODELS.items():
        last = [key for key in get_state_dict(model) if key.endswith("weight") and key.startswith(("head", "to_bases"))]
        for key in last:
            weight = get_state_dict(model)[key]
            weight.assign(weight.sign() * 3e38).realize()
        readout = KINDS[type(model).__name__].readout.from_about(ABOUT[name])
        checkpoint.save(model, folder / name, readout=readout, vocabulary=MotifVocabulary.default())
    return folder


@pytest.mark.parametrize("command", [
    "predict classifier g.fa -o out.tsv", "evaluate classifier t.csv",
    "predict tracks g.fa -o out.npz", "predict sites g.fa -o out.npz", "generate language --length 3 -o out.fa",
])  # fmt: skip
def test_one_line_and_no_output(
    home: Path, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(home)
    before = sorted(p.name for p in home.iterdir())
    assert main(command.split()) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "expected finite scores, got " in said.err.splitlines()[-1]
    assert "Traceback" not in said.err
    assert sorted(p.name for p in home.iterdir()) == before


@pytest.mark.parametrize("odd", [-np.inf, np.inf, np.nan])
def test_a_logit_that_is_not_finite_is_no_probability(odd: float) -> None:
    """A softmax makes 0 of minus infinity, and 1 of what stands beside it."""
    logits = np.array([[0.5, 1.0], [odd, 0.3], [0.1, 0.2]], np.float32)

    def model(rows: Tensor) -> Tensor:
        return Tensor(logits)[rows]

    sure = class_probabilities(model, 1)
    np.testing.assert_allclose(sure(np.array([0, 2])).sum(1), 1.0, rtol=1e-6)
    with pytest.raises(DivergedError, match="expected finite scores, got 2 of 2 that are NaN or infinite"):
        sure(np.array([1]))
