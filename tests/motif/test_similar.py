"""The known motif that one resembles most: found again moved and turned; correlation as NumPy computes it."""

from __future__ import annotations

import numpy as np
import pytest

from gattn_tg.motif.frequencies import of_log_odds
from gattn_tg.motif.similar import nearest
from gattn_tg.motif.threshold import log_odds

RNG = np.random.default_rng(3)


def motif(width: int) -> np.ndarray:
    return RNG.dirichlet([0.3] * 4, width)


def even(width: int) -> np.ndarray:
    return np.full((width, 4), 0.25)


def test_a_motif_is_found_again_wherever_it_lies_and_on_the_other_strand() -> None:
    known = [motif(width) for width in (6, 12, 9)]
    moved = np.concatenate([even(2), known[2], even(1)])
    turned = np.concatenate([even(5), known[0][::-1, ::-1], even(1)])
    first, second = nearest(np.stack([moved, turned]), known)
    assert (first.which, first.strand, first.offset) == (2, "+", -2)
    assert (second.which, second.strand) == (0, "-")
    assert first.similarity == pytest.approx(1.0)
    assert second.similarity == pytest.approx(1.0)


def test_similarity_is_the_correlation_over_the_best_alignment() -> None:
    a, b = motif(7), motif(5)
    laid = np.concatenate([even(6), b, even(6)])
    scores = []
    for strand in (a, a[::-1, ::-1]):
        for at in range(len(laid) - 6):
            whole = even(len(laid))
            whole[at : at + 7] = strand
            scores.append(np.corrcoef(whole.ravel(), laid.ravel())[0, 1])
    assert nearest(a[None], [b])[0].similarity == pytest.approx(max(scores), abs=1e-6)


def test_frequencies_are_those_that_log_odds_were_made_of() -> None:
    counts = [(10.0, 0.0, 90.0, 0.0), (25.0, 25.0, 25.0, 25.0)]
    found = of_log_odds(log_odds(counts))
    assert found.sum(1) == pytest.approx([1, 1])
    assert found[1] == pytest.approx([0.25] * 4)
    assert found[0] == pytest.approx([0.1, 0.0, 0.9, 0.0], abs=0.02)
