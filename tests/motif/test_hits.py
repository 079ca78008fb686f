"""Hits: strands, names, scores, order."""

from __future__ import annotations

from gattn_tg.motif import AtRich, Consensus, CpgIslands, Hit, MotifClass, MotifVocabulary, hits
from gattn_tg.seq import encode


def one(rule: Consensus | AtRich | CpgIslands, strand: str = "either") -> MotifVocabulary:
    return MotifVocabulary((MotifClass("m", rule, 1, "#123456", strand),))


def test_palindrome_has_no_strand() -> None:
    assert hits("AACGT", one(Consensus(("CG",)))) == [Hit(2, 4, ".", "m", 1, 1.0)]


def test_either_strand_says_which() -> None:
    found = hits("CCAATATTGG", one(Consensus(("CCAAT",))))
    assert found == [Hit(0, 5, "+", "m", 1, 1.0), Hit(5, 10, "-", "m", 1, 1.0)]


def test_directional_classes_report_their_strand() -> None:
    assert [hit.strand for hit in hits("CCAATATTGG", one(Consensus(("CCAAT",)), "forward"))] == ["+"]
    assert [hit.strand for hit in hits("CCAATATTGG", one(Consensus(("CCAAT",)), "reverse"))] == ["-"]


def test_overlapping_sites_all_count_and_come_in_order() -> None:
    found = hits("CGCGAATAAA")
    assert [(hit.start, hit.name) for hit in found] == [(0, "cpg"), (2, "cpg"), (4, "polya_signal")]


def test_scores_say_how_much() -> None:
    (weak,) = hits("GATATATATTCTG", one(AtRich(10, 0.9)))
    assert (weak.start, weak.end, weak.strand, weak.score) == (0, 12, ".", 10 / 12)
    (island,) = hits("CGGCA" * 120, one(CpgIslands("takai-jones")))
    assert (island.start, island.end, island.strand) == (0, 600, ".")
    assert island.score == 120 * 600 / (240 * 240)


def test_letters_and_ids_give_the_same() -> None:
    text = "ACGTATAAAAGGTAAGT"
    assert hits(text) == hits(encode(text)) == hits(text.encode())


def test_values_are_plain_python() -> None:
    (hit,) = hits("CG")
    assert [type(value) for value in hit] == [int, int, str, str, int, float]
