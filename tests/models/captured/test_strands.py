"""Strand averaging: equal answers for a sequence and its reverse complement, bit for bit."""

from __future__ import annotations

import numpy as np

from gattn_tg.data import LabelledSequences
from gattn_tg.models.captured.forward import class_probabilities
from gattn_tg.models.captured.strands import over_strands
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.motif import MotifVocabulary, annotate
from gattn_tg.seq import reverse_complement

VOCABULARY = MotifVocabulary.default()


def dataset(rows: list[np.ndarray]) -> LabelledSequences:
    bases = np.full((len(rows), 40), 4, np.uint8)
    for held, row in zip(bases, rows, strict=True):
        held[: len(row)] = row
    lengths = np.array([len(row) for row in rows], np.int32)
    return LabelledSequences(bases, annotate(bases, VOCABULARY), lengths, None, ("no", "yes"))


def test_both_strands_get_the_same_answer() -> None:
    rng = np.random.default_rng(0)
    rows = [rng.integers(0, 4, n).astype(np.uint8) for n in (40, 33, 12)]
    rows[0][4:12] = [3, 0, 3, 0, 0, 0, 0, 2]  # a TATA box, which has a strand
    config = ClassifierConfig(n_classes=2, width=16, n_layers=1, n_heads=2, motif="pair", stem_kernel=3)
    forward = class_probabilities(SequenceClassifier(config, seed=1), 3)
    average = over_strands(forward, VOCABULARY)
    here, there = dataset(rows), dataset([reverse_complement(row) for row in rows])
    np.testing.assert_array_equal(average(*here.inputs), average(*there.inputs))
    assert (forward(*here.inputs) != forward(*there.inputs)).any()
    np.testing.assert_allclose(average(*here.inputs).sum(1), 1, atol=1e-6)
