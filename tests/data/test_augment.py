"""Strand flips: half of the rows, padding in place, annotation as if the flipped letters had been annotated."""

from __future__ import annotations

import numpy as np

from gattn_tg.data import LabelledSequences
from gattn_tg.data.augment import other_strand, turned_in
from gattn_tg.motif import MotifVocabulary, annotate
from gattn_tg.seq import N, reverse_complement

VOCABULARY = MotifVocabulary.default()


def dataset() -> LabelledSequences:
    rng = np.random.default_rng(0)
    lengths = rng.integers(5, 41, 30).astype(np.int32)
    bases = rng.integers(0, 4, (30, 40)).astype(np.uint8)
    bases[np.arange(40) >= lengths[:, None]] = N
    return LabelledSequences(bases, annotate(bases, VOCABULARY), lengths, None, ())


def test_half_of_the_rows_are_read_from_the_other_strand() -> None:
    before = dataset()
    bases, motif_ids = other_strand(
        before.bases, before.motif_ids, VOCABULARY.complement, turned_in(0, len(before), 1), before.lengths
    )
    n_flipped = 0
    for old, new, length in zip(before.bases, bases, before.lengths, strict=True):
        assert (new[length:] == N).all()
        flipped = (new[:length] == reverse_complement(old[:length])).all()
        assert flipped or (new == old).all()
        n_flipped += int(flipped and not (new == old).all())
    assert n_flipped == 15
    assert (motif_ids == annotate(bases, VOCABULARY)).all()


def test_seed_and_epoch_decide() -> None:
    def flips(seed: int, epoch: int) -> bytes:
        return turned_in(epoch, 30, seed).tobytes()

    assert flips(1, 0) == flips(1, 0)
    assert len({flips(1, 0), flips(1, 1), flips(2, 0)}) == 3
