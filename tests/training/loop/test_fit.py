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
from training import tiny

from gattn_tg.errors import ConfigError, DivergedError
from gattn_tg.models import checkpoint
from gattn_tg.models.classifier import SequenceClassifier
from gattn_tg.training.keep.folder import RunFolder
from gattn_tg.training.keep.state import Progress
from gattn_tg.training.loop.fit import Fit
from gattn_tg.training.loop.watch import Fitted, Plan, Trained, Validated, Watcher
from gattn_tg.training.settings import TrainSettings
from gattn_tg.training.tasks.classify import Classify


def fit(
    settings: TrainSettings = tiny.SETTINGS,
    folder: RunFolder | None = None,
    watcher: Watcher | None = None,
    resume: bool = False,
) -> tuple[Classify, Fitted]:
    task = tiny.task(settings)
    return task, Fit(task, settings, folder, watcher or Watcher()).run(resume=resume)


def weights(model: SequenceClassifier) -> dict[str, bytes]:
    return {name: t.numpy().tobytes() for name, t in get_state_dict(model).items()}


class Pressing(Watcher):
    """Presses Ctrl-C during a step, or is told to end by a batch system."""

    def __init__(self, step: int, number: signal.Signals = signal.SIGINT) -> None:
        self.step, self.number = step, number

    def stepped(self, step: int, loss: float, rate: float, n_rows: int) -> None:
        if step == self.step:
            os.kill(os.getpid(), self.number)


class Listening(Watcher):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.plans: list[Plan] = []
        self.trains: list[Trained] = []
        self.valids: list[Validated] = []
        self.saves: list[int] = []

    def started(self, plan: Plan) -> None:
        self.plans.append(plan)

    def trained(self, record: Trained) -> None:
        self.trains.append(record)

    def validated(self, record: Validated) -> None:
        self.valids.append(record)

    def saved(self, folder: Path, step: int) -> None:
        self.saves.append(step)


Whole = tuple[Classify, Fitted, RunFolder, Listening]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """One run without interruption; every run of this file costs seconds of scheduling, so they are shared."""
    heard, folder = Listening(), RunFolder(tmp_path_factory.mktemp("fit") / "whole")
    task, fitted = fit(folder=folder, watcher=heard)
    return task, fitted, folder, heard


