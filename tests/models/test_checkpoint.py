"""Checkpoints: equal bytes, nothing lost, and every damage refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tinygrad import Tensor
from tinygrad.nn.state import get_state_dict

from gattn_tg.errors import ConfigError, FormatError
from gattn_tg.models import checkpoint
from gattn_tg.models.classifier import SequenceClassifier
from gattn_tg.models.config import ClassifierConfig
from gattn_tg.motif import MotifVocabulary

CONFIG = ClassifierConfig(n_classes=2, width=16, n_layers=1, n_heads=2, motif="pair", stem_kernel=3)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return checkpoint.save(SequenceClassifier(CONFIG, seed=3), tmp_path / "best", labels=("no", "yes"),
                           vocabulary=MotifVocabulary.default(), extra={"step": 7})


def test_save_load_save_gives_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    loaded = checkpoint.load(saved)
    assert (loaded.labels, loaded.extra, loaded.config) == (("no", "yes"), {"step": 7}, CONFIG)
    assert loaded.vocabulary == MotifVocabulary.default()
    again = checkpoint.save(loaded.model, tmp_path / "again", labels=loaded.labels, vocabulary=loaded.vocabulary,
                            extra=loaded.extra)
    for name in (checkpoint.WEIGHTS, checkpoint.CONFIG):
        assert (again / name).read_bytes() == (saved / name).read_bytes()
    assert sorted(p.name for p in again.iterdir()) == ["config.json", "model.safetensors"]


def test_a_loaded_model_answers_as_before(saved: Path) -> None:
    rng = np.random.default_rng(0)
    inputs = [Tensor(rng.integers(0, 4, (2, 9)).astype(np.uint8)), Tensor(rng.integers(0, 16, (2, 9)).astype(np.uint8)),
              Tensor(np.array([9, 5], np.int32))]
    before = SequenceClassifier(CONFIG, seed=3)(*inputs).numpy()
    np.testing.assert_array_equal(checkpoint.load(saved).model(*inputs).numpy(), before)


def test_saving_over_a_loaded_checkpoint_keeps_the_new_weights(saved: Path) -> None:
    loaded = checkpoint.load(saved)
    loaded.model.head.weight.assign(loaded.model.head.weight + 1.0)
    checkpoint.save(loaded.model, saved, labels=loaded.labels, vocabulary=loaded.vocabulary)
    want = SequenceClassifier(CONFIG, seed=3).head.weight.numpy() + 1.0
    np.testing.assert_array_equal(checkpoint.load(saved).model.head.weight.numpy(), want)


def test_other_programs_read_the_weights(saved: Path) -> None:
    safetensors = pytest.importorskip("safetensors.numpy", reason="the safetensors package is not installed")
    theirs = safetensors.load_file(saved / checkpoint.WEIGHTS)
    ours = get_state_dict(checkpoint.load(saved).model)
    assert set(theirs) == set(ours)
    assert all(np.array_equal(theirs[name], ours[name].numpy()) for name in ours)


def edit(folder: Path, **changes: object) -> None:
    path = folder / checkpoint.CONFIG
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_damage_is_refused_by_name(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"a checkpoint is a folder with config\.json and model\.safetensors, but"):
        checkpoint.load(tmp_path)
    whole = (saved / checkpoint.WEIGHTS).read_bytes()
    (saved / checkpoint.WEIGHTS).write_bytes(whole[:-10])
    with pytest.raises(FormatError, match="the digest differs; the file is truncated, changed, or from another"):
        checkpoint.load(saved)
    (saved / checkpoint.WEIGHTS).write_bytes(whole)
    edit(saved, format=99)
    with pytest.raises(FormatError, match="checkpoint format 1 is required, but found 99; was it written by another"):
        checkpoint.load(saved)
    edit(saved, format=1, config={**json.loads(CONFIG.to_json()), "n_layers": 2})
    with pytest.raises(FormatError, match=r"the weights lack 'blocks\.1"):
        checkpoint.load(saved)
    edit(saved, config={**json.loads(CONFIG.to_json()), "width": 32})
    with pytest.raises(FormatError, match=r"must have shape .* but has .* of different models"):
        checkpoint.load(saved)
    (saved / checkpoint.CONFIG).write_text("{")
    with pytest.raises(FormatError, match="JSON is required, but it does not parse"):
        checkpoint.load(saved)
    (saved / checkpoint.CONFIG).write_text('{"format": 1}')
    with pytest.raises(FormatError, match="config, labels, vocabulary, weights_sha256 must be present, but is missing"):
        checkpoint.load(saved)


def test_about_survives_and_another_kind_is_refused(tmp_path: Path) -> None:
    about = {"labels": ["no", "yes"], "vocabulary": MotifVocabulary.default().to_toml(), "assays": [1, "a"]}
    folder = checkpoint.save(SequenceClassifier(CONFIG), tmp_path / "best", about=about)
    loaded = checkpoint.load(folder, kind="SequenceClassifier")
    assert (loaded.about, loaded.labels, loaded.vocabulary) == (about, ("no", "yes"), MotifVocabulary.default())
    with pytest.raises(FormatError, match="a checkpoint of a GenomicGPT is required, but this one is of a Sequence"):
        checkpoint.load(folder, kind="GenomicGPT")
    edit(folder, model="Unheard")
    with pytest.raises(ConfigError, match=r"the kind of model must be one of SequenceClassifier.* but is 'Unheard'"):
        checkpoint.load(folder)


def test_a_checkpoint_of_the_first_version_loads(saved: Path) -> None:
    old = {k: v for k, v in json.loads(CONFIG.to_json()).items() if k not in ("rope_scaling", "rope_factor")}
    edit(saved, config=old)
    assert checkpoint.load(saved).config == CONFIG
