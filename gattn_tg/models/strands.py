"""Predictions that do not depend on the strand a sequence is given on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gattn_tg.data import LabelledSequences
from gattn_tg.data.augment import other_strand
from gattn_tg.types import Float


@dataclass(frozen=True)
class StrandAverage:
    """Calling it with a dataset gives the mean of what a model says of every sequence and of its reverse complement.

    A sum of two numbers does not depend on their order, so a sequence and its reverse complement get equal answers,
    bit for bit, whatever the model has learnt. It takes twice the time. The other way to that end is a model whose
    tables are tied (`tie_strands`) and that was trained on both strands, which is symmetric only as far as it learnt.

    Args:
        forward: rows of a dataset to rows of numbers that mean the same on both strands, such as `models.Forward`.
        complement: motif id of every motif on the other strand, `MotifVocabulary.complement`; the vocabulary must be
            `is_strand_symmetric`, or the motifs of the other strand are not those that annotation would find.

    Source: averaging over both strands at prediction, as in Shrikumar, Greenside and Kundaje 2017, bioRxiv 103663.
    """

    forward: Callable[[LabelledSequences], Float[np.ndarray, "n c"]]
    complement: Sequence[int]

    def __call__(self, dataset: LabelledSequences) -> Float[np.ndarray, "n c"]:
        bases, ids = other_strand(dataset.bases, dataset.motif_ids, self.complement, lengths=dataset.lengths)
        other = replace(dataset, bases=bases, motif_ids=ids)
        mean: np.ndarray = (self.forward(dataset) + self.forward(other)) * np.float32(0.5)
        return mean
