"""Motif filters before a model learns: the matrices they begin as, and how strong motifs usually are in its data."""

from __future__ import annotations

from typing import Any

import numpy as np

from gattn_tg.data import LabelledSequences
from gattn_tg.data.genomes.bundled import JASPAR, bundled
from gattn_tg.data.order import shuffled
from gattn_tg.io import read_matrices
from gattn_tg.motif import MotifVocabulary
from gattn_tg.motif.from_matrices import matrices_of, scored
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.tasks.labelled import DataSettings
from gattn_tg.types import Float

BUNDLED = "jaspar"
MOST = 1024  # training sequences that tell how strong motifs usually are

Starts = list[tuple[Float[np.ndarray, "w 4"], float]]
"""Log odds in bits and threshold of each matrix."""


def starts(config: TrainConfig, settings: DataSettings, vocabulary: MotifVocabulary) -> Starts:
    """The matrices that filters begin as: of the file that [data] names, else of the vocabulary.

    Raises:
        ConfigError: there is no such file.
        FormatError: it is malformed.
    """
    name = settings.matrices
    if not name:
        return matrices_of(vocabulary)
    path = bundled(JASPAR) if name == BUNDLED else config.file("matrices", name)
    return scored([matrix.counts for matrix in read_matrices(path)], settings.matrices_pvalue)


def begin(model: Any, starts: Starts, train: LabelledSequences, seed: int) -> None:
    """Set the filters of a model to their matrices, and take their strengths in the training set as usual."""
    model.filters.start_from(starts)
    rows = np.sort(shuffled(len(train), seed, 0)[:MOST])
    model.calibrate(train.bases[rows], train.lengths[rows])
