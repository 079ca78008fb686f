"""What the linear models on motifs see in whole sequences, what is usual of it, and what they make of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from tinygrad import Tensor, dtypes

from gattn_tg.models.captured.forward import Forward
from gattn_tg.nn.blend import LINEAR, Blend
from gattn_tg.nn.evidence import Evidence
from gattn_tg.nn.motif_filters import MotifFilters
from gattn_tg.nn.motif_pairs import pair_sums
from gattn_tg.nn.strengths import summary
from gattn_tg.types import Float, Int, UInt8

ROWS = 64  # sequences whose motifs are found at once


class MotifEvidence:
    """Base of `SequenceClassifier`.

    Attributes:
        config: its configuration.
        filters: motifs whose strengths are computed; None where there are motif ids.
        evidence: on how much of each motif a sequence has; None without.
        pairs: on two motifs at a distance; None without.
        blend: how much each part says, where they learn apart; None where they do not.
    """

    config: Any
    __call__: Callable[..., Tensor]
    filters: MotifFilters | None
    evidence: Evidence | None
    pairs: Evidence | None
    blend: Blend | None

    def strengths(self, motifs: UInt8[Tensor, "b n"] | Float[Tensor, "b n t"]) -> Float[Tensor, "b n t"]:
        """Strengths of motifs as they are; of ids 1 at the bases of a class and 0 elsewhere, without those of none."""
        if self.filters is not None:
            return motifs
        return motifs.unsqueeze(-1) == Tensor.arange(1, self.config.n_motifs, dtype=dtypes.uint8)

    def motif_summary(
        self, bases: UInt8[Tensor, "b n"], motif_ids: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"]
    ) -> Float[Tensor, "b 2t"]:
        """How much of every motif is in these sequences; with filters the same of both strands, but for rounding."""
        motifs = motif_ids if self.filters is None else self.filters(bases, lengths)
        return summary(self.strengths(motifs), lengths)

    def calibrate(
        self, bases: UInt8[np.ndarray, "r n"], motif_ids: UInt8[np.ndarray, "r n"], lengths: Int[np.ndarray, "r"]
    ) -> Float[np.ndarray, "r 2t"]:
        """Take how much of every motif is in these sequences as usual; with `filters` or `motif_counts`.

        Gives how unusual each sequence is, in standard deviations.
        """
        assert self.evidence is not None
        return self.evidence.calibrate(Forward(self, ROWS, run=self.motif_summary)(bases, motif_ids, lengths))

    def calibrate_pairs(
        self, bases: UInt8[np.ndarray, "r n"], motif_ids: UInt8[np.ndarray, "r n"], lengths: Int[np.ndarray, "r"]
    ) -> Float[np.ndarray, "r p"]:
        """The same of every two motifs at a distance, with `motif_pairs`."""
        assert self.pairs is not None
        run = Forward(self, ROWS, run=lambda bases, _, lengths: self.pair_numbers(bases, lengths))
        return self.pairs.calibrate(run(bases, motif_ids, lengths))

    def pair_numbers(
        self, bases: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"]
    ) -> Float[Tensor, "b p"]:
        """How much each sequence has of two motifs at a distance (`nn.motif_pairs.pair_sums`), with `motif_pairs`."""
        self.config.require_parts()
        assert self.filters is not None
        strands = self.filters.by_strand(bases, lengths, self.config.motif_pairs)
        return pair_sums(strands, self.config.pair_reach_bp, self.config.merge_strands)

    def effects(self) -> Float[np.ndarray, "2t c"]:
        """What one standard deviation more of each motif adds to the answers (`Evidence.effects`)."""
        return self._added(self.evidence)

    def pair_effects(self) -> Float[np.ndarray, "p c"]:
        """The same of every two motifs at a distance, in the order of `nn.motif_pairs.pair_sums`."""
        return self._added(self.pairs)

    def _added(self, part: Evidence | None) -> Float[np.ndarray, "f c"]:
        assert part is not None
        alone = part.effects()
        return alone if self.blend is None else alone * self.blend.weight.numpy()[self.config.parts.index(LINEAR)]
