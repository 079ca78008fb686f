"""Logistic regression: the numbers that the data was drawn with, weights as repeats, and finite ends."""

from __future__ import annotations

import numpy as np
import pytest

from gattn_tg.metrics.logistic import logistic

RNG = np.random.default_rng(0)
TRUE = np.array([0.5, -2.0, 1.5])
X = np.c_[RNG.normal(size=(4_000, 2)), np.ones(4_000)]


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def fitted(x: np.ndarray, y: np.ndarray, weight: np.ndarray, **options: object) -> np.ndarray:
    return logistic(x, y, weight, **{"start": np.zeros(3), "pull": 1e-3, **options})  # type: ignore[arg-type]


def test_what_the_data_was_drawn_with_is_found_from_shares_exactly_and_from_labels_nearly() -> None:
    share, ones = sigmoid(X @ TRUE), np.ones(len(X))
    np.testing.assert_allclose(fitted(X, share, ones), TRUE, atol=1e-3)
    np.testing.assert_allclose(fitted(X, (RNG.random(len(X)) < share).astype(float), ones), TRUE, atol=0.2)


def test_the_gradient_of_the_loss_is_nought_where_it_ends() -> None:
    x, y, weight, start = X[:300], RNG.random(300), RNG.integers(0, 4, 300).astype(float), np.array([1.0, 0.0, 0.5])
    found = fitted(x, y, weight, start=start, pull=2.0)
    np.testing.assert_allclose(x.T @ (weight * (y - sigmoid(x @ found))), 2.0 * (found - start), atol=1e-6)


def test_weights_are_repeats_and_numbers_that_are_not_free_stay() -> None:
    y, weight = RNG.random(50), RNG.integers(0, 3, 50)
    repeated = fitted(np.repeat(X[:50], weight, axis=0), np.repeat(y, weight), np.ones(weight.sum()))
    np.testing.assert_allclose(fitted(X[:50], y, weight.astype(float)), repeated, atol=1e-8)
    held = fitted(X[:50], y, weight.astype(float), start=np.array([0.0, 7.0, 0.0]), free=np.array([True, False, True]))
    assert held[1] == 7.0


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_one_class_and_huge_rows_give_numbers(label: float) -> None:
    for scale in (1.0, 1e4, 0.0):
        x = X[:9] * [scale, scale, 1.0]
        assert np.isfinite(fitted(x, np.full(9, label), np.ones(9))).all()
