"""Tables to arrays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gattn_tg.data import LabelledSequences, encode_labelled
from gattn_tg.errors import ConfigError, FormatError, ShapeError
from gattn_tg.io import LabelledTable
from gattn_tg.motif import MotifVocabulary, annotate
from gattn_tg.seq import encode

VOCABULARY = MotifVocabulary.default()
TABLE = LabelledTable(
    sequences=(b"ACGTACGT", b"tataaaag", b"CG"),
    labels=np.array([1, 0, 1], dtype=np.int32),
    label_names=("no", "yes"),
    path=Path("x.csv"),
    names=("a", "b", "c"),
)


def test_rows_are_padded_and_annotated_as_alone() -> None:
    dataset = encode_labelled(TABLE, VOCABULARY, max_length=10)
    assert (len(dataset), dataset.width) == (3, 10)
    assert dataset.lengths.tolist() == [8, 8, 2]
    for sequence, bases, motif_ids in zip(TABLE.sequences, dataset.bases, dataset.motif_ids, strict=True):
        n = len(sequence)
        assert (bases[:n] == encode(sequence)).all()
        assert (bases[n:] == 4).all()
        assert (motif_ids[:n] == annotate(sequence, VOCABULARY)).all()
        assert not motif_ids[n:].any()
    assert dataset.bases.dtype == dataset.motif_ids.dtype == np.uint8
    assert dataset.lengths.dtype == np.int32
    assert dataset.labels is not None
    assert dataset.labels.dtype == np.int32


def test_width_is_that_of_the_longest_sequence() -> None:
    assert encode_labelled(TABLE, VOCABULARY).width == 8


def test_longer_sequences_are_refused() -> None:
    with pytest.raises(FormatError) as caught:
        encode_labelled(TABLE, VOCABULARY, max_length=5)
    assert str(caught.value) == (
        "x.csv, sequence 1: expected at most 5 bases, got 8; cut the sequences or raise max_length"
    )


def test_labels_follow_the_given_names() -> None:
    dataset = encode_labelled(TABLE, VOCABULARY, label_names=("yes", "maybe", "no"))
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [0, 2, 0]
    assert dataset.label_names == ("yes", "maybe", "no")


def test_unknown_labels_are_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        encode_labelled(TABLE, VOCABULARY, label_names=("yes", "maybe"))
    assert str(caught.value) == (
        "x.csv: expected labels yes, maybe, got no; correct the table or train a model with these classes"
    )


def test_tables_without_labels() -> None:
    dataset = encode_labelled(replace(TABLE, labels=None, label_names=()), VOCABULARY, label_names=("a", "b"))
    assert dataset.labels is None
    assert dataset.label_names == ("a", "b")


def test_subset_keeps_everything_in_the_given_order() -> None:
    part = encode_labelled(TABLE, VOCABULARY).subset(np.array([2, 0]))
    assert part.lengths.tolist() == [2, 8]
    assert part.labels is not None
    assert part.labels.tolist() == [1, 1]
    assert part.names == ("c", "a")
    assert (part.bases[1] == encode("ACGTACGT")).all()


def test_arrays_that_do_not_fit_are_refused() -> None:
    dataset = encode_labelled(TABLE, VOCABULARY)
    with pytest.raises(ShapeError) as caught:
        replace(dataset, lengths=dataset.lengths[:2])
    assert str(caught.value) == (
        "LabelledSequences: expected lengths for 3 sequences of bases (3, 8), got shape (2,); "
        "encode all of them together"
    )
    for change in (
        {"bases": dataset.bases[0]},
        {"motif_ids": dataset.motif_ids[:, :4]},
        {"names": ("a",)},
        {"labels": np.zeros(4)},
    ):
        with pytest.raises(ShapeError, match=f"{next(iter(change))} for 3|for 8"):
            LabelledSequences(**{**vars(dataset), **change})
