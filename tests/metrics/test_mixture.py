"""The share of a kind in a mixture: known answers, coverage of the interval, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from gattn_tg.errors import ConfigError
from gattn_tg.metrics.mixture import Z95, share

NONE, ALL = np.array([0.0, 0.2, 0.1, 0.1]), np.array([0.9, 1.0, 0.8, 0.9])


def test_the_estimate_is_where_the_means_meet() -> None:
    found = share(np.array([0.1, 0.9, 0.1, 0.1]), NONE, ALL)
    assert found.estimate == pytest.approx(0.25)
    assert (found.n, found.outside) == (4, 0.0)


def test_the_ends_of_the_interval_are_where_the_difference_is_1_96_standard_errors() -> None:
    rng = np.random.default_rng(1)
    mixed, without, within = rng.random(80) * 0.7 + 0.1, rng.random(50) * 0.5, rng.random(60) * 0.4 + 0.6
    found = share(mixed, without, within)
    variance = [np.var(x, ddof=1) / len(x) for x in (mixed, without, within)]
    for p in (found.low, found.high):
        error = np.sqrt(variance[0] + (1 - p) ** 2 * variance[1] + p**2 * variance[2])
        assert abs(mixed.mean() - (1 - p) * without.mean() - p * within.mean()) == pytest.approx(Z95 * error)
    assert 0 < found.low < found.estimate < found.high < 1


@pytest.mark.parametrize("truth", [0.0, 0.03, 0.3, 1.0])
def test_the_interval_holds_the_truth_as_often_as_it_says(truth: float) -> None:
    rng = np.random.default_rng(7)
    held, estimates = 0, []
    for _ in range(400):
        is_kind = rng.random(150) < truth
        mixed = np.where(is_kind, rng.beta(4, 2, 150), rng.beta(1, 3, 150))  # neither calibrated nor separate
        found = share(mixed, rng.beta(1, 3, 120), rng.beta(4, 2, 90))
        held += found.low <= truth <= found.high
        estimates.append(found.estimate)
    assert held >= 0.92 * 400
    assert abs(np.mean(estimates) - truth) < 0.03  # estimates are cut at 0 and 1


def test_few_known_items_make_it_wide_and_kinds_that_are_alike_leave_it_open() -> None:
    rng = np.random.default_rng(3)
    mixed = rng.random(200)
    many = share(mixed, rng.random(500) * 0.5, rng.random(500) * 0.5 + 0.5)
    few = share(mixed, rng.random(8) * 0.5, rng.random(8) * 0.5 + 0.5)
    assert few.high - few.low > many.high - many.low
    alike = share(mixed, np.array([0.0, 1.0, 0.4]), np.array([0.0, 1.0, 0.5]))
    assert (alike.low, alike.high) == (0.0, 1.0)


def test_what_is_no_mixture_of_the_two_is_told() -> None:
    assert share(np.full(50, 0.99) + 0.001 * np.arange(50) / 50, NONE, ALL - 0.3).outside > 5
    assert share(np.array([0.0, 0.1, 0.05]), NONE, ALL).low == 0.0


@pytest.mark.parametrize(
    ("groups", "text"),
    [
        ((NONE[:1], NONE, ALL), "mixture: expected at least 2 scores for mixed, got 1; give more items"),
        ((NONE, NONE, ALL[:1]), "mixture: expected at least 2 scores for within, got 1; give more items"),
        ((NONE, ALL, NONE), "mixture: expected a mean score of the kind above that of the other, got 0.1 and 0.9"),
    ],
)
def test_what_tells_nothing_is_refused(groups: tuple[np.ndarray, ...], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        share(*groups)
    assert text in str(caught.value)
