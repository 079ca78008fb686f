"""The other strand."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gattn_tg.seq import decode, encode, one_hot, reverse_complement
from gattn_tg.seq.alphabet import IUPAC

letters = st.text(alphabet="".join(IUPAC) + "acgtn", max_size=80)


@given(letters)
def test_reverse_complement_is_an_involution(text: str) -> None:
    assert reverse_complement(reverse_complement(text)) == text
    ids = encode(text)
    assert (reverse_complement(reverse_complement(ids)) == ids).all()


@given(letters)
def test_text_bytes_and_ids_agree(text: str) -> None:
    other = reverse_complement(text)
    assert reverse_complement(text.encode()) == other.encode()
    assert (reverse_complement(encode(text)) == encode(other)).all()


@given(st.text(alphabet="ACGT", max_size=60))
def test_against_a_dictionary(text: str) -> None:
    pairs = {"A": "T", "C": "G", "G": "C", "T": "A"}
    assert reverse_complement(text) == "".join(pairs[letter] for letter in reversed(text))


def test_ambiguity_letters_keep_their_meaning() -> None:
    pairs = {"A": "T", "C": "G", "G": "C", "T": "A"}
    for letter, bases in IUPAC.items():
        assert set(IUPAC[reverse_complement(letter)]) == {pairs[base] for base in bases}


def test_case_is_kept_and_uracil_pairs_with_adenine() -> None:
    assert reverse_complement("aaCGu") == "aCGtt"


def test_only_the_last_axis_turns() -> None:
    ids = np.stack([encode("AACG"), encode("NTTT")])
    assert [decode(row) for row in reverse_complement(ids)] == ["CGTT", "AAAN"]


def test_one_hot_turns_both_axes() -> None:
    ids = encode("GATTACAN")
    assert (one_hot(reverse_complement(ids)) == one_hot(ids)[::-1, ::-1]).all()
