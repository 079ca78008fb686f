"""Candidate windows: every GT and AG with room, on both strands, the junction in the middle."""

from __future__ import annotations

import numpy as np
import pytest

from gattn_tg.errors import CoordinateError
from gattn_tg.score.splice import candidates, with_prior
from gattn_tg.seq import reverse_complement

SEQUENCE = bytes(np.random.default_rng(0).choice(list(b"ACGT"), 300).tolist())


def test_windows_show_the_dinucleotide_at_the_junction() -> None:
    found = list(candidates(SEQUENCE, chrom="c", offset=1000, start=1000, end=1300, width=20))
    assert {(c.kind, c.strand) for c in found} == {(k, s) for k in ("donor", "acceptor") for s in "+-"}
    for c in found:
        around = SEQUENCE[c.position - 1000 - 10 : c.position - 1000 + 10]
        window = c.window.sequence
        assert window == (around if c.strand == "+" else reverse_complement(around))
        assert window[10:12] == b"GT" if c.kind == "donor" else window[8:10] == b"AG"
        assert c.window.name == f"c:{c.position}:{c.strand}:{c.kind}"
    plus = sum(SEQUENCE[10:-10].count(pair) for pair in (b"GT", b"AG"))
    assert abs(sum(c.strand == "+" for c in found) - plus) <= 4  # sites at the very edge of the room


def test_only_the_stretch_and_mirrored_by_the_other_strand() -> None:
    part = list(candidates(SEQUENCE, chrom="c", offset=0, start=100, end=200, width=20))
    assert all(100 <= c.position <= 200 for c in part)
    flipped = reverse_complement(SEQUENCE)
    other = list(candidates(flipped, chrom="c", offset=0, start=100, end=200, width=20))
    swap = {"+": "-", "-": "+"}
    mirrored = {(c.kind, swap[c.strand], 300 - c.position, c.window.sequence) for c in other}
    assert mirrored == {(c.kind, c.strand, c.position, c.window.sequence) for c in part}


def test_a_stretch_outside_the_sequence() -> None:
    with pytest.raises(CoordinateError, match=r"expected a stretch inside c:1000-1300, got 900-1100"):
        next(candidates(SEQUENCE, chrom="c", offset=1000, start=900, end=1100, width=20))


def test_with_prior_is_bayes() -> None:
    assert with_prior(0.7, 0.3, 0.3) == pytest.approx(0.7)
    likelihoods = 0.9 / 0.3, 0.1 / 0.7
    expected = likelihoods[0] * 0.01 / (likelihoods[0] * 0.01 + likelihoods[1] * 0.99)
    assert with_prior(0.9, 0.3, 0.01) == pytest.approx(expected)
    assert with_prior(0.0, 0.3, 0.01) == 0.0
    assert with_prior(1.0, 0.3, 0.01) == 1.0
