"""A causal language model of DNA: the probability of every next base."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from tinygrad import Tensor

from gattn_tg.errors import ConfigError
from gattn_tg.models.config import STARTS, TrunkConfig
from gattn_tg.models.kind import Kind
from gattn_tg.models.readouts.bases import NextBaseReadout
from gattn_tg.models.trunk import Trunk
from gattn_tg.models.words import LONGEST, n_words, word_ids
from gattn_tg.nn.block import Block
from gattn_tg.nn.embedding import Embedding
from gattn_tg.nn.linear import Linear
from gattn_tg.nn.pieces import by_rows
from gattn_tg.ops.attention.problem import Window
from gattn_tg.seq.alphabet import N_BASES
from gattn_tg.types import Float, Int, UInt8

N_PREDICTED = 4  # A C G T


@dataclass(frozen=True, kw_only=True)
class GPTConfig(TrunkConfig):
    """What a `GenomicGPT` is made of, beside the fields of `TrunkConfig`.

    Args:
        words: lengths of the words that end at a base and are embedded with it, 2 to 10 bases; each has a table of
            4**k + 1 rows. They give the model the statistics of short words from its first layer on.
        context: bases that attention looks back on, its own base included.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "tiny": {"width": 64, "n_layers": 2, "n_heads": 4, "mlp_ratio": 2, "words": (3, 6)},
        "small": {"width": 128, "n_layers": 4, "n_heads": 4, "mlp_ratio": 4, "words": (3, 6)},
        "base": {"width": 256, "n_layers": 8, "n_heads": 8, "mlp_ratio": 4, "words": (3, 6)},
        "long": {"width": 128, "n_layers": 4, "n_heads": 4, "mlp_ratio": 2, "words": (3, 6), "context": 1_024,
                 "anchors": STARTS, "n_anchors": 1_024},
    }

    words: tuple[int, ...] = ()
    context: int = 512
    dropout: float = 0.0

    def __post_init__(self) -> None:
        self.require_from(1, "context")
        super().__post_init__()
        self.require(not self.window_bp, "window_bp", "0; context says how far back attention looks")
        object.__setattr__(self, "words", tuple(self.words))
        if len(set(self.words)) < len(self.words) or any(not 2 <= k <= LONGEST for k in self.words):
            raise ConfigError(f"GPTConfig words: expected different lengths from 2 to {LONGEST}, got {self.words}")

    @property
    def window_size(self) -> Window | None:
        """The bases of the context, the own one included."""
        return self.context - 1, 0


class GenomicGPT(Trunk):
    """Embed bases, words and motif ids, attend to what came before, predict the next base.

    Motif ids must be causal (`motif.causal_ids`): the id of base i may depend on bases up to i only. Then no logit
    depends on a base after it.

    Args:
        config: sizes and choices.
        seed: of the initial weights; drawn by NumPy, so they are the same on every device.
    """

    config: GPTConfig
    blocks: Sequence[Block]
    is_causal = True

    def __init__(self, config: GPTConfig, seed: int = 0) -> None:
        super().__init__(config)
        c, rng = config, np.random.default_rng(seed)
        self.embed_bases = Embedding(N_BASES, c.width, rng)
        self.embed_words = [Embedding(n_words(k), c.width, rng, std=0.1) for k in c.words]
        self.make_embedding(rng)
        self.make_blocks(rng)
        self.to_bases = Linear(c.width, N_PREDICTED, rng, gain=0.1)

    def __call__(self, bases: UInt8[Tensor, "b n"], motif_ids: UInt8[Tensor, "b n"]) -> Float[Tensor, "b n 4"]:
        """Logits of A C G T at base i + 1, for every base i.

        Args:
            bases: ids A C G T N = 0..4; an N in front stands for the start, so that base 0 is predicted as well.
            motif_ids: causal motif id per base.
        """
        return self.to_bases(self.hidden(bases, motif_ids))

    def tokens(
        self, bases: UInt8[Tensor, "b n"], motif_ids: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"] | None = None
    ) -> tuple[Float[Tensor, "b n w"], UInt8[Tensor, "b n"]]:
        """What `embedded` gives, and the motif ids."""
        return self.embedded(bases, motif_ids), motif_ids

    def embedded(self, bases: UInt8[Tensor, "b n"], motif_ids: UInt8[Tensor, "b n"]) -> Float[Tensor, "b n w"]:
        """What the first block reads: base, words that end at it, and motif id, summed."""
        return self.summed(bases, [word_ids(bases, k) for k in self.config.words], motif_ids)

    def summed(
        self, bases: UInt8[Tensor, "b n"], words: Sequence[Int[Tensor, "b n"]], motif_ids: UInt8[Tensor, "b n"]
    ) -> Float[Tensor, "b n w"]:
        """The rows of all tables: base, one word of each length, motif id."""

        def rows(bases: Tensor, motif_ids: Tensor, *words: Tensor) -> Tensor:
            x = self.embed_bases(bases)
            for ids, table in zip(words, self.embed_words, strict=True):
                x = x + table(ids)
            return self.with_motifs(x, motif_ids)

        return by_rows(rows, bases, motif_ids, *words)


KIND = Kind(GPTConfig, GenomicGPT, NextBaseReadout)
