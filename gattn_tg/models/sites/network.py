"""Says yes or no, or a share, of each of sparse sites along a genome, as how much a CpG is methylated."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor

from gattn_tg.models.bins import bin_ids
from gattn_tg.models.kind import Kind
from gattn_tg.models.sites.config import SiteConfig
from gattn_tg.models.sites.readout import SparseReadout
from gattn_tg.models.tracks import one_hot
from gattn_tg.models.trunk import Trunk
from gattn_tg.nn.convolution import Convolution
from gattn_tg.nn.linear import Linear
from gattn_tg.ops.dropout import dropout
from gattn_tg.types import Float, Int, UInt8


class SiteModel(Trunk):
    """One token per site: a convolution over the bases around it and facts about its surroundings; attention with
    motif bias among neighbouring sites, with rotary positions at their places in the genome; one logit per site.

    The head reads the facts beside the last block, so that a linear model of them is part of the network.

    Args:
        config: sizes and choices.
        seed: of the initial weights; drawn by NumPy, so they are the same on every device.
    """

    reads_lengths = True

    def __init__(self, config: SiteConfig, seed: int = 0) -> None:
        super().__init__(config)
        c, rng = config, np.random.default_rng(seed)
        self.shape = c
        self.local = Convolution(4, c.local_width, c.stem_kernel, rng)
        self.make_embedding(rng)
        self.join = Linear(c.n_local + c.n_facts, c.width, rng)
        self.make_blocks(rng)
        self.head = Linear(c.width + c.n_facts, 1, rng, gain=0.1)

    def __call__(
        self, bases: UInt8[Tensor, "b s w"], motif_ids: UInt8[Tensor, "b s w"], lengths: Int[Tensor, "b"],
        positions: Int[Tensor, "b s"], facts: Float[Tensor, "b s f"],
    ) -> Float[Tensor, "b s 1"]:
        """Logits: sigmoid of them is the probability, or the share.

        Args:
            bases: ids A C G T N = 0..4 around every site.
            motif_ids: motif ids of these bases.
            lengths: sites of each row; those behind are padding.
            positions: place of every site in bases, from the first of the row on.
            facts: of mean 0 and deviation 1.
        """
        c, (b, s, w) = self.shape, bases.shape
        seen = self.local(one_hot(bases.reshape(b * s, w)), activation="gelu")
        seen = seen.reshape(b, s, w // c.pool_bp, c.pool_bp, c.local_width).mean(3).reshape(b, s, c.n_local)
        ids = bin_ids(motif_ids.reshape(b, s * w), w, c.site_ranks)
        x = self.with_motifs(self.join(seen.cat(facts, dim=2)), ids)
        x = self.attend(dropout(x, c.dropout), ids, lengths, positions)
        return self.head(x.cat(facts, dim=2))

    def begin_with(self, slopes: Float[np.ndarray, "f"], level: float) -> None:
        """Answers `facts` @ slopes + level until something is learnt: what the network adds begins at nought."""
        zeros = np.zeros(self.head.weight.shape[1] - len(slopes))
        self.head.weight = Tensor(np.concatenate([zeros, slopes])[None].astype(np.float32))
        self.head.bias = Tensor(np.array([level], np.float32))


KIND = Kind(SiteConfig, SiteModel, SparseReadout, heads=("head",))
