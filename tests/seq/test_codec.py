"""Letters to ids and back, one-hot."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gattn_tg.errors import FormatError
from gattn_tg.seq import decode, encode, one_hot
from gattn_tg.seq.alphabet import COMPLEMENT, ENCODE, IUPAC

dna = st.text(alphabet="ACGTN", max_size=80)


@given(dna)
def test_decode_undoes_encode(text: str) -> None:
    assert decode(encode(text)) == text


@given(dna)
def test_case_does_not_matter(text: str) -> None:
    assert encode(text.lower()).tolist() == encode(text).tolist()


def test_text_and_bytes_encode_alike() -> None:
    assert encode(b"ACGTN").tolist() == encode(bytearray(b"ACGTN")).tolist() == encode("ACGTN").tolist()


def test_ids_are_in_the_order_acgt_n() -> None:
    ids = encode("ACGTN")
    assert ids.tolist() == [0, 1, 2, 3, 4]
    assert ids.dtype == np.uint8


def test_uracil_is_thymine_and_ambiguity_is_no_base() -> None:
    assert encode("Uu").tolist() == [3, 3]
    assert set(encode("".join(set(IUPAC) - set("ACGT"))).tolist()) == {4}


def test_empty_sequence_has_no_ids() -> None:
    assert encode("").shape == (0,)
    assert decode(encode("")) == ""


@pytest.mark.parametrize(
    ("sequence", "came", "at", "length"),
    [
        ("ACGEACG", "'E'", 3, 7),
        ("AC GT", "' '", 2, 5),
        ("A-C", "'-'", 1, 3),
        ("Aéλ", "'é'", 1, 3),
        (b"A\x00", "'\\x00'", 1, 2),
    ],
)
def test_other_characters_are_refused_with_their_position(
    sequence: str | bytes, came: str, at: int, length: int
) -> None:
    with pytest.raises(FormatError) as caught:
        encode(sequence)
    assert str(caught.value) == (
        "sequence: expected nucleotide letters (A C G T U N and the IUPAC ambiguity letters), "
        f"got {came} at position {at} of {length}, counted from 0; remove it, or is this a protein sequence?"
    )


def test_decode_refuses_ids_that_are_no_bases() -> None:
    with pytest.raises(FormatError) as caught:
        decode(np.array([0, 7], dtype=np.uint8))
    assert str(caught.value) == (
        "decode: expected base ids 0..4, got 7; were motif ids passed as bases?"
    )


def test_tables_cannot_be_changed() -> None:
    for table in (ENCODE, COMPLEMENT):
        with pytest.raises(ValueError, match="read-only"):
            table[0] = 1


def test_one_hot_has_channels_first_and_nothing_for_n() -> None:
    hot = one_hot(encode("GATN"))
    assert hot.dtype == np.float32
    assert hot.tolist() == [[0, 1, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0]]


def test_one_hot_keeps_leading_axes() -> None:
    ids = np.stack([encode("ACG"), encode("TTN")])
    assert one_hot(ids).shape == (2, 4, 3)
    assert (one_hot(ids)[1] == one_hot(ids[1])).all()
