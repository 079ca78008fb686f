"""What a model says along a sequence: expected counts of bins and tracks, or log odds of bases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tinygrad import Tensor

from gattn_tg.explain.attribution.target import Target
from gattn_tg.models.readouts.tracks import TrackHead
from gattn_tg.types import Float


@dataclass(frozen=True)
class TrackTarget(Target):
    """Expected counts of all bins and tracks of a head, bin by bin; the sum of some of them is what is explained.

    The id of a bin is the most telling of those of its bases, which no weights can stand for: gradients keep the motif
    ids of the sequence, and say what its letters do. Mutagenesis finds the motifs of every mutant anew.

    Args:
        model: a `TrackModel`.
        head: which of its heads, and how counts follow from rates.
    """

    holds_motifs: ClassVar[bool] = True

    head: TrackHead

    @property
    def unit(self) -> str:
        """What the numbers are."""
        return "counts"

    def run(self, *inputs: Tensor) -> Float[Tensor, "b pk"]:
        """Counts; lengths are not asked for: beyond its end a sequence has N."""
        rates, limit = self.model(*inputs[:2], self.head.head).float(), self.head.soft_clip
        if limit:  # as `data.tracks.unclipped`
            rates = (rates > limit).where((rates + limit) ** 2 / (4 * limit), rates)
        scale = Tensor(np.array(self.head.scale, np.float32), device=rates.device)
        return (rates * scale).reshape(rates.shape[0], -1)


@dataclass(frozen=True)
class SiteTarget(Target):
    """Log odds of yes at every base, label by label inside a base; the sum of some of them is what is explained."""

    def run(self, *inputs: Tensor) -> Float[Tensor, "b nk"]:
        """Log odds; lengths are not asked for: beyond its end a sequence has N."""
        logits = self.model(*inputs[:2]).float()
        return logits.reshape(logits.shape[0], -1)
