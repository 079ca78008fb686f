"""Changes of training examples that leave their label true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gattn_tg.data.labelled import LabelledSequences
from gattn_tg.data.order import shuffled
from gattn_tg.seq.alphabet import COMPLEMENT
from gattn_tg.types import UInt8

STREAM = 0x5C  # keeps these draws apart from those that order the batches


def flip_strands(
    dataset: LabelledSequences, motif_complement: Sequence[int], *, seed: int, epoch: int
) -> LabelledSequences:
    """A random half of the sequences, another one in every epoch, replaced by their reverse complements.

    Args:
        dataset: Padded on the right; the padding stays where it is.
        motif_complement: Motif id of every motif on the other strand, `MotifVocabulary.complement`.
        seed: Together with `epoch` it decides which sequences are flipped.
        epoch: 0-based pass over the data.
    """
    chosen = shuffled(len(dataset), seed, epoch, STREAM) < len(dataset) // 2
    return replace(
        dataset,
        bases=_reverse(dataset.bases, dataset.lengths, chosen, COMPLEMENT),
        motif_ids=_reverse(dataset.motif_ids, dataset.lengths, chosen, np.asarray(motif_complement, np.uint8)),
    )


def _reverse(
    rows: UInt8[np.ndarray, "r n"], lengths: np.ndarray, chosen: np.ndarray, mapping: np.ndarray
) -> UInt8[np.ndarray, "r n"]:
    position = np.arange(rows.shape[1])
    source = lengths[:, None] - 1 - position
    source = np.where(chosen[:, None] & (source >= 0), source, position)
    taken = np.take_along_axis(rows, source, axis=1)
    return np.where(chosen[:, None] & (position < lengths[:, None]), mapping[taken], taken)
