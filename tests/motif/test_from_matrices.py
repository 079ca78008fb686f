"""Vocabularies of matrices."""

from __future__ import annotations

import pytest

from gattn_tg.errors import ConfigError
from gattn_tg.motif import Matrix, MotifVocabulary, annotate, vocabulary_of

ARNT = ("MA0004.1", "Arnt", ((4, 16, 0, 0), (19, 0, 1, 0), (0, 20, 0, 0), (0, 0, 20, 0), (0, 0, 0, 20), (0, 0, 20, 0)))
AHR = ((3, 8, 2, 11), (0, 0, 23, 1), (0, 23, 0, 1), (0, 0, 23, 1), (0, 0, 0, 24), (0, 0, 24, 0))
PAIR = ("MA0006.1", "Ahr::Arnt", AHR)


def test_first_motif_wins_and_all_win_over_the_base() -> None:
    default = MotifVocabulary.default()
    vocabulary = vocabulary_of([ARNT, PAIR], 1e-3, base=default, source="JASPAR2024")
    assert vocabulary.classes[:15] == default.classes
    first, second = vocabulary.classes[15:]
    assert (first.name, second.name) == ("Arnt", "Ahr_Arnt")
    assert first.priority > second.priority > max(motif.priority for motif in default.classes)
    assert first.source == "JASPAR2024 MA0004.1"
    assert first.rule == Matrix(ARNT[2], 1e-3)
    assert vocabulary.is_strand_symmetric
    assert MotifVocabulary.from_toml(vocabulary.to_toml()) == vocabulary


def test_a_name_twice_gets_its_id() -> None:
    twin = ("MA9999.1", "Arnt", PAIR[2])
    assert vocabulary_of([ARNT, twin], 1e-3).names == ("none", "Arnt", "Arnt_MA9999.1")


def test_sites_are_annotated() -> None:
    pytest.importorskip("lightmotif", reason="lightmotif is absent (extra genomics)")
    assert annotate("TTTTCACGTGTTTT", vocabulary_of([ARNT], 1e-3)).tolist() == [0] * 4 + [1] * 6 + [0] * 4


def test_too_short_for_the_pvalue() -> None:
    with pytest.raises(ConfigError, match="a pvalue that the best of all words of 6 bases does not exceed"):
        vocabulary_of([ARNT], 1e-4)
