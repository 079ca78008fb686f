"""The bar leaves compiling out of its speed, and fits the terminal."""

from __future__ import annotations

import pytest

from gattn_tg.cli.progress import Progress


def test_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    progress = Progress(n_epochs=4)
    progress.started(n_steps=100, n_sequences=1600, n_parameters=12_345)
    for step in range(1, 23):  # two to compile, twenty measured
        progress.stepped(step, loss=0.5, rate=1e-3, n_sequences=64)
    line = progress.bar(22, seconds=10.0)
    assert line.startswith("epoch 1/4 ━━")
    assert line.endswith("  22%  loss 0.500  128 seq/s  0:39 left")  # 78 steps at half a second
    assert len(line) == 79
    assert progress.bar(22, seconds=2000.0).endswith("2:10:00 left")
    assert capsys.readouterr().err == "12,345 parameters, 1,600 sequences, 100 steps\n"


def test_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(n_epochs=4, quiet=True)
    progress.started(10, 10, 10)
    progress.interrupted(3)
    assert capsys.readouterr().err == ""
