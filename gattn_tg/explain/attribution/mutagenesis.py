"""Saturation mutagenesis: every base changed to each of the other three, and the model asked again."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gattn_tg.explain.attribution.sequences import Asked, Attribution, there
from gattn_tg.explain.attribution.target import Target
from gattn_tg.models.forward import Forward
from gattn_tg.motif import MotifVocabulary, annotate
from gattn_tg.types import Float, Int

ROWS_AT_ONCE = 1 << 12  # mutants that are annotated in one pass


class Mutagenesis:
    """Calling it with sequences gives what each change of a base does to the answer.

        changes[i, b] = f(x with b at base i) - f(x)
        hypothetical  = changes - their mean over the four bases; a contribution is the entry of the base that is there

    An N is changed like a base and has no contribution.

    Args:
        target: what is asked.
        vocabulary: motif classes of the model.
        batch_size: mutants per call of the network.
        hold_motifs: keep the motif ids of the sequence. Without it every mutant is annotated anew: what is counted is
            all that a change does, the motifs that it makes and breaks included.

    Source: in silico mutagenesis as in Zhou and Troyanskaya 2015, Nature Methods 12:931.
    """

    def __init__(
        self, target: Target, vocabulary: MotifVocabulary, batch_size: int = 128, hold_motifs: bool = False
    ) -> None:
        self.vocabulary, self.hold_motifs = vocabulary, hold_motifs
        self._forward = Forward(target.model, batch_size, None, target.run)

    def __call__(self, asked: Asked, chosen: Int[np.ndarray, "s"]) -> Iterator[Attribution]:
        """One attribution per sequence."""
        for i in range(len(asked.bases)):
            answer, changes = self.changes(asked, i, int(chosen[i]))
            hypothetical = changes - changes.mean(1, keepdims=True)
            row = asked.one(i)
            yield Attribution(answer, hypothetical, there(row, hypothetical), np.zeros(len(row)))

    def changes(self, asked: Asked, i: int, target: int) -> tuple[float, Float[np.ndarray, "n 4"]]:
        """The answer for a sequence, and what every change adds to it: 0 for the base that is there."""
        n = int(asked.lengths[i])
        base, place = np.tile(np.arange(4, dtype=np.uint8), n), np.repeat(np.arange(n), 4)
        others = base != asked.bases[i, place]
        base, place = base[others], place[others]
        bases, motif_ids, lengths = (array[i : i + 1] for array in asked.inputs)
        answer = float(self._forward(bases, motif_ids, lengths)[0, target])
        changes = np.zeros((n, 4))
        for first in range(0, len(base), ROWS_AT_ONCE):
            some = slice(first, first + ROWS_AT_ONCE)
            k = len(base[some])
            mutants = np.repeat(bases, k, axis=0)
            mutants[np.arange(k), place[some]] = base[some]
            ids = np.repeat(motif_ids, k, axis=0) if self.hold_motifs else annotate(mutants, self.vocabulary)
            found = self._forward(mutants, ids, np.repeat(lengths, k))[:, target]
            changes[place[some], base[some]] = found.astype(np.float64) - answer
        return answer, changes