def test_learns_a_rule_and_keeps_the_best_weights(whole: Whole) -> None:
    task, fitted, folder, heard = whole
    assert fitted.validations == tuple(heard.valids)
    assert not fitted.interrupted
    assert fitted.step == 6 * len(heard.valids)
    assert len(heard.valids) == tiny.SETTINGS.epochs
    best = max(v.metrics["accuracy"] for v in heard.valids)
    assert best >= 0.95
    chosen = heard.valids[fitted.best_step // 6 - 1]
    assert chosen.is_best
    assert chosen.metrics["accuracy"] == best
    assert task.validate() == chosen.metrics  # the model holds the best weights, not the last
    assert weights(checkpoint.load(folder.best).model) == weights(task.model)
    assert checkpoint.load(folder.best).extra == {"step": fitted.best_step}


def test_tells_its_plan_and_every_line(whole: Whole) -> None:
    _, _, folder, heard = whole
    assert heard.plans == [Plan(0, 60, 6, 8, whole[0].model.n_parameters, "accuracy", True)]
    lines = folder.journal.lines()
    assert [x["step"] for x in lines if x["kind"] == "valid"] == list(range(6, 61, 6))
    assert [x["step"] for x in lines if x["kind"] == "train"] == list(range(10, 61, 10))
    assert lines[1] == heard.trains[0].to_dict()
    assert math.isclose(lines[-1]["metrics"]["loss"], heard.valids[-1].metrics["loss"])
    assert heard.trains[0].examples_per_s
    assert all(0 <= record.waited < 1 for record in heard.trains)
    assert heard.trains[0].positions_per_s == pytest.approx(heard.trains[0].examples_per_s * tiny.LENGTH)
    losses = [x["loss"] for x in lines if x["kind"] == "train"]
    assert losses[-1] < losses[0]
    assert heard.saves == list(range(6, 61, 6))
    assert folder.checkpoints.steps() == [48, 54, 60]


def test_a_validation_without_finite_scores_ends_the_run(tmp_path: Path) -> None:
    """The loss of the only step is still one; what the step made of the weights is seen by the validation."""
    folder = RunFolder(tmp_path / "run")
    settings = replace(tiny.SETTINGS, steps=1, learning_rate=1e38, warmup_steps=0, clip_norm=0.0)
    with pytest.raises(DivergedError, match=r"SequenceClassifier: expected finite scores, got \d+ of 16 that are NaN"):
        fit(settings, folder)
    assert not folder.best.exists()
    assert not folder.checkpoints.steps()


def test_the_motif_table_learns(whole: Whole) -> None:
    tables = [t.numpy() for name, t in get_state_dict(whole[0].model).items() if name.endswith("motif_bias")]
    assert tables
    assert all(np.abs(t).max() > 0 for t in tables)


def test_interrupted_and_resumed_equals_uninterrupted(whole: Whole, tmp_path: Path) -> None:
    """Bit for bit, after Ctrl-C in the middle of the first pass and SIGTERM at the very end of the second."""
    folder = RunFolder(tmp_path / "cut")
    _, stopped = fit(folder=folder, watcher=Pressing(4))
    assert stopped.interrupted
    assert (stopped.step, stopped.best_step) == (4, 0)
    with pytest.raises(ConfigError, match="model, data and number of processes of the run to resume it"):
        fit(replace(tiny.SETTINGS, learning_rate=1e-3), RunFolder(folder.path, "resume"), resume=True)
    _, stopped = fit(folder=RunFolder(folder.path, "resume"), watcher=Pressing(12, signal.SIGTERM), resume=True)
    assert stopped.interrupted
    assert (stopped.step, len(stopped.validations)) == (12, 2)
    resumed, fitted = fit(folder=RunFolder(folder.path, "resume"), resume=True)
    assert not fitted.interrupted
    assert fitted.step == whole[1].step
    assert weights(resumed.model) == weights(whole[0].model)
    for name in ("checkpoints/step_00000060", "best"):
        files = [path / name / "model.safetensors" for path in (whole[2].path, folder.path)]
        assert files[0].read_bytes() == files[1].read_bytes()
    assert lasting(whole[2]) == lasting(folder)
    again, nothing = fit(folder=RunFolder(folder.path, "resume"), resume=True)
    assert (nothing.step, nothing.validations) == (60, ())  # a finished run stays as it is
    assert weights(again.model) == weights(whole[0].model)


def lasting(folder: RunFolder) -> list[dict[str, object]]:
    """The lines of metrics.jsonl without the times."""
    timed = ("seconds", "examples_per_s", "positions_per_s", "waited")
    return [{k: v for k, v in line.items() if k not in timed} for line in folder.journal.lines()]


def test_a_loss_that_is_no_number_names_the_step() -> None:
    settings = replace(tiny.SETTINGS, learning_rate=1e30, clip_norm=0.0, weight_decay=0.0)
    message = r"train: expected a finite loss, but step \d+ gave loss .*; lower learning_rate \(now 1e\+30\)"
    with pytest.raises(DivergedError, match=message):
        fit(settings)


@pytest.mark.parametrize(("patience", "done", "is_over"), [(0, 50, False), (3, 4, False), (3, 5, True), (3, 9, True)])
def test_patience(patience: int, done: int, is_over: bool) -> None:
    run = Fit(tiny.task(), replace(tiny.SETTINGS, patience=patience))
    run.progress = Progress(n_validations=done, best=[0.9, -0.1], best_validation=2)
    assert run.patience_is_over() is is_over


def test_patience_ends_a_run_and_frozen_weights_stay() -> None:
    """Only the motif table may change, and by so little that no metric does: three validations, then the end."""
    settings = replace(tiny.SETTINGS, patience=2, learning_rate=1e-12, min_learning_rate=0.0, weight_decay=0.0)
    task, heard = tiny.task(settings), Listening()
    before = weights(task.model)
    frozen = [name for name in before if not name.endswith("motif_bias")]
    fitted = Fit(task, settings, None, heard, rates=dict.fromkeys(frozen, 0.0)).run()
    assert (fitted.step, fitted.best_step, fitted.interrupted) == (18, 6, False)
    assert [v.is_best for v in heard.valids] == [True, False, False]
    assert {name for name, value in weights(task.model).items() if value != before[name]} == {
        name for name in before if name not in frozen
    }
    with pytest.raises(ConfigError, match="a weight to learn, but trunk_rate = 0 freezes all; raise"):
        Fit(task, settings, rates=dict.fromkeys(before, 0.0)).run()


def test_few_rows_get_the_least_steps_in_whole_passes_and_patience_waits_for_them() -> None:
    """Six steps a pass: ten passes are 60 steps, 62 steps are eleven."""
    still = replace(tiny.SETTINGS, patience=2, learning_rate=1e-12, min_learning_rate=0.0, weight_decay=0.0)
    lengths = {least: Fit(tiny.task(), replace(still, least_steps=least)).n_steps for least in (0, 60, 62)}
    assert lengths == {0: 60, 60: 60, 62: 66}
    assert Fit(tiny.task(), replace(still, least_steps=62, steps=7)).n_steps == 7
    settings = replace(still, least_steps=25)
    frozen = [name for name in weights(tiny.task(settings).model) if not name.endswith("motif_bias")]
    fitted = Fit(tiny.task(settings), settings, rates=dict.fromkeys(frozen, 0.0)).run()
    assert (fitted.step, fitted.best_step) == (30, 6)


def test_monitors_are_those_of_the_task() -> None:
    assert Fit(tiny.task(), replace(tiny.SETTINGS, monitor="")).monitor == "auc"
    message = r"monitor: expected one of auc, accuracy, mcc, auprc, loss, got 'acuracy'; did you mean 'accuracy'"
    with pytest.raises(ConfigError, match=message):
        Fit(tiny.task(), replace(tiny.SETTINGS, monitor="acuracy"))


def test_resuming_wants_a_folder() -> None:
    with pytest.raises(ConfigError, match="a run folder to resume, got none; name one"):
        fit(resume=True)


def test_lines_are_json_without_nan() -> None:
    record = Validated(1, 0.1, math.nan, 1e-3, {"auc": math.nan}, True, None, 1.0)
    assert json.loads(json.dumps(record.to_dict(), allow_nan=False))["metrics"] == {"auc": None}
