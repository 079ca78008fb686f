"""Platt scaling: the slope and the level that the data was drawn with, and no ranking turned around."""

from __future__ import annotations

import numpy as np
import pytest

from gattn_tg.metrics.calibration import LEAST_SLOPE, platt

RNG = np.random.default_rng(0)


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def test_the_scale_of_the_truth_is_found_from_shares_exactly_and_from_labels_nearly() -> None:
    z = RNG.normal(size=4_000)
    share = sigmoid(0.5 * z - 1.5)
    assert platt(z, share, np.ones(4_000)) == pytest.approx((0.5, -1.5), abs=1e-3)
    assert platt(z, (RNG.random(4_000) < share).astype(float), np.ones(4_000)) == pytest.approx((0.5, -1.5), abs=0.15)


def test_the_slope_of_the_loss_is_nought_where_it_ends() -> None:
    z, share, weight = RNG.normal(size=300), RNG.random(300), RNG.integers(0, 4, 300).astype(float)
    a, b = platt(z, share, weight)
    left = weight * (sigmoid(a * z + b) - share)
    assert (left * z).sum() + 1e-3 * (a - 1) == pytest.approx(0, abs=1e-6)
    assert left.sum() + 1e-3 * b == pytest.approx(0, abs=1e-6)


def test_items_without_weight_do_not_count_and_weights_are_repeats() -> None:
    z, share = RNG.normal(size=50), RNG.random(50)
    weight = RNG.integers(0, 3, 50)
    unknown = np.where(weight == 0, np.nan, share)
    repeated = platt(np.repeat(z, weight), np.repeat(share, weight), np.ones(weight.sum()))
    assert platt(z, unknown, weight.astype(float)) == pytest.approx(repeated, abs=1e-8)


@pytest.mark.parametrize("sign", [-1, 0])
def test_scores_that_say_nothing_are_made_weak_and_never_turned(sign: int) -> None:
    z = RNG.normal(size=500)
    label = (RNG.random(500) < sigmoid(3.0 * sign * z)).astype(float)
    slope, level = platt(z, label, np.ones(500))
    assert LEAST_SLOPE <= slope < 0.3
    assert sigmoid(slope * z + level).mean() == pytest.approx(label.mean(), abs=1e-3)


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_one_class_and_huge_scores_give_numbers(label: float) -> None:
    for z in (np.linspace(-1, 1, 9), np.linspace(-1e4, 1e4, 9), np.zeros(9)):
        slope, level = platt(z, np.full(9, label), np.ones(9))
        assert np.isfinite([slope, level]).all()
        assert slope >= LEAST_SLOPE
