"""A model of tracks of another project: Enformer, Borzoi, Flashzoi."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor

from gattn_tg.errors import ShapeError
from gattn_tg.models.bins import bin_ids
from gattn_tg.models.config import NO_MOTIF
from gattn_tg.models.imported.tracks.block import TracksBlock
from gattn_tg.models.imported.tracks.config import ImportedTracksConfig, TracksShape
from gattn_tg.models.imported.tracks.tower import ACTIVATIONS, BorzoiTower, EnformerTower, Normed, Rises
from gattn_tg.models.kind import Kind
from gattn_tg.models.readouts.tracks import TrackReadout
from gattn_tg.models.tracks import TracksTrunk, one_hot
from gattn_tg.nn.attention import AttentionConfig
from gattn_tg.ops import recompute
from gattn_tg.ops.dropout import dropout
from gattn_tg.types import Float, Int, UInt8


class ImportedTracks(TracksTrunk):
    """Tower from bases to tokens, attention that knows distances, in Borzoi two steps back up, crop, softplus heads.

    Args:
        config: sizes and choices.
        seed: of the initial weights, which an import replaces.

    Source: Avsec et al. 2021 (Enformer); Linder et al. 2025 (Borzoi); Hingerl et al. 2025 (Flashzoi).
    """

    config: ImportedTracksConfig

    def __init__(self, config: ImportedTracksConfig, seed: int = 0) -> None:
        super().__init__(config)
        c, rng = config, np.random.default_rng(seed)
        is_borzoi = c.form == "borzoi"
        self.tower: EnformerTower | BorzoiTower = BorzoiTower(c, rng) if is_borzoi else EnformerTower(c, rng)
        attention = AttentionConfig(
            width=c.width, n_heads=c.n_heads, n_kv_heads=c.n_kv_heads or None,
            motif=None if c.motif == NO_MOTIF else c.motif, n_motifs=c.n_weights, per_head=c.per_head,
            motif_start=c.motif_start, tie_strands=c.tie_strands or None if c.motif != NO_MOTIF else None,
            rope=c.rope(), proj_bias=c.functions == "none", key_width=c.key_width, value_width=c.value_width)
        self.blocks = [TracksBlock(attention, c, rng) for _ in range(c.n_layers)]
        self.rises = Rises(c, rng) if is_borzoi else None
        self.last = Normed(c.width, c.last_width, 1, c.form, rng)
        self.make_heads(c.last_width, c.heads, rng)

    def features(self, bases: UInt8[Tensor, "b n"], motif_ids: UInt8[Tensor, "b n"]) -> Float[Tensor, "b p l"]:
        """What the heads read: last_width channels per bin that is not cropped."""
        c, n = self.config, bases.shape[1]
        if n <= 2 * c.crop_bp:
            raise ShapeError(f"ImportedTracks: expected sequences longer than both crops of {c.crop_bp} bases, got one "
                             f"of {n}; pad it with N")
        x, around = self.tower(self._readable(bases))
        x = self.attend(x, self._token_ids(motif_ids))
        x = x if self.rises is None else self.rises(x, around)
        x = x[:, c.crop_bp // c.bin_bp : (n - c.crop_bp) // c.bin_bp].contiguous()
        return dropout(ACTIVATIONS[c.form](self.last(x)).contiguous(), c.dropout)

    def tokens(
        self, bases: UInt8[Tensor, "b n"], motif_ids: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"] | None = None
    ) -> tuple[Float[Tensor, "b m w"], UInt8[Tensor, "b m"]]:
        """One vector and one motif id per token, cropped ones included."""
        return self.tower(self._readable(bases))[0], self._token_ids(motif_ids)

    def attend(
        self, x: Float[Tensor, "b n w"], motif_ids: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"] | None = None,
        positions: Int[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "b n w"]:
        """x after all blocks. Arguments as in `Trunk.attend`, for tokens."""
        for block in self.blocks:
            x = recompute.block(block, x, motif_ids, lengths, positions)
        return x

    def _readable(self, bases: Tensor) -> Float[Tensor, "b n 4"]:
        """One-hot bases, of a number that makes whole tokens, for as many as there are functions of distance."""
        c, n = self.config, bases.shape[1]
        if n % c.token_bp or n == 0:
            raise ShapeError(f"ImportedTracks: expected sequences of a multiple of {c.token_bp} bases, got one of {n}; "
                             "pad it with N")
        if c.longest_bp is not None and n > c.longest_bp:
            raise ShapeError(f"ImportedTracks: expected sequences of at most {c.longest_bp} bases, for which it knows "
                             f"distances, got one of {n}; cut it into windows")
        return one_hot(bases)

    def _token_ids(self, motif_ids: UInt8[Tensor, "b n"]) -> UInt8[Tensor, "b m"]:
        return bin_ids(motif_ids, self.config.token_bp, self.config.bin_ranks)


KIND = Kind(ImportedTracksConfig, ImportedTracks, TrackReadout, heads=("heads",), inherits=TracksShape)
