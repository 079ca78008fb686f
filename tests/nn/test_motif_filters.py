"""Strengths of motifs: against scores of windows one by one, on both strands, and where they begin."""

from __future__ import annotations

import numpy as np
import pytest
from tinygrad import Tensor

from gattn_tg.errors import ConfigError
from gattn_tg.motif.threshold import log_odds, score_threshold
from gattn_tg.nn.motif_filters import MotifFilters
from gattn_tg.nn.strengths import summary
from gattn_tg.seq.alphabet import COMPLEMENT

N_FILTERS, WIDTH = 3, 5


def strengths(weight: np.ndarray, threshold: np.ndarray, row: np.ndarray) -> np.ndarray:
    """(n, t) in float64, window by window."""
    n, half = len(row), WIDTH // 2
    found = np.zeros((n, len(weight)))
    for c, bits in enumerate(weight.astype(np.float64)):
        for i in range(n):
            here = there = 0.0
            for t in range(WIDTH):
                at = i + t - half
                if 0 <= at < n and row[at] < 4:
                    here += bits[row[at], t]
                    there += bits[3 - row[at], WIDTH - 1 - t]
            found[i, c] = np.log1p(2 ** (max(here, there) - threshold[c]))
    return found


@pytest.fixture(scope="module")
def layer() -> MotifFilters:
    made = MotifFilters(N_FILTERS, WIDTH, np.random.default_rng(0))
    made.threshold.assign(Tensor([1.0, 0.0, 3.0])).realize()
    return made


def test_strengths_are_those_of_windows_on_the_better_strand(layer: MotifFilters) -> None:
    rng = np.random.default_rng(1)
    lengths = np.array([12, 7, 12], np.int32)
    bases = rng.integers(0, 5, (3, 12)).astype(np.uint8)
    turned = bases.copy()
    for row, n in zip(turned, lengths, strict=True):
        row[:n] = COMPLEMENT[row[:n][::-1]]
    here, there = (layer(Tensor(x), Tensor(lengths)).numpy() for x in (bases, turned))
    weight, threshold = layer.weight.numpy(), layer.threshold.numpy()
    for i, n in enumerate(lengths):
        np.testing.assert_allclose(here[i, :n], strengths(weight, threshold, bases[i, :n]), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(there[i, :n], here[i, :n][::-1], rtol=1e-5, atol=1e-6)
        assert not here[i, n:].any()
    weights = np.eye(5, dtype=np.float32)[bases]  # a base as weights over all bases
    np.testing.assert_allclose(layer(Tensor(weights), Tensor(lengths)).numpy(), here, rtol=1e-6, atol=1e-6)
    told = summary(Tensor(here), Tensor(lengths)).numpy()
    np.testing.assert_allclose(told[:, :N_FILTERS], here.max(1), rtol=1e-6)
    np.testing.assert_allclose(told[:, N_FILTERS:], np.log1p(here.sum(1)), rtol=1e-5)


def test_filters_begin_as_matrices() -> None:
    """A site of a matrix that is narrower than a filter, and of one that is wider, is where it scores most."""
    narrow = [[97, 1, 1, 1], [1, 97, 1, 1], [1, 1, 97, 1]]
    wide = [[25, 25, 25, 25], *[[1, 1, 1, 97]] * 3, [97, 1, 1, 1], [1, 97, 1, 1], [25, 25, 25, 25]]
    filters = MotifFilters(N_FILTERS, WIDTH, np.random.default_rng(0))
    drawn = filters.weight.numpy()[2].copy()
    filters.start_from([(log_odds(rows), score_threshold(rows, 0.02)) for rows in (narrow, wide)])
    bases = np.full((1, 24), 2, np.uint8)
    bases[0, 4:7], bases[0, 14:19] = [0, 1, 2], [3, 3, 3, 0, 1]
    found = filters(Tensor(bases)).numpy()[0]
    assert found[:, 0].argmax() == 5
    assert found[:, 1].argmax() == 16
    best = log_odds(narrow).max(1).sum() - score_threshold(narrow, 0.02)
    assert found[5, 0] == pytest.approx(np.log1p(2**best), rel=1e-5)
    assert np.array_equal(filters.weight.numpy()[2], drawn)
    with pytest.raises(ConfigError, match="expected at most 3 matrices, one for each filter, got 4; raise filters"):
        filters.start_from([(log_odds(narrow), 1.0)] * 4)


def test_filters_without_a_centre_are_refused() -> None:
    with pytest.raises(ConfigError, match="MotifFilters: expected filters of an odd width, got 2 of width 4; change"):
        MotifFilters(2, 4, np.random.default_rng(0))
