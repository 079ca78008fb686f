"""Marks single bases: methylated or not, inside an island or not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tinygrad import Tensor

from gattn_tg.models.config import TrunkConfig
from gattn_tg.models.kind import Kind
from gattn_tg.models.readouts.bases import SiteReadout
from gattn_tg.models.tracks import one_hot
from gattn_tg.models.trunk import Trunk
from gattn_tg.nn.convolution import Convolution
from gattn_tg.nn.linear import Linear
from gattn_tg.types import Float, Int, UInt8


@dataclass(frozen=True, kw_only=True)
class PerBaseConfig(TrunkConfig):
    """What a `PerBaseModel` is made of, beside the fields of `TrunkConfig`.

    Args:
        n_labels: yes-or-no questions asked of every base, each with a logit of its own.
        stem_kernel: bases that the first convolution sees (odd).
    """

    n_labels: int = 1
    stem_kernel: int = 15

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_from(1, "n_labels", "stem_kernel")


class PerBaseModel(Trunk):
    """A convolution over bases and motif ids, attention with motif bias among bases, one logit per base and question.

    Args:
        config: sizes and choices.
        seed: of the initial weights; drawn by NumPy, so they are the same on every device.
    """

    def __init__(self, config: PerBaseConfig, seed: int = 0) -> None:
        super().__init__(config)
        rng = np.random.default_rng(seed)
        self.stem = Convolution(4, config.width, config.stem_kernel, rng)
        self.make_embedding(rng)
        self.make_blocks(rng)
        self.head = Linear(config.width, config.n_labels, rng, gain=0.1)

    def __call__(self, bases: UInt8[Tensor, "b n"], motif_ids: UInt8[Tensor, "b n"]) -> Float[Tensor, "b n c"]:
        """Logits: sigmoid of them is the probability of yes.

        Args:
            bases: ids A C G T N = 0..4; N is seen as no base.
            motif_ids: motif id per base.
        """
        return self.head(self.hidden(bases, motif_ids))

    def tokens(
        self, bases: UInt8[Tensor, "b n"], motif_ids: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"] | None = None
    ) -> tuple[Float[Tensor, "b n w"], UInt8[Tensor, "b n"]]:
        """Bases seen through the stem, and motif ids."""
        return self.with_motifs(self.stem(one_hot(bases), activation="gelu"), motif_ids), motif_ids


KIND = Kind(PerBaseConfig, PerBaseModel, SiteReadout, heads=("head",))
