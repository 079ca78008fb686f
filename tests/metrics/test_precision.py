"""Precision and recall against counting, and the interval of a difference of two rankings."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gattn_tg.metrics.precision import average_precision, average_precision_difference, precision_recall

ROWS = st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=30)


@settings(deadline=None, max_examples=60)
@given(ROWS)
def test_every_distinct_score_is_a_threshold(rows: list[tuple[bool, int]]) -> None:
    positive, score = np.array([p for p, _ in rows]), np.array([float(s) for _, s in rows])
    precision, recall = precision_recall(positive, score)
    if not positive.any():
        assert precision.size == recall.size == 0
        assert math.isnan(average_precision(positive, score))
        return
    expected = [(positive[score >= t].mean(), positive[score >= t].sum() / positive.sum())
                for t in sorted(set(score.tolist()), reverse=True)]  # fmt: skip
    assert np.allclose(np.stack([precision, recall], 1), expected)


def test_a_difference_has_an_interval_that_is_seen_to_exclude_zero_or_not() -> None:
    rng = np.random.default_rng(0)
    positive = rng.random(500) < 0.1
    good, noise = positive + rng.normal(0, 0.3, 500), rng.random(500)
    difference, low, high = average_precision_difference(positive, good, noise)
    assert 0 < low < difference < high
    assert difference == average_precision(positive, good) - average_precision(positive, noise)
    assert average_precision_difference(positive, good, good) == (0.0, 0.0, 0.0)
    _, low, high = average_precision_difference(positive, rng.random(500), noise)
    assert low < 0 < high
    assert average_precision_difference(positive, good, noise) == pytest.approx(
        average_precision_difference(positive, good, noise)
    )
    assert all(math.isnan(x) for x in average_precision_difference(np.zeros(3, bool), np.zeros(3), np.zeros(3)))
