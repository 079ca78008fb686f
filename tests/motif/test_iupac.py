"""IUPAC patterns against regular expressions."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gattn_tg.errors import ConfigError
from gattn_tg.motif import cpg_sites, find_pattern
from gattn_tg.motif.iupac import find_patterns
from gattn_tg.seq import encode, reverse_complement
from gattn_tg.seq.alphabet import IUPAC

sequences = st.text(alphabet="ACGTN", max_size=120)
patterns = st.text(alphabet="".join(IUPAC), min_size=1, max_size=7).filter(lambda text: set(text) != {"N"})


def by_regex(sequence: str, pattern: str) -> list[int]:
    expression = "".join(f"[{IUPAC[letter]}]" for letter in pattern)
    return [match.start() for match in re.finditer(f"(?={expression})", sequence)]


@given(sequences, patterns)
def test_matches_are_those_of_a_regular_expression(sequence: str, pattern: str) -> None:
    assert find_pattern(encode(sequence), pattern).tolist() == by_regex(sequence, pattern)


@given(sequences, patterns)
def test_other_strand_is_found_by_the_reverse_complement_of_the_pattern(sequence: str, pattern: str) -> None:
    there = find_pattern(encode(reverse_complement(sequence)), pattern)
    here = find_pattern(encode(sequence), reverse_complement(pattern))
    assert sorted(len(sequence) - len(pattern) - there) == here.tolist()


@given(sequences, st.lists(patterns, min_size=1, max_size=3))
def test_spans_of_several_patterns_are_sorted_and_once_each(sequence: str, several: list[str]) -> None:
    spans = find_patterns(encode(sequence), tuple(several))
    expected = {(start, start + len(pattern)) for pattern in several for start in by_regex(sequence, pattern)}
    assert list(zip(spans.starts.tolist(), spans.ends.tolist(), strict=True)) == sorted(expected)
    assert (spans.scores == 1).all()


def test_unknown_bases_match_nothing_not_even_n() -> None:
    assert find_pattern(encode("CANNTG"), "CANNTG").tolist() == []
    assert find_pattern(encode("CAACTG"), "CANNTG").tolist() == [0]


def test_sequences_shorter_than_the_pattern_have_no_match() -> None:
    assert find_pattern(encode("C"), "CG").tolist() == []
    assert find_pattern(encode(""), "CG").tolist() == []


def test_cpg_sites_are_at_the_c() -> None:
    assert cpg_sites(encode("CGACGNCGC")).tolist() == [0, 3, 6]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (
            "ACE",
            "motif pattern 'ACE': expected upper-case IUPAC letters (ACGTRYSWKMBDHVN), "
            "got 'E' at position 2; U is written T",
        ),
        (
            "NN",
            "motif pattern 'NN': expected at least one letter other than N, got 'NN'; "
            "a pattern of any bases matches everywhere",
        ),
        (
            "",
            "motif pattern '': expected at least one letter other than N, got ''; "
            "a pattern of any bases matches everywhere",
        ),
    ],
)
def test_bad_patterns_are_refused(pattern: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find_pattern(encode("ACGT"), pattern)
    assert str(caught.value) == text
