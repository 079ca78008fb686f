"""A bidirectional language model of DNA that fills in masked bases or k-mers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tinygrad import Tensor

from gattn_tg.errors import ConfigError
from gattn_tg.models.config import TrunkConfig
from gattn_tg.models.kind import Kind
from gattn_tg.models.readouts.bases import MaskedReadout
from gattn_tg.models.trunk import Trunk
from gattn_tg.models.words import n_words, word_ids
from gattn_tg.nn.convolution import Convolution
from gattn_tg.nn.embedding import Embedding
from gattn_tg.nn.linear import Linear
from gattn_tg.nn.norm import LayerNorm
from gattn_tg.nn.pool import inside
from gattn_tg.ops.lookup import rows_at
from gattn_tg.seq.alphabet import N_BASES
from gattn_tg.types import Float, Int, UInt8

LONGEST = 6  # 4096 k-mers to choose from


@dataclass(frozen=True, kw_only=True)
class EncoderConfig(TrunkConfig):
    """What a `MaskedEncoder` is made of, beside the fields of `TrunkConfig`.

    Args:
        k: length of the overlapping words that are tokens, 1 (bases) to 6. Token i is the word that ends at base i.
        stem_kernel: positions seen by the convolution stem (odd), 0 for no stem; a `SequenceClassifier` of the same
            width and kernel takes it over.
    """

    k: int = 1
    stem_kernel: int = 9
    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.k <= LONGEST:
            raise ConfigError(f"EncoderConfig k: expected a number from 1 to {LONGEST}, got {self.k}")


class MaskedEncoder(Trunk):
    """Embed bases (or k-mers) and motif ids, attend in both directions, name the tokens that were masked.

    Masked bases come as N, the base that nobody knows; a k-mer with an N is the unknown word. So the tables have the
    shapes of a classifier's, and `embed_bases`, `embed_motifs`, `stem`, `blocks` and `norm` go over to a
    `SequenceClassifier` by name. With k > 1 the words have a table of their own beside the bases.

    Args:
        config: sizes and choices.
        seed: of the initial weights; drawn by NumPy, so they are the same on every device.
    """

    config: EncoderConfig
    reads_lengths = True

    def __init__(self, config: EncoderConfig, seed: int = 0) -> None:
        super().__init__(config)
        c, rng = config, np.random.default_rng(seed)
        self.embed_bases = Embedding(N_BASES, c.width, rng)
        self.embed_words = Embedding(n_words(c.k), c.width, rng) if c.k > 1 else None
        self.make_embedding(rng)
        self.stem = Convolution(c.width, c.width, c.stem_kernel, rng) if c.stem_kernel else None
        self.make_blocks(rng)
        self.to_hidden = Linear(c.width, c.width, rng)
        self.hidden_norm = LayerNorm(c.width)
        self.to_words = Linear(c.width, 4**c.k, rng, gain=0.1)

    def __call__(
        self, bases: UInt8[Tensor, "b n"], motif_ids: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"],
        places: Int[Tensor, "b p"],
    ) -> Float[Tensor, "b p v"]:
        """Logits of the 4**k words at some places of every row.

        Only there they are computed: with k = 6 a full set would cost more than all layers together.

        Args:
            bases: ids A C G T N = 0..4, masked ones as N.
            motif_ids: motif id per base, found in the masked bases, or it would tell what they were.
            lengths: valid bases per row; padding changes nothing.
            places: indices 0..n-1 of the tokens to name.
        """
        x = self.hidden(bases, motif_ids, lengths)
        picked = rows_at(x, places)
        return self.to_words(self.hidden_norm(self.to_hidden(picked, activation="gelu")))

    def tokens(
        self, bases: UInt8[Tensor, "b n"], motif_ids: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"] | None = None
    ) -> tuple[Float[Tensor, "b n w"], UInt8[Tensor, "b n"]]:
        """Bases, words and motif ids, seen through the stem."""
        x = self.embed_bases(bases)
        if self.embed_words is not None:
            x = x + self.embed_words(word_ids(bases, self.config.k))
        x = self.with_motifs(x, motif_ids)
        if self.stem is not None:
            x = x + self.stem(inside(x, lengths), activation="gelu")
        return x, motif_ids


KIND = Kind(EncoderConfig, MaskedEncoder, MaskedReadout)
