"""k-mers against string slices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gattn_tg.errors import ConfigError
from gattn_tg.motif import kmer_codes, kmer_counts
from gattn_tg.seq import encode

sequences = st.text(alphabet="ACGTN", max_size=60)


def code(word: str) -> int:
    return -1 if "N" in word else int("0" + "".join(str("ACGT".index(base)) for base in word), 4)


@given(sequences, st.integers(1, 31))
def test_codes_are_base_four_numbers(sequence: str, k: int) -> None:
    expected = [code(sequence[at : at + k]) for at in range(len(sequence) - k + 1)]
    assert kmer_codes(encode(sequence), k).tolist() == expected


@given(sequences, st.integers(1, 4))
def test_counts_are_those_of_the_codes(sequence: str, k: int) -> None:
    words = [sequence[at : at + k] for at in range(len(sequence) - k + 1)]
    expected = np.zeros(4**k, dtype=int)
    for word in words:
        if "N" not in word:
            expected[code(word)] += 1
    assert kmer_counts(encode(sequence), k).tolist() == expected.tolist()


def test_rows_are_counted_apart() -> None:
    ids = np.stack([encode("ACGT"), encode("AAAN")])
    counts = kmer_counts(ids, 2)
    assert counts.shape == (2, 16)
    assert (counts[0] == kmer_counts(ids[0], 2)).all()
    assert (counts[1] == kmer_counts(ids[1], 2)).all()


@pytest.mark.parametrize(
    ("call", "k", "limit"), [(kmer_codes, 0, 31), (kmer_codes, 32, 31), (kmer_counts, 13, 12)]
)
def test_word_lengths_out_of_range_are_refused(call: object, k: int, limit: int) -> None:
    with pytest.raises(ConfigError) as caught:
        call(encode("ACGT"), k)  # type: ignore[operator]
    assert str(caught.value) == f"k-mers: k in 1..{limit} is required, but came {k}; choose a shorter word"
