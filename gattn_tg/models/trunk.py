"""What all transformers of this package share: motif embeddings, blocks of attention with motif bias, a last norm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from tinygrad import Tensor
from tinygrad.nn.state import get_state_dict

from gattn_tg.models.config import NO_MOTIF, TrunkConfig
from gattn_tg.models.motif_tables import centred_tables
from gattn_tg.nn import anchors, pieces
from gattn_tg.nn.attention import AttentionConfig
from gattn_tg.nn.block import AnyBlock, Block
from gattn_tg.nn.embedding import Embedding
from gattn_tg.nn.motif_filters import MotifFilters
from gattn_tg.nn.norm import LayerNorm
from gattn_tg.ops import recompute
from gattn_tg.types import Float, Int, UInt8


class Trunk:
    """Base of the models, which add an input in front and a head behind.

    Parameters have the same names in all of them (`embed_motifs`, `blocks.0.attention.q_proj` ..., `norm`), so that
    weights go from one model to another by name and shape.

    A model calls `make_embedding` and `make_blocks` while it is built, in the order in which its weights are drawn.

    Args:
        config: sizes and choices.

    Attributes:
        is_causal: no answer depends on what comes after it; motif ids must be causal too, and an N stands in front.
        reads_lengths: padding behind a sequence changes nothing, as the model is told the lengths.
        filters: what finds motifs in the bases themselves, of models that have it.
    """

    is_causal: ClassVar[bool] = False
    reads_lengths: ClassVar[bool] = False
    blocks: Sequence[AnyBlock]

    def __init__(self, config: TrunkConfig) -> None:
        self.config = config
        self.filters: MotifFilters | None = None

    def make_embedding(self, rng: np.random.Generator) -> None:
        """Draw the embedding of motif ids, where the configuration wants one."""
        c = self.config
        self.embed_motifs = Embedding(c.n_weights, c.width, rng, std=0.1) if c.embed_motifs else None

    def make_blocks(self, rng: np.random.Generator) -> None:
        """Draw the blocks and the last norm.

        Args:
            rng: source of the weights.
        """
        c = self.config
        motif = None if c.motif == NO_MOTIF else c.motif
        attention = AttentionConfig(
            width=c.width, n_heads=c.n_heads, n_kv_heads=c.n_kv_heads or None, motif=motif, n_motifs=c.n_weights,
            per_head=c.per_head, motif_start=c.motif_start, tie_strands=c.tie_strands or None if motif else None,
            rope=c.rope(), is_causal=self.is_causal, window_size=c.window_size)
        self.blocks = [Block(attention, c.mlp_ratio, c.dropout, rng) for _ in range(c.n_layers)]
        self.norm = LayerNorm(c.width)

    def with_motifs(self, x: Float[Tensor, "b n w"], motif_ids: UInt8[Tensor, "b n"]) -> Float[Tensor, "b n w"]:
        """x plus the embedding of the motif ids, or x where the model has none."""
        return x if self.embed_motifs is None else x + self.embed_motifs(motif_ids)

    def tokens(
        self, bases: UInt8[Tensor, "b n"], motif_ids: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"] | None = None
    ) -> tuple[Float[Tensor, "b m w"], UInt8[Tensor, "b m"]]:
        """What the first block reads: one vector and one motif id per token, which stands for `config.token_bp` bases.

        Args:
            bases: ids A C G T N = 0..4.
            motif_ids: motif id per base.
            lengths: valid bases per row; None where all are.
        """
        raise NotImplementedError

    def hidden(
        self, bases: UInt8[Tensor, "b n"], motif_ids: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"] | None = None
    ) -> Float[Tensor, "b m w"]:
        """One vector per token after all blocks: what the heads, and other models, build on. Arguments as `tokens`."""
        x, ids = self.tokens(bases, motif_ids, lengths)
        return self.attend(x, ids, lengths if self.reads_lengths else None)

    def attend(
        self, x: Float[Tensor, "b n w"], motif_ids: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"] | None = None,
        positions: Int[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "b n w"]:
        """x after all blocks and the last norm.

        Args:
            x: one vector per token: a base, a k-mer or a bin.
            motif_ids: motif id per token.
            lengths: valid tokens per row; None takes all.
            positions: coordinate per token for the rotation; None counts them.
        """
        placed = self.anchors(motif_ids, lengths)
        if pieces.serve(self.blocks, x, beside := pieces.Beside(motif_ids, lengths, positions, placed)):
            return self.norm(pieces.run(self.blocks, x, beside))
        for block in self.blocks:
            x = recompute.block(block, x, motif_ids, lengths, positions, placed)
        return self.norm(x)

    def anchors(
        self, motif_ids: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"] | None = None
    ) -> Int[Tensor, "b a"] | None:
        """The tokens that all see, and that see all, beside the window, -1 behind them; None without.

        Args:
            motif_ids: motif id per token.
            lengths: valid tokens per row; None where all are.

        Raises:
            ConfigError: a configuration without a vocabulary names a class that the default one does not have.
        """
        c = self.config
        if not c.anchors:
            return None
        if (step := c.wanted_anchors.step) is None:
            candidates = anchors.of_classes(motif_ids, c.ids_of_anchors)
        else:
            candidates = anchors.one_in(step // c.token_bp, motif_ids)
        return anchors.placed(candidates, c.n_anchors, lengths, is_causal=self.is_causal)

    def encoded(
        self, bases: UInt8[np.ndarray, "b n"], lengths: Int[np.ndarray, "b"] | None = None
    ) -> UInt8[np.ndarray, "b n"] | Int[np.ndarray, "b n"]:
        """What the model is given for bases: of most models the bases themselves.

        Args:
            bases: ids A C G T N = 0..4.
            lengths: valid bases per row; None where all are.

        Raises:
            FormatError: a sequence that the model cannot read for what is in it.
        """
        return bases

    def token_lengths(
        self, bases: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"] | None
    ) -> Int[Tensor, "b"] | None:
        """Valid tokens per row, as the blocks are told them; None where the model reads no lengths."""
        return lengths if self.reads_lengths else None

    def tokens_of_bases(self, bases: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"]) -> Int[Tensor, "b n"] | None:
        """The token that each base is read from, of models whose tokens are not one after the other, so many bases
        each; None of others."""
        return None

    @property
    def n_parameters(self) -> int:
        """Number of learnable values."""
        return sum(int(np.prod(t.shape)) for t in get_state_dict(self).values())

    def motif_table(self, frequency: Float[np.ndarray, "t"] | None = None) -> dict[str, Float[np.ndarray, "..."]]:
        """The learned motif tables in nats, centred, by the name of their block: `blocks.0`, `blocks.1`, ...

        Args:
            frequency: share of each motif id among the keys (`explain.motif_table.motif_frequency`); None takes all as
                equal.

        Returns:
            float32 tables with strands tied as the scores see them: (t,) for key, same, between, (t, t) for pair and
            ordered, with one table per head in front where the model has that; empty without motif bias.
            See `models.motif_tables.centred` for what is subtracted.
        """
        return centred_tables(self.blocks, frequency)
