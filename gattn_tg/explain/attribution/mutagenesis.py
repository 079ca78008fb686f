"""Saturation mutagenesis: every base changed to each of the other three, and the model asked again."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gattn_tg.explain.attribution.sequences import Asked, Attribution, there
from gattn_tg.explain.attribution.target import Target
from gattn_tg.models.captured.forward import Forward
from gattn_tg.models.captured.strands import Run, over_strands
from gattn_tg.motif import MotifVocabulary
from gattn_tg.types import Float

ROWS_AT_ONCE, BASES_AT_ONCE = 1 << 12, 1 << 21  # mutants, and their bases, that are annotated in one pass, at most


class Mutagenesis:
    """Calling it with sequences gives what each change of a base does to the answer.

        changes[i, b] = f(x with b at base i) - f(x)
        hypothetical  = changes - their mean over the four bases; a contribution is the entry of the base that is there

    An N is changed like a base and has no contribution; one that is hidden, and asked for, stays.

    Args:
        target: what is asked.
        vocabulary: motif classes of the model.
        batch_size: mutants per call of the network.
        hold_motifs: keep the motif ids of the sequence. Without it every mutant is annotated anew: what is counted is
            all that a change does, the motifs that it makes and breaks included.
        stretch: only these bases are changed, 0-based and half-open; None changes all.
        both_strands: the answer is the mean over a sequence and its reverse complement.
        run: gives the answers of one strand, where the network of the target is captured already.

    Raises:
        ConfigError: both strands with a vocabulary that is not symmetric.

    Source: in silico mutagenesis as in Zhou and Troyanskaya 2015, Nature Methods 12:931.
    """

    def __init__(
        self, target: Target, vocabulary: MotifVocabulary, batch_size: int = 128, hold_motifs: bool = False,
        stretch: tuple[int, int] | None = None, both_strands: bool = False, run: Run | None = None,
    ) -> None:
        self.target, self.vocabulary, self.hold_motifs, self.stretch = target, vocabulary, hold_motifs, stretch
        run = Forward(target.model, batch_size, None, target.run) if run is None else run
        self._run = over_strands(run, vocabulary) if both_strands else run

    def __call__(self, asked: Asked, wanted: Float[np.ndarray, "s c"]) -> Iterator[Attribution]:
        """One attribution per sequence, of the sum of its answers weighted by `wanted`."""
        for i in range(len(asked.bases)):
            answer, changes = self.changes(asked, i, wanted[i])
            hypothetical = changes - changes.mean(1, keepdims=True)
            row = asked.one(i)
            yield Attribution(answer, hypothetical, there(row, hypothetical), np.zeros(len(row)))

    def changes(
        self, asked: Asked, i: int, wanted: Float[np.ndarray, "c"]
    ) -> tuple[float, Float[np.ndarray, "n 4"]]:
        """The answer for a sequence, and what every change adds to it: 0 for the base that is there."""
        n = int(asked.lengths[i])
        first, last = self.stretch or (0, n)
        places = np.arange(first, min(last, n))
        if asked.places is not None:
            places = places[places != asked.places[i]]
        base, place = np.tile(np.arange(4, dtype=np.uint8), len(places)), np.repeat(places, 4)
        others = base != asked.bases[i, place]
        # the first row has its own first base: it is the sequence itself
        base = np.concatenate([asked.bases[i, :1], base[others]])
        place = np.concatenate([np.zeros(1, np.int64), place[others]])
        told = [array[i : i + 1] for array in asked.told]
        answers, size = np.zeros(len(base)), min(max(BASES_AT_ONCE // asked.bases.shape[1], 1), ROWS_AT_ONCE)
        for start in range(0, len(base), size):
            some = slice(start, start + size)
            k = len(base[some])
            rows = np.repeat(asked.bases[i : i + 1], k, axis=0)
            rows[np.arange(k), place[some]] = base[some]
            ids = np.repeat(asked.motif_ids[i : i + 1], k, axis=0)
            if not self.hold_motifs:
                ids = self.target.motif_ids(rows, self.vocabulary)
            answers[some] = self._run(rows, ids, *(np.repeat(array, k) for array in told)) @ wanted
        changes = np.zeros((n, 4))
        changes[place[1:], base[1:]] = answers[1:] - answers[0]
        return float(answers[0]), changes
