"""Thresholds against all words, and against another library."""

from __future__ import annotations

import warnings
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gattn_tg.errors import ConfigError
from gattn_tg.motif import threshold as module
from gattn_tg.motif.threshold import FINE_BITS, KEPT, TooShortError, log_odds, score_tail, score_threshold

counts_of = st.integers(0, 30)
rows = st.tuples(counts_of, counts_of, counts_of, counts_of).filter(any)


def all_scores(counts: tuple[tuple[int, ...], ...]) -> np.ndarray:
    """The score of each of the 4**n words, from the definition."""
    weights = log_odds(counts)
    words = np.array(list(product(range(4), repeat=len(counts))))
    total: np.ndarray = weights[np.arange(len(counts)), words].sum(axis=1)
    return total


@settings(max_examples=12)
@given(st.lists(rows, min_size=8, max_size=8).map(tuple), st.sampled_from([0.02, 1e-3, 1e-4]))
def test_all_words_of_eight_bases(counts: tuple[tuple[int, ...], ...], pvalue: float) -> None:
    """4^8 words: as many reach the threshold as the p-value allows, and the next lower score would be too many."""
    scores = all_scores(counts)
    try:
        threshold = score_threshold(counts, pvalue)
    except ConfigError:
        assert (scores >= scores.max() - 1e-9).mean() > pvalue
        return
    assert (scores >= threshold - 1e-9).mean() <= pvalue
    lower = scores[scores < threshold - 1e-9]
    assert not lower.size or (scores >= lower.max() - 1e-9).mean() > pvalue


@settings(max_examples=12)
@given(st.lists(rows, min_size=7, max_size=8).map(tuple), st.sampled_from([0.02, 1e-3]))
def test_convolution_is_never_below_and_hardly_above_the_exact_threshold(
    counts: tuple[tuple[int, ...], ...], pvalue: float
) -> None:
    scores = np.sort(all_scores(counts))[::-1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ENUMERATED", 0)
        try:
            threshold = score_tail.__wrapped__(counts, pvalue).threshold
        except ConfigError:
            best = scores > scores[0] - len(counts) * FINE_BITS
            assert best.mean() > pvalue
            return
    assert (scores >= threshold).mean() <= pvalue
    # Below the threshold by no more than the rounding, too many words are reached.
    assert (scores >= threshold - (len(counts) + 1) * FINE_BITS).mean() > pvalue


@settings(max_examples=12)
@given(st.lists(rows, min_size=6, max_size=8).map(tuple), st.sampled_from([0.02, 1e-3]), st.booleans())
def test_pvalues_are_the_shares_of_words_that_score_as_high(
    counts: tuple[tuple[int, ...], ...], pvalue: float, enumerated: bool
) -> None:
    scores = all_scores(counts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ENUMERATED", 10 if enumerated else 0)
        try:
            tail = score_tail.__wrapped__(counts, pvalue)
        except TooShortError:
            return
    sites = scores[scores >= tail.threshold - 1e-9]
    exact = np.array([(scores >= score - 1e-9).mean() for score in sites])
    found = tail.pvalues(sites)
    assert (found <= pvalue * (1 + 1e-9)).all()
    if enumerated:
        np.testing.assert_allclose(found, exact, rtol=1e-9)
        return
    assert (found >= exact * (1 - 1e-9)).all()
    looser = np.array([(scores >= score - (KEPT + len(counts)) * FINE_BITS).mean() for score in sites])
    assert (found <= looser * (1 + 1e-9)).all()


@pytest.mark.parametrize("width", [4, 12])
def test_too_small_pvalues_are_refused(width: int) -> None:
    with pytest.raises(ConfigError) as caught:
        score_threshold(((1, 0, 0, 0),) * width, 4.0**-width / 2)
    assert str(caught.value) == (
        f"motif matrix: expected a pvalue that the best of all words of {width} bases does not exceed, "
        f"got {4.0**-width / 2}; use a larger one, or a longer motif"
    )


def test_against_moods() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tools = pytest.importorskip("MOODS.tools", reason="MOODS is absent (an oracle, not in an extra)")
    rng = np.random.default_rng(2)
    for width in (14, 20):
        best = np.eye(4, dtype=int)[rng.integers(0, 4, width)]
        counts = tuple(tuple(map(int, row)) for row in rng.integers(0, 40, (width, 4)) + 90 * best)
        theirs = tools.threshold_from_p(log_odds(counts).T.tolist(), [0.25] * 4, 1e-4)
        # MOODS rounds weights to 1/2000 bit.
        assert score_threshold(counts, 1e-4) == pytest.approx(theirs, abs=width / 2000)
