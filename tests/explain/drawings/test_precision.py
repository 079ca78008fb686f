"""The chart of precision and recall: curves where their numbers are, nothing for what is not known."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from gattn_tg.explain.drawings.precision import HEIGHT, LEFT, RIGHT, TOP, WIDTH, Ranking, precision_chart


def test_a_perfect_ranking_runs_along_the_top() -> None:
    perfect = Ranking("#123456", [1.0, 1.0, 0.5], [0.5, 1.0, 1.0])
    drawn = precision_chart([perfect], 0.1, (0.5, 1.0), "a & b")
    ET.fromstring(drawn)  # well-formed, the label escaped
    (points,) = re.findall(r'points="([^"]+)"', drawn)
    xy = [tuple(float(v) for v in point.split(",")) for point in points.split()]
    assert xy[0] == ((LEFT + WIDTH - RIGHT) / 2, TOP)
    assert xy[1] == (WIDTH - RIGHT, TOP)
    assert "by chance: 10.0%" in drawn
    assert "shown: recall 50%, precision 100%" in drawn
    assert HEIGHT > xy[2][1] > TOP


def test_nothing_known_draws_no_curve_and_no_mark() -> None:
    drawn = precision_chart([Ranking("#123456", [], [])], 0.0, None, "empty")
    ET.fromstring(drawn)
    assert "polyline" not in drawn
    assert "circle" not in drawn
