"""What the models on imported encoders share: tokens, their embedding, the blocks, and the way back to bases."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor, dtypes

from gattn_tg.errors import FormatError
from gattn_tg.models.config import NO_MOTIF
from gattn_tg.models.imported.block import ImportedBlock
from gattn_tg.models.imported.config import MASKED, UNKNOWN, ImportedConfig
from gattn_tg.models.imported.pairs import NONE, pairs
from gattn_tg.models.imported.soft import soft_tokens
from gattn_tg.models.imported.tokens import Tokens, n_tokens, places_of, tokens_of
from gattn_tg.models.trunk import Trunk
from gattn_tg.nn.attention import AttentionConfig
from gattn_tg.nn.embedding import Embedding
from gattn_tg.nn.norm import LayerNorm
from gattn_tg.ops import recompute
from gattn_tg.ops.lookup import rows_at
from gattn_tg.types import Float, Int, UInt8

KEPT = 0.88  # share of tokens that ESM-2 saw unmasked in training: 1 - 0.15 * 0.8


class ImportedTrunk(Trunk):
    """Base of the models on an encoder of another project, which read bases and make its tokens of them.

    Args:
        config: sizes and choices.
        rng: source of the weights.
    """

    config: ImportedConfig
    reads_lengths = True

    def __init__(self, config: ImportedConfig, rng: np.random.Generator) -> None:
        super().__init__(config)
        c = config
        self.words = Embedding(c.n_words, c.width, rng, std=0.02)
        self.positions = Embedding(c.n_positions, c.width, rng, std=0.02) if c.positions == "learned" else None
        self.types = Embedding(c.n_types, c.width, rng, std=0.02) if c.n_types else None
        self.embed_norm = LayerNorm(c.width, c.eps) if c.embed_norm else None
        attention = AttentionConfig(
            width=c.width, n_heads=c.n_heads, motif=None if c.motif == NO_MOTIF else c.motif, n_motifs=c.n_weights,
            per_head=c.per_head, motif_start=c.motif_start, rope=c.rope(), alibi=c.positions == "alibi",
            proj_bias=True,
            tie_strands=c.tie_strands or None if c.motif != NO_MOTIF else None)
        self.blocks = [ImportedBlock(attention, c, rng) for _ in range(c.n_layers)]
        self.last_norm = LayerNorm(c.width, c.eps) if c.last_norm else None

    def encoded(
        self, bases: UInt8[np.ndarray, "b n"], lengths: Int[np.ndarray, "b"] | None = None
    ) -> UInt8[np.ndarray, "b n"] | Int[np.ndarray, "b n"]:
        """Bases, or for words of byte-pair encoding which of them begins where; refuses what cannot be read.

        Raises:
            FormatError: see `require_readable`.
        """
        c = self.config
        n = np.full(len(bases), bases.shape[1]) if lengths is None else np.minimum(lengths, bases.shape[1])
        if c.words == "pairs":
            words, unknown, given = pairs(c.pieces, c.merges), c.row(UNKNOWN[c.words]), bases
            bases = np.full(given.shape, NONE, np.int32)
            for row, letters, length in zip(bases, given, n, strict=True):
                row[:length] = words.starts(letters[:length], unknown)
        self.require_readable(bases, n)
        return bases

    def require_readable(self, bases: Int[np.ndarray, "b n"], lengths: Int[np.ndarray, "b"]) -> None:
        """Refuses sequences that make no tokens, or more than there are positions or places for.

        Args:
            bases: or which words begin where, for words of byte-pair encoding.
            lengths: valid bases per row.

        Raises:
            FormatError: tells how many there are and may be.
        """
        c, n = self.config, bases.shape[1]
        if c.words == "overlapping" and (short := lengths[lengths < c.word_bp]).size:
            raise FormatError(f"{type(self).__name__}: expected sequences of at least {c.word_bp} bases, which make "
                              f"one word, got {short[0]}; leave it out")
        most = int(n_tokens(c, bases, lengths).max(initial=0))
        if c.most_tokens is not None and most > c.most_tokens:
            raise FormatError(f"{type(self).__name__}: expected sequences of at most {c.most_tokens} tokens, for which "
                              f"it has learned positions, got one of {most}; cut it into shorter windows")
        if c.words != "overlapping" and most > places_of(c, n):
            raise FormatError(f"{type(self).__name__}: expected at most {places_of(c, n)} tokens of {n} bases, got "
                              f"{most}, since every N is a token and ends a word; cut stretches of N out")

    def read(
        self, bases: UInt8[Tensor, "b n"], motif_ids: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"] | None = None,
        hidden: Tensor | None = None,
    ) -> Tokens:
        """The tokens of sequences, see `imported.tokens.tokens_of`; of weights in place of ids, see `soft_tokens`."""
        if dtypes.is_float(bases.dtype) and hidden is None:
            return soft_tokens(self.config, bases, motif_ids, lengths)
        return tokens_of(self.config, bases, motif_ids, lengths, hidden)

    def embedded(self, ids: Int[Tensor, "b m"], lengths: Int[Tensor, "b"]) -> Float[Tensor, "b m w"]:
        """What the first block reads of tokens.

        Args:
            ids: rows of the table of words, or weights over them.
            lengths: valid tokens of each row.
        """
        c, m = self.config, ids.shape[1]
        x = self.words(ids)
        if c.token_dropout:
            row = c.row(MASKED[c.words])
            masked = ids[..., row] > 0 if dtypes.is_float(ids.dtype) else ids == row
            share = masked.sum(1).cast(dtypes.float32) / lengths
            x = masked.unsqueeze(-1).where(0.0, x) * (KEPT / (1 - share)).reshape(-1, 1, 1)
        if self.types is not None:
            x = x + self.types.weight[0]
        if self.positions is not None:
            at = self.positions.weight[c.first_position : c.first_position + m]
            # places behind the last position are padding, see require_readable
            x = x + at.pad(((0, m - at.shape[0]), (0, 0)))
        return x if self.embed_norm is None else self.embed_norm(x)

    def tokens(
        self, bases: UInt8[Tensor, "b n"], motif_ids: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"] | None = None
    ) -> tuple[Float[Tensor, "b m w"], UInt8[Tensor, "b m"]]:
        """One vector and one motif id per token."""
        read = self.read(bases, motif_ids, lengths)
        return self.embedded(read.ids, read.lengths), read.motif_ids

    def token_lengths(self, bases: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"] | None) -> Int[Tensor, "b"] | None:
        """Valid tokens per row, those around the words included."""
        return self.read(bases, bases, lengths).lengths

    def tokens_of_bases(self, bases: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"]) -> Int[Tensor, "b n"] | None:
        """See `Tokens.of_base`."""
        return self.read(bases, bases, lengths).of_base

    def of_tokens(
        self, ids: Int[Tensor, "b m"], motif_ids: UInt8[Tensor, "b m"], lengths: Int[Tensor, "b"]
    ) -> Float[Tensor, "b m w"]:
        """One vector per token after all blocks; arguments as in `Tokens`."""
        return self.attend(self.embedded(ids, lengths), motif_ids, lengths)

    def attend(
        self, x: Float[Tensor, "b n w"], motif_ids: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"] | None = None,
        positions: Int[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "b n w"]:
        """x after all blocks, and the last norm where there is one. Arguments as in `Trunk.attend`, for tokens."""
        for block in self.blocks:
            x = recompute.block(block, x, motif_ids, lengths, positions)
        return x if self.last_norm is None else self.last_norm(x)

    def hidden(
        self, bases: UInt8[Tensor, "b n"], motif_ids: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"] | None = None
    ) -> Float[Tensor, "b n w"]:
        """One vector per base: that of the token it is read from, see `Tokens.of_base`."""
        read = self.read(bases, motif_ids, lengths)
        return rows_at(self.of_tokens(read.ids, read.motif_ids, read.lengths), read.of_base)
