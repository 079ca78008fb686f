"""Lines over steps: where points land, what is thinned, and ticks that differ from each other."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from gattn_tg.explain.drawings.line_chart import MOST, Line, _short, line_chart, smoothed
from gattn_tg.explain.drawings.svg import ticks


def points(drawn: str) -> list[list[tuple[float, float]]]:
    """The corners of every line of a drawing."""
    found = re.findall(r'points="([^"]+)"', drawn)
    return [[(float(x), float(y)) for x, y in (p.split(",") for p in line.split())] for line in found]


def labels(drawn: str) -> list[str]:
    return [e.text or "" for e in ElementTree.fromstring(drawn).iter() if e.tag.endswith("text")]


def test_lines_rise_and_end_in_their_names() -> None:
    drawn = line_chart([Line("up", "#111", [1, 2, 3], [0.1, 0.2, 0.4], mark=3), Line("", "#222", [1, 3], [0.4, 0.1])],
                       "a chart")  # fmt: skip
    up, down = points(drawn)
    assert [x for x, _ in up] == sorted(x for x, _ in up)
    assert up[0][1] > up[1][1] > up[2][1]  # the vertical axis of a drawing points down
    assert (up[0], up[2][1]) == ((down[0][0], down[1][1]), down[0][1])
    words = labels(drawn)
    assert "up" in words
    assert "step" in words
    assert len(words) == len(set(words))
    assert "up: best at step 3, 0.4" in drawn


@pytest.mark.parametrize("values", [[0.981, 0.9825, 0.99], [1e-5, 3e-3], [2e4, 9e4], [3.0, 3.0], [5.0]])
def test_ticks_differ(values: list[float]) -> None:
    words = labels(line_chart([Line("", "#111", list(range(1, len(values) + 1)), values)], "x"))
    ticks = [w for w in words if w != "step"]
    assert ticks
    assert len(set(ticks)) >= len(ticks) - 1  # a step may read as a value does


def test_many_points_are_thinned_and_a_high_start_is_cut() -> None:
    steps = list(range(1, 10_001))
    values = [100.0] * 10 + [1 + 0.1 * (i % 2) for i in range(9990)]
    (line,) = points(line_chart([Line("", "#111", steps, values)], "x"))
    assert len(line) == MOST
    assert max(y for _, y in line[50:]) - min(y for _, y in line[1:]) > 10  # the end is not pressed flat


def test_a_running_mean_is_not_drawn_to_zero_at_first() -> None:
    assert smoothed([3.0] * 5, 10) == pytest.approx([3.0] * 5)
    assert smoothed([1.0, 2.0], 1) == [1.0, 2.0]
    assert smoothed([], 3) == []


@pytest.mark.parametrize("top", [0.002, 0.003, 0.00017, 0.9, 3.2, 0.0999])
def test_every_mark_of_an_axis_tells_its_own_value(top: float) -> None:
    marks = ticks(0, top, 4)
    told = [_short(value, marks) for value in marks]
    assert [float(text) for text in told] == pytest.approx(marks)
