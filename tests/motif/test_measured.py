"""Motif classes of measured states: what a letter per base says decides, beside the bases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gattn_tg.errors import ConfigError, GattnError, ShapeError
from gattn_tg.motif import MotifClass, MotifVocabulary, annotate, causal_ids
from gattn_tg.motif.follow import Follower
from gattn_tg.motif.rules import Measured
from gattn_tg.motif.stream import annotate_piece, pieces
from gattn_tg.seq import encode, reverse_complement

METHYLATION = MotifVocabulary.methylation()
PLANT = MotifVocabulary((  # a context that reads differently on the other strand
    MotifClass("chg", Measured(("CHG",), "X"), 2, "#000001", "forward"),
    MotifClass("chg-", Measured(("CHG",), "X"), 2, "#000002", "reverse"),
    MotifClass("chg_not", Measured(("CHG",), "x"), 1, "#000003"),
))  # fmt: skip
LETTERS_ALONE = "got letters alone; name a table with a column of states, or take a vocabulary without measured classes"

reads = st.lists(st.tuples(st.sampled_from("ACGTN"), st.sampled_from("...01")), max_size=30)


def test_the_state_decides_which_class_a_cpg_has() -> None:
    assert METHYLATION.names == ("none", "cpg_methylated", "cpg_unmethylated", "cpg")
    assert METHYLATION.states == "01"
    #                 CG CG CG C CG
    found = annotate("ACGTCGACGCACGT", METHYLATION, ".1..0......10.")
    assert found.tolist() == [0, 1, 1, 0, 2, 2, 0, 3, 3, 0, 0, 3, 3, 0]  # the last one: its strands differ


@given(reads)
def test_every_site_is_what_a_plain_loop_says(read: list[tuple[str, str]]) -> None:
    letters, states = ("".join(column) for column in zip(*read, strict=True)) if read else ("", "")
    wanted = [0] * len(letters)
    for at in range(len(letters) - 1):
        if letters[at : at + 2] == "CG":
            seen = set(states[at : at + 2]) - {"."}
            wanted[at] = wanted[at + 1] = {"1": 1, "0": 2}[seen.pop()] if len(seen) == 1 else 3
    assert annotate(letters, METHYLATION, states).tolist() == wanted


@pytest.mark.parametrize("vocabulary", [METHYLATION, PLANT], ids=["cpg", "chg"])
@given(read=st.lists(st.tuples(st.sampled_from("ACGT"), st.sampled_from("..01Xx")), min_size=1, max_size=30))
def test_the_other_strand_has_the_partners(vocabulary: MotifVocabulary, read: list[tuple[str, str]]) -> None:
    letters, states = ("".join(column) for column in zip(*read, strict=True))
    here = annotate(letters, vocabulary, states)
    there = annotate(reverse_complement(letters), vocabulary, states[::-1])
    assert vocabulary.is_strand_symmetric
    assert (there == np.array(vocabulary.complement)[here][::-1]).all()


def test_rows_are_annotated_as_they_are_alone() -> None:
    rows, states = ["ACGCG", "CGTTT"], [".1.0.", "0...1"]
    ids = np.stack([encode(row) for row in rows])
    codes = np.stack([np.frombuffer(row.encode(), np.uint8) for row in states])
    together = annotate(ids, METHYLATION, codes)
    assert [row.tolist() for row in together] == [
        annotate(row, METHYLATION, state).tolist() for row, state in zip(rows, states, strict=True)
    ]


@pytest.mark.parametrize(
    "ask",
    [
        lambda: annotate("ACGT", METHYLATION),
        lambda: causal_ids("ACGT", METHYLATION),
        lambda: [Follower(METHYLATION).push(base) for base in (1, 2)],
        lambda: [annotate_piece(piece, METHYLATION) for piece in pieces(iter([("c", 0, encode("ACGT"))]), METHYLATION)],
    ],
    ids=["annotate", "causal", "follower", "stream"],
)
def test_letters_alone_are_refused(ask) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError, match=LETTERS_ALONE):
        ask()


def test_a_vocabulary_of_letters_takes_no_notice_of_states() -> None:
    assert annotate("ACGT", None, ".1..").tolist() == annotate("ACGT").tolist()


def test_states_of_another_length_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"annotate: expected a state for each base of \(4,\), got \(3,\)"):
        annotate("ACGT", METHYLATION, ".1.")


@pytest.mark.parametrize("state", ["", ".", "10", " ", "é"])
def test_a_state_is_one_sign(state: str) -> None:
    with pytest.raises(GattnError, match="motif measured: expected for state one letter, digit or sign other than"):
        Measured(("CG",), state)
