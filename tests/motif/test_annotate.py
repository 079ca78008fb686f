"""Motif ids: meaning, priority, strands, padding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gattn_tg.errors import FormatError, ShapeError
from gattn_tg.motif import AtRich, Consensus, MotifClass, MotifVocabulary, annotate, hits
from gattn_tg.seq import encode, reverse_complement

DEFAULT = MotifVocabulary.default()
IDS = {name: k for k, name in enumerate(DEFAULT.names)}

sequences = st.text(alphabet="ACGTN", max_size=150)
# Fragments of motifs make overlaps of classes and of strands frequent.
fragments = st.lists(
    st.sampled_from(["TATAAAAG", "CTTTTATA", "TATATA", "GGTAAG", "CTTACC", "CCTTTCTCAG", "CTGAGAAAGG", "CACGTG",
                     "GGGCGG", "CCGCCC", "CCAAT", "ATTGG", "TGACTCA", "CCGGAAG", "AATAAA", "TTTATT", "CG", "A", "N",
                     "ATTATATTATAATATTAAATTT", "CGGCA" * 65]),
    max_size=14,
).map("".join)  # fmt: skip


def vocabulary(*classes: tuple[str, tuple[str, ...], str, int]) -> MotifVocabulary:
    return MotifVocabulary(
        tuple(
            MotifClass(name, Consensus(patterns), priority, "#123456", strand)
            for name, patterns, strand, priority in classes
        )
    )


@settings(max_examples=300)
@given(st.one_of(sequences, fragments))
@example("TATATATATATATATA")
@example("CTTTTATATAAAAG")
def test_other_strand_gets_the_complement_ids_in_reverse(sequence: str) -> None:
    complement = np.array(DEFAULT.complement, dtype=np.uint8)
    assert DEFAULT.is_strand_symmetric
    assert (annotate(reverse_complement(sequence)) == complement[annotate(sequence)][::-1]).all()


@given(st.lists(st.one_of(sequences, fragments), min_size=1, max_size=5), st.integers(0, 9))
def test_rows_and_padding_do_not_matter(rows: list[str], extra: int) -> None:
    width = max(map(len, rows)) + extra
    padded = np.stack([encode(row + "N" * (width - len(row))) for row in rows])
    together = annotate(padded)
    assert together.shape == padded.shape
    for row, ids in zip(rows, together, strict=True):
        assert (ids[: len(row)] == annotate(row)).all()
        assert not ids[len(row) :].any()


@given(st.one_of(sequences, fragments))
def test_every_annotated_base_lies_in_a_hit_of_its_class_and_no_higher_one(sequence: str) -> None:
    found = hits(sequence)
    covered = np.zeros((DEFAULT.n_motifs, len(sequence)), dtype=bool)
    for hit in found:
        covered[hit.id, hit.start : hit.end] = True
    priority = [0] + [motif.priority for motif in DEFAULT.classes]
    for at, k in enumerate(annotate(sequence).tolist()):
        above = {j for j in np.flatnonzero(covered[:, at]).tolist() if priority[j] > priority[k]}
        assert k == 0 or covered[k, at]
        # Only the two strands of one rule may leave a base to a lower class, when they are equally near.
        assert all(DEFAULT.complement[j] in above - {j} for j in above)


def test_ids_of_one_motif_of_each_class() -> None:
    flank = "GACACA"  # holds no motif itself
    assert not annotate(flank * 4).any()
    for name, motif in {
        "cpg": "CG",
        "tata_box": "TATAAAAG",
        "tata_box-": "CTTTTATA",
        "gc_box": "GGGCGG",
        "ccaat_box": "CCAAT",
        "e_box": "CAGATG",
        "bzip_site": "TGAGTCA",
        "ets_site": "CCGGAAG",
        "splice_donor": "AGGTAAG",
        "splice_donor-": "CTTACCT",
        "splice_acceptor": "CTTTCTTCAG",
        "splice_acceptor-": "CTGAAGAAAG",
        "polya_signal": "AATAAA",
        "at_rich": "ATTTAATATTTATATTTAAT",
    }.items():
        ids = annotate(flank + motif + flank)
        inside = ids[len(flank) : len(flank) + len(motif)]
        assert IDS[name] in inside, name
        if name != "at_rich":
            assert (inside == IDS[name]).all(), name
    island = annotate("CGGCA" * 60)
    assert set(island[50:250].tolist()) == {IDS["cpg"], IDS["cpg_island"]}
    assert set(island.tolist()) == {0, IDS["cpg"], IDS["cpg_island"]}


def test_either_strand_counts_both() -> None:
    both = vocabulary(("ccaat", ("CCAAT",), "either", 1))
    assert annotate("GCCAATGGGATTGGC", both).tolist() == [0, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1, 0]


def test_forward_and_reverse_count_one() -> None:
    forward, reverse = (vocabulary(("ccaat", ("CCAAT",), strand, 1)) for strand in ("forward", "reverse"))
    assert annotate("CCAATATTGG", forward).tolist() == [1] * 5 + [0] * 5
    assert annotate("CCAATATTGG", reverse).tolist() == [0] * 5 + [1] * 5


def test_highest_priority_wins() -> None:
    low, high = ("long", ("ACGTACGC",), "forward", 1), ("short", ("GTA",), "forward", 2)
    assert annotate("ACGTACGC", vocabulary(low, high)).tolist() == [1, 1, 2, 2, 2, 1, 1, 1]
    low, high = ("long", ("ACGTACGC",), "forward", 2), ("short", ("GTA",), "forward", 1)
    assert annotate("ACGTACGC", vocabulary(low, high)).tolist() == [1] * 8


def test_strands_of_one_rule_share_a_base_by_the_nearer_centre() -> None:
    # The minus box is CTTTTATA at 0-8, the plus box TATAAAAG at 6-14: they share the TA in the middle.
    plus, minus = IDS["tata_box"], IDS["tata_box-"]
    assert annotate("CTTTTATATAAAAG").tolist() == [minus] * 7 + [plus] * 7


def test_base_equally_near_to_both_strands_goes_to_the_next_class() -> None:
    same = vocabulary(
        ("plus", ("MAATTS",), "forward", 2),
        ("minus", ("MAATTS",), "reverse", 2),
        ("under", ("AATT",), "either", 1),
    )
    assert annotate("CAATTG", same).tolist() == [0, 3, 3, 3, 3, 0]
    assert annotate("AAATTG", same).tolist() == [1] * 6
    assert annotate("CAATTT", same).tolist() == [2] * 6


def test_lower_case_is_the_same() -> None:
    assert (annotate("aacgtttataaaag") == annotate("AACGTTTATAAAAG")).all()


def test_default_vocabulary_is_used_when_none_is_given() -> None:
    assert (annotate("TATAAAAG", DEFAULT) == annotate("TATAAAAG")).all()


def test_empty_sequences() -> None:
    assert annotate("").shape == (0,)
    assert annotate(np.zeros((3, 0), dtype=np.uint8)).shape == (3, 0)
    assert annotate(np.zeros((0, 5), dtype=np.uint8)).shape == (0, 5)


def test_long_windows_reach_over_many_bases() -> None:
    windows = MotifVocabulary((MotifClass("weak", AtRich(10, 1.0), 1, "#123456"),))
    assert annotate("G" + "AT" * 500 + "G", windows).tolist() == [0] + [1] * 1000 + [0]


def test_three_axes_are_refused() -> None:
    with pytest.raises(ShapeError) as caught:
        annotate(np.zeros((2, 3, 4), dtype=np.uint8))
    assert str(caught.value) == (
        "annotate: expected one sequence (n) or one per row (N, n), got 3 axes; reshape the base ids"
    )


def test_protein_is_refused() -> None:
    with pytest.raises(FormatError, match="got 'E' at position 1 of 4"):
        annotate("MEKL".replace("M", "A"))
