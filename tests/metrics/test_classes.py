"""Metrics against brute force and the published two-class formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gattn_tg.errors import ShapeError
from gattn_tg.metrics.classes import auc, confusion, mcc, measure


def pairwise_auc(positive: np.ndarray, score: np.ndarray) -> float:
    wins = [1.0 if p > q else 0.5 if p == q else 0.0 for p in score[positive] for q in score[~positive]]
    return sum(wins) / len(wins)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(-3, 3)), min_size=2, max_size=40))
def test_auc_counts_ordered_pairs(rows: list[tuple[bool, int]]) -> None:
    positive = np.array([r[0] for r in rows])
    score = np.array([r[1] for r in rows], np.float32)
    if positive.all() or not positive.any():
        assert math.isnan(auc(positive, score))
    else:
        assert auc(positive, score) == pytest.approx(pairwise_auc(positive, score), abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=40))
def test_mcc_of_two_classes_is_the_textbook_formula(rows: list[tuple[int, int]]) -> None:
    labels, predicted = np.array(rows).T
    (tn, fp), (fn, tp) = confusion(labels, predicted, 2)
    below = math.sqrt(float((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)))
    expected = (tp * tn - fp * fn) / below if below else 0.0
    assert mcc(confusion(labels, predicted, 2)) == pytest.approx(expected, abs=1e-12)


def test_mcc_of_three_classes_is_the_covariance_ratio() -> None:
    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(0, 3, 200), rng.integers(0, 3, 200)
    x, y = np.eye(3)[labels], np.eye(3)[predicted]

    def covariance(a: np.ndarray, b: np.ndarray) -> float:
        return float(((a - a.mean(0)) * (b - b.mean(0))).sum())

    expected = covariance(x, y) / math.sqrt(covariance(x, x) * covariance(y, y))
    assert mcc(confusion(labels, predicted, 3)) == pytest.approx(expected, abs=1e-12)


def test_measure_by_hand() -> None:
    labels = np.array([0, 1, 2, 1], np.int32)
    p = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.5, 0.2, 0.3], [0.2, 0.6, 0.2]], np.float32)
    got = measure(labels, p)
    assert (got.n, got.accuracy) == (4, 0.75)
    assert got.loss == pytest.approx(-np.log([0.7, 0.8, 0.3, 0.6]).mean(), rel=1e-6)
    assert got.auc == pytest.approx(np.mean([1.0, 1.0, 1.0]))
    assert measure(np.zeros(2, np.int32), p[:2, :2]).to_dict()["auc"] is None


def test_measure_refuses_other_row_counts() -> None:
    with pytest.raises(ShapeError, match="measure: expected labels and probabilities of as many rows"):
        measure(np.zeros(2, np.int32), np.ones((3, 2), np.float32))
