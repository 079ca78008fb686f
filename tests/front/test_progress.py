"""The bar leaves compiling out of its speed, and fits the terminal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gattn_tg.front.progress import Progress
from gattn_tg.training.loop.watch import Plan, Validated

PLAN = Plan(
    first_step=0, n_steps=100, steps_per_epoch=25, rows_per_step=64, n_parameters=12_345, monitor="auc",
    higher_is_better=True,
)  # fmt: skip


def test_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    progress = Progress()
    progress.started(PLAN)
    for step in range(1, 23):  # two to compile, twenty measured
        progress.stepped(step, loss=0.5, rate=1e-3, n_rows=64)
    line = progress.bar(22, seconds=10.0)
    assert line.startswith("epoch 1/4 ━━")
    assert line.endswith("  22%  loss 0.500  128 seq/s  0:39 left")  # 78 steps at half a second
    assert len(line) == 79
    assert progress.bar(22, seconds=2000.0).endswith("2:10:00 left")
    assert capsys.readouterr().err == "12,345 parameters, 100 steps of 64 examples\n"


def test_a_resumed_run_counts_its_steps(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    progress = Progress()
    progress.started(replace(PLAN, first_step=78))
    for step in range(79, 91):
        progress.stepped(step, loss=0.5, rate=1e-3, n_rows=64)
    line = progress.bar(90, seconds=10.0)
    assert line.startswith("epoch 4/4 ━━")
    assert line.endswith("  90%  loss 0.500  64 seq/s  0:10 left")
    assert capsys.readouterr().err.endswith("100 steps of 64 examples, resumed after step 78\n")


def test_a_line_per_validation(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    progress.started(PLAN)
    metrics = {"n": 99.0, "loss": 0.25, "accuracy": 0.5, "auc": 0.75, "mcc": 0.0}
    progress.validated(Validated(25, 1.0, 0.5, 1e-3, metrics, True, 128.4, 10.0))
    progress.validated(Validated(30, 1.2, 0.5, 1e-3, {"pearson_r": 0.5}, False, None, 10.0))
    progress.damaged("step_00000020 is damaged; going on from step_00000010")
    lines = capsys.readouterr().err.splitlines()[1:]
    assert lines == [
        "epoch   1/4  loss 0.500  valid loss 0.250  AUC 0.750  accuracy 0.500  MCC 0.000  128 seq/s  best",
        "step  30/100  loss 0.500  valid pearson_r 0.500",
        "step_00000020 is damaged; going on from step_00000010",
    ]


def test_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(quiet=True)
    progress.started(PLAN)
    progress.interrupted(3)
    assert capsys.readouterr().err == ""
    progress.damaged("step_00000020 is damaged")
    assert capsys.readouterr().err == "step_00000020 is damaged\n"
