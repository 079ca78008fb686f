"""k-mers against string slices."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gattn_tg.errors import ConfigError
from gattn_tg.motif import kmer_codes
from gattn_tg.seq import encode

sequences = st.text(alphabet="ACGTN", max_size=60)


def code(word: str) -> int:
    return -1 if "N" in word else int("0" + "".join(str("ACGT".index(base)) for base in word), 4)


@given(sequences, st.integers(1, 31))
def test_codes_are_base_four_numbers(sequence: str, k: int) -> None:
    expected = [code(sequence[at : at + k]) for at in range(len(sequence) - k + 1)]
    assert kmer_codes(encode(sequence), k).tolist() == expected


@pytest.mark.parametrize("k", [0, 32])
def test_word_lengths_out_of_range_are_refused(k: int) -> None:
    with pytest.raises(ConfigError) as caught:
        kmer_codes(encode("ACGT"), k)
    assert str(caught.value) == f"k-mers: expected k in 1..31, got {k}; choose a shorter word"
