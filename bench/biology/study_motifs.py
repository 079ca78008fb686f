"""A motif vocabulary for a labelled set: JASPAR matrices whose hits tell its classes apart, in the training rows."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np

from gattn_tg.data import LabelledSequences
from gattn_tg.data.genomes.bundled import JASPAR, bundled
from gattn_tg.errors import ConfigError
from gattn_tg.io import read_matrices
from gattn_tg.motif import MotifVocabulary, annotate, vocabulary_of
from gattn_tg.motif.pwm import find_matrix
from gattn_tg.seq.alphabet import N

JASPAR_FILE = bundled(JASPAR)
N_CLASSES, PVALUE = 15, 1e-3
ALIKE = 0.5  # two matrices whose hits agree by more than this (Jaccard index) are one motif


@functools.cache
def matrices() -> tuple[tuple[str, str, tuple[tuple[int, ...], ...]], ...]:
    """All matrices of the file."""
    return tuple((key, name, tuple(map(tuple, counts))) for key, name, counts in read_matrices(bundled(JASPAR)))


def vocabulary_for(train: LabelledSequences) -> MotifVocabulary:
    """The 15 matrices with the largest difference between the shares of the two classes that have a hit; of alike ones
    only the first. Nothing but the training rows is looked at."""
    assert train.labels is not None
    apart = np.pad(train.bases, ((0, 0), (0, 1)), constant_values=N)
    ids, width, positive = apart.ravel(), apart.shape[1], train.labels == 1
    hits, told, kept = [], [], []
    for key, name, counts in matrices():
        has = np.zeros(len(train), bool)
        try:
            for reverse in (False, True):
                has[find_matrix(ids, counts, PVALUE, reverse=reverse).starts // width] = True
        except ConfigError:
            continue  # too short for so small a chance
        hits.append(has)
        told.append(abs(has[positive].mean() - has[~positive].mean()))
        kept.append((key, name, counts))
    chosen: list[int] = []
    for at in np.argsort(told)[::-1]:
        if all((hits[at] & hits[k]).sum() <= ALIKE * (hits[at] | hits[k]).sum() for k in chosen):
            chosen.append(int(at))
        if len(chosen) == N_CLASSES:
            break
    return vocabulary_of([kept[k] for k in chosen], PVALUE)


def annotated(data: LabelledSequences, vocabulary: MotifVocabulary) -> LabelledSequences:
    """The same sequences with the motif ids of another vocabulary."""
    return replace(data, motif_ids=annotate(data.bases, vocabulary))
