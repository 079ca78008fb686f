"""What bases give to an answer that is the mean over both strands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from gattn_tg.data.augment import other_strand
from gattn_tg.explain.attribution.sequences import Asked, Attribution
from gattn_tg.models.captured.strands import require_symmetric
from gattn_tg.motif import MotifVocabulary
from gattn_tg.types import Float

Method = Callable[[Asked, np.ndarray], Iterator[Attribution]]


class BothStrands:
    """Calling it gives the mean of what a method finds in sequences and in their reverse complements.

    Everything is told on the strand that was given. The residual is the larger of the two.

    Args:
        method: what finds attributions of whole sequences.
        vocabulary: what the motif ids mean.

    Raises:
        ConfigError: the vocabulary is not symmetric.
    """

    def __init__(self, method: Method, vocabulary: MotifVocabulary) -> None:
        require_symmetric(vocabulary)
        self._method, self._complement = method, vocabulary.complement

    def __call__(self, asked: Asked, wanted: Float[np.ndarray, "s c"]) -> Iterator[Attribution]:
        """One attribution per sequence, of the sum of its answers weighted by `wanted`."""
        bases, ids = other_strand(asked.bases, asked.motif_ids, self._complement, lengths=asked.lengths)
        turned = replace(asked, bases=bases, motif_ids=ids)
        for here, other in zip(self._method(asked, wanted), self._method(turned, wanted), strict=True):
            yield Attribution(
                (here.answer + other.answer) / 2,
                (here.hypothetical + other.hypothetical[::-1, ::-1]) / 2,  # A C G T backwards is T G C A
                (here.contributions + other.contributions[::-1]) / 2,
                (here.by_motif + other.by_motif[::-1]) / 2,
                max(here.residual, other.residual),
            )
