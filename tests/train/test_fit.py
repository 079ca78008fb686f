"""Runs: they learn, repeat bit for bit, survive Ctrl-C, resume exactly, and say when they diverge."""

from __future__ import annotations

import json
import math
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tinygrad.nn.state import get_state_dict
from train import tiny

from gattn_tg.data.metrics import measure
from gattn_tg.errors import ConfigError, DivergedError
from gattn_tg.models import checkpoint
from gattn_tg.models.classifier import SequenceClassifier
from gattn_tg.train.config import TrainSettings
from gattn_tg.train.fit import Fit, Fitted
from gattn_tg.train.folder import RunFolder
from gattn_tg.train.state import Progress
from gattn_tg.train.watch import Epoch, Watcher

TRAIN, VALID = tiny.dataset(44, 0), tiny.dataset(20, 1)  # 44: the last of six batches is half full


def fit(
    settings: TrainSettings = tiny.SETTINGS,
    folder: RunFolder | None = None,
    watcher: Watcher | None = None,
    resume: bool = False,
) -> tuple[SequenceClassifier, Fitted]:
    model = tiny.network(settings.seed)
    run = Fit(model, TRAIN, VALID, settings, tiny.VOCABULARY, folder, watcher or Watcher())
    return model, run.run(resume=resume)


def weights(model: SequenceClassifier) -> dict[str, bytes]:
    return {name: t.numpy().tobytes() for name, t in get_state_dict(model).items()}


class Pressing(Watcher):
    """Presses Ctrl-C during a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def stepped(self, step: int, loss: float, rate: float, n_sequences: int) -> None:
        if step == self.step:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[SequenceClassifier, Fitted, RunFolder, list[Epoch]]:
    """One run without interruption; every run of this file costs seconds of scheduling, so they are shared."""
    seen: list[Epoch] = []

    class Listening(Watcher):
        def finished_epoch(self, epoch: Epoch) -> None:
            seen.append(epoch)

    folder = RunFolder(tmp_path_factory.mktemp("fit") / "whole")
    model, fitted = fit(folder=folder, watcher=Listening())
    return model, fitted, folder, seen


Whole = tuple[SequenceClassifier, Fitted, RunFolder, list[Epoch]]


def test_learns_a_rule_and_keeps_the_best_epoch(whole: Whole) -> None:
    model, fitted, folder, seen = whole
    assert fitted.epochs == tuple(seen)
    assert not fitted.interrupted
    assert fitted.step == 6 * len(seen)
    assert len(seen) == tiny.SETTINGS.epochs
    best = max(e.valid.accuracy for e in seen)
    assert best >= 0.95
    assert seen[fitted.best_epoch - 1].valid.accuracy == best
    held = measure(VALID.labels, fitted.forward(VALID))
    assert held == seen[fitted.best_epoch - 1].valid  # the model holds the best weights, not the last
    assert weights(checkpoint.load(folder.best).model) == weights(model)
    lines = [json.loads(line) for line in folder.metrics.read_text().splitlines()]
    assert [line["epoch"] for line in lines] == list(range(1, len(seen) + 1))
    assert lines[0].keys() == seen[0].to_dict().keys()
    assert math.isclose(lines[-1]["valid"]["loss"], seen[-1].valid.loss)


def test_the_motif_table_learns(whole: Whole) -> None:
    tables = [t.numpy() for name, t in get_state_dict(whole[0]).items() if name.endswith("motif_bias")]
    assert tables
    assert all(np.abs(t).max() > 0 for t in tables)


def test_interrupted_and_resumed_equals_uninterrupted(whole: Whole, tmp_path: Path) -> None:
    """Bit for bit, after Ctrl-C in the middle of the first pass and at the very end of the second."""
    folder = RunFolder(tmp_path / "cut")
    _, stopped = fit(folder=folder, watcher=Pressing(4))
    assert stopped.interrupted
    assert (stopped.step, stopped.best_epoch) == (4, 0)
    checkpoint.load(folder.last)
    with pytest.raises(ConfigError, match="the settings, model and data of the run are required to resume it"):
        fit(replace(tiny.SETTINGS, learning_rate=1e-3), RunFolder(folder.path, "resume"), resume=True)
    _, stopped = fit(folder=RunFolder(folder.path, "resume"), watcher=Pressing(12), resume=True)
    assert stopped.interrupted
    assert (stopped.step, len(stopped.epochs)) == (12, 1)
    resumed, fitted = fit(folder=RunFolder(folder.path, "resume"), resume=True)
    assert not fitted.interrupted
    assert fitted.step == whole[1].step
    assert weights(resumed) == weights(whole[0])
    for name in ("last", "best"):
        files = [path / name / "model.safetensors" for path in (whole[2].path, folder.path)]
        assert files[0].read_bytes() == files[1].read_bytes()
    assert lasting(whole[2]) == lasting(folder)


def lasting(folder: RunFolder) -> list[dict[str, object]]:
    """The lines of metrics.jsonl without the times."""
    lines = [json.loads(line) for line in folder.metrics.read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in ("seconds", "sequences_per_s")} for line in lines]


def test_a_loss_that_is_no_number_names_the_step() -> None:
    settings = replace(tiny.SETTINGS, learning_rate=1e30, clip_norm=0.0, weight_decay=0.0)
    message = r"train: a finite loss is required, but step \d+ gave loss .*; lower learning_rate \(now 1e\+30\)"
    with pytest.raises(DivergedError, match=message):
        fit(settings)


@pytest.mark.parametrize(("patience", "epoch", "is_over"), [(0, 50, False), (3, 4, False), (3, 5, True), (3, 9, True)])
def test_patience(patience: int, epoch: int, is_over: bool) -> None:
    run = Fit(tiny.network(), TRAIN, VALID, replace(tiny.SETTINGS, patience=patience), tiny.VOCABULARY)
    run.progress = Progress(epoch=epoch, best=[0.9, -0.1], best_epoch=2)
    assert run.patience_is_over() is is_over
