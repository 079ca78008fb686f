"""Strand flips: half of the rows, padding in place, annotation as if the flipped letters had been annotated."""

from __future__ import annotations

import numpy as np

from gattn_tg.data import LabelledSequences
from gattn_tg.data.augment import flip_strands
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
    after = flip_strands(before, VOCABULARY.complement, seed=1, epoch=0)
    n_flipped = 0
    for old, new, length in zip(before.bases, after.bases, before.lengths, strict=True):
        assert (new[length:] == N).all()
        flipped = (new[:length] == reverse_complement(old[:length])).all()
        assert flipped or (new == old).all()
        n_flipped += int(flipped and not (new == old).all())
    assert n_flipped == 15
    assert (after.motif_ids == annotate(after.bases, VOCABULARY)).all()


def test_seed_and_epoch_decide() -> None:
    def flips(seed: int, epoch: int) -> bytes:
        return flip_strands(dataset(), VOCABULARY.complement, seed=seed, epoch=epoch).bases.tobytes()

    assert flips(1, 0) == flips(1, 0)
    assert len({flips(1, 0), flips(1, 1), flips(2, 0)}) == 3
