"""Losses for counts against float64 formulas: values, gradients, extremes, and how they hang together."""

from __future__ import annotations

import numpy as np
import pytest
from tinygrad import Tensor

from gattn_tg.errors import ShapeError
from gattn_tg.ops.poisson import binary_cross_entropy, poisson, poisson_multinomial, softplus

LOGITS = np.array([-80.0, -30.0, -16.0, -9.0, -7.0, -6.5, -1.0, 0.0, 0.3, 5.0, 20.0, 90.0], np.float32)


@pytest.fixture(scope="module")
def counts() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.gamma(2.0, 1.0, (2, 8, 3)).astype(np.float32), rng.gamma(0.5, 2.0, (2, 8, 3)).astype(np.float32)


def test_softplus_and_its_slope_keep_their_relative_precision_everywhere() -> None:
    z = Tensor(LOGITS)
    y = softplus(z)
    wide = LOGITS.astype(np.float64)
    # the exponent z log2(e) is rounded to float32: 2**-24 of 115 for z = -80
    assert np.allclose(y.numpy(), np.logaddexp(0, wide), rtol=1e-5, atol=0)
    for upstream in (1e-3, 1.0, 1e3):
        slope = (y * upstream).sum().gradient(z)[0].numpy() / upstream
        assert np.isfinite(slope).all()
        assert np.allclose(slope, 1 / (1 + np.exp(-wide)), rtol=1e-5, atol=0)


def test_a_head_that_predicts_nothing_still_learns_from_counts() -> None:
    z = Tensor(np.full(4, -60.0, np.float32))
    slope = poisson(softplus(z), Tensor.ones(4)).gradient(z)[0].numpy()
    assert np.allclose(slope, -1.0)


def test_poisson_and_its_gradient(counts: tuple[np.ndarray, np.ndarray]) -> None:
    rate, target = counts
    r = Tensor(rate)
    loss = poisson(r, Tensor(target))
    wide_r, wide_y = rate.astype(np.float64), target.astype(np.float64)
    assert np.isclose(loss.item(), (wide_r - wide_y * np.log(wide_r)).sum(), rtol=1e-6)
    assert np.allclose(loss.gradient(r)[0].numpy(), 1 - wide_y / wide_r, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("weight", "segments"), [(0.2, 1), (1.0, 2), (5.0, 4)])
def test_poisson_multinomial_and_its_gradient(
    counts: tuple[np.ndarray, np.ndarray], weight: float, segments: int
) -> None:
    rate, target = counts
    r = Tensor(rate)
    loss = poisson_multinomial(r, Tensor(target), weight, segments)
    split = (2, segments, 8 // segments, 3)
    wide_r, wide_y = (x.astype(np.float64).reshape(split) for x in (rate, target))
    total, counted = wide_r.sum(2, keepdims=True), wide_y.sum(2, keepdims=True)
    expected = weight * (total - counted * np.log(total)).sum() - (wide_y * np.log(wide_r / total)).sum()
    slope = weight * (1 - counted / total) - wide_y / wide_r + counted / total
    assert np.isclose(loss.item(), expected, rtol=2e-6)
    assert np.allclose(loss.gradient(r)[0].numpy(), slope.reshape(rate.shape), rtol=1e-4, atol=2e-6)


def test_with_weight_one_total_and_shape_together_are_the_poisson_loss(counts: tuple[np.ndarray, np.ndarray]) -> None:
    rate, target = (Tensor(x) for x in counts)
    for segments in (1, 4):
        both = poisson_multinomial(rate, target, 1.0, segments).item()
        assert np.isclose(both, poisson(rate, target).item(), rtol=2e-6)


def test_losses_of_nothing_are_finite() -> None:
    nothing = Tensor.zeros(1, 4, 2)
    for loss in (poisson, poisson_multinomial):
        for target in (nothing, nothing + 1):
            assert np.isfinite(loss(nothing, target).item())


def test_binary_cross_entropy_counts_only_what_has_weight() -> None:
    labels = (np.arange(LOGITS.size) % 2).astype(np.float32)
    weight = np.ones_like(LOGITS)
    weight[3] = 0
    wide = LOGITS.astype(np.float64)
    expected = (weight * (np.logaddexp(0, wide) - labels * wide)).sum()
    got = binary_cross_entropy(*(Tensor(x) for x in (LOGITS, labels, weight))).item()
    assert np.isclose(got, expected, rtol=1e-6)


def test_refusals() -> None:
    a, b = Tensor.zeros(1, 8, 2), Tensor.zeros(1, 6, 2)
    for loss in (poisson, poisson_multinomial):
        with pytest.raises(ShapeError, match=r"expected two operands of one shape, got \(1, 8, 2\) and \(1, 6"):
            loss(a, b)
    with pytest.raises(ShapeError, match=r"bins divisible by segments=3, got rate \(1, 8, 2\)"):
        poisson_multinomial(a, a, segments=3)
