"""Warm-up and cosine at the points that matter."""

from __future__ import annotations

import itertools

import pytest

from gattn_tg.training.loop.schedule import learning_rate

SHAPE = {"peak": 1.0, "floor": 0.1, "warmup_steps": 10}


def test_rises_in_a_line_to_the_peak() -> None:
    assert [learning_rate(s, 200, **SHAPE) for s in (0, 4, 9)] == pytest.approx([0.1, 0.5, 1.0])
    assert learning_rate(10, 200, **SHAPE) == pytest.approx(1.0)


def test_falls_to_the_floor_at_the_last_step() -> None:
    assert learning_rate(199, 200, **SHAPE) == pytest.approx(0.1)
    assert learning_rate(10 + 189 // 2, 200, **SHAPE) == pytest.approx(0.55, abs=0.01)
    rates = [learning_rate(s, 200, **SHAPE) for s in range(10, 200)]
    assert rates == sorted(rates, reverse=True)


def test_short_runs_shorten_the_warm_up() -> None:
    assert learning_rate(0, 5, **SHAPE) == 1.0
    assert learning_rate(0, 1, **SHAPE) == 1.0
    assert max(learning_rate(s, 30, **SHAPE) for s in range(30)) == 1.0


def test_a_line_and_no_change() -> None:
    line = [learning_rate(s, 200, **SHAPE, shape="linear") for s in range(10, 200)]
    assert line[0] == pytest.approx(1.0)
    assert line[-1] == pytest.approx(0.1)
    steps = [a - b for a, b in itertools.pairwise(line)]
    assert steps == pytest.approx([0.9 / 189] * 189)
    assert {learning_rate(s, 200, **SHAPE, shape="constant") for s in range(10, 200)} == {1.0}
    assert learning_rate(4, 200, **SHAPE, shape="constant") == pytest.approx(0.5)
