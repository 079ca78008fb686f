"""Dinucleotide shuffles: counts stay, order does not, all results are equally likely."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gattn_tg.data import dinucleotide_shuffle
from gattn_tg.errors import ShapeError
from gattn_tg.seq import decode, encode


def pairs(text: str) -> Counter[str]:
    return Counter(text[at : at + 2] for at in range(len(text) - 1))


@given(st.text(alphabet="ACGTN", max_size=120), st.integers(0, 10**6))
def test_dinucleotides_stay(text: str, seed: int) -> None:
    shuffled = decode(dinucleotide_shuffle(encode(text), seed))
    assert pairs(shuffled) == pairs(text)
    assert shuffled[:1] == text[:1]
    assert shuffled[-1:] == text[-1:]


def test_every_result_is_equally_likely() -> None:
    text = "AACAGATCAA"
    possible = {"".join(p) for p in set(permutations(text[1:-1]))}
    possible = {word for word in (f"{text[0]}{p}{text[-1]}" for p in possible) if pairs(word) == pairs(text)}
    n = 200 * len(possible)
    found = Counter(decode(dinucleotide_shuffle(encode(text), 5, k)) for k in range(n))
    assert set(found) == possible
    expected = n / len(possible)
    chi2 = sum((count - expected) ** 2 / expected for count in found.values())
    assert chi2 < len(possible) + 5 * np.sqrt(2 * len(possible))


def test_long_sequences_change_and_the_key_decides() -> None:
    ids = np.random.default_rng(1).integers(0, 4, 500, dtype=np.uint8)
    one, same, other = (dinucleotide_shuffle(ids, 3, key) for key in (0, 0, 1))
    assert (one == same).all()
    assert (one != other).mean() > 0.5
    assert (one != ids).mean() > 0.5


def test_one_sequence_at_a_time() -> None:
    with pytest.raises(ShapeError) as caught:
        dinucleotide_shuffle(np.zeros((2, 9), dtype=np.uint8), 0)
    assert str(caught.value) == "dinucleotide_shuffle: expected one sequence, got 2 axes; shuffle row by row"
