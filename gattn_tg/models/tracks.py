"""Predicts what experiments measure along the genome: convolutions down to bins, attention among them, a head each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from tinygrad import Tensor, dtypes

from gattn_tg.errors import ConfigError, ShapeError
from gattn_tg.models.bins import DEFAULT_RANKS, bin_ids
from gattn_tg.models.config import STARTS, TrunkConfig
from gattn_tg.models.kind import Kind
from gattn_tg.models.readouts.tracks import TrackReadout
from gattn_tg.models.surroundings import PER_WIDTH, composition
from gattn_tg.models.tower import Stage, widths
from gattn_tg.models.trunk import Trunk
from gattn_tg.nn.convolution import Convolution
from gattn_tg.nn.embedding import Embedding
from gattn_tg.nn.initial import filled
from gattn_tg.nn.linear import Linear
from gattn_tg.ops import overlaps, recompute
from gattn_tg.ops.dropout import dropout
from gattn_tg.ops.poisson import softplus
from gattn_tg.ops.pooling import halved
from gattn_tg.types import Float, Int, UInt8

ONE = 0.5413248546129181  # softplus of it is 1: a new head predicts the mean of targets that were scaled to mean 1


@dataclass(frozen=True, kw_only=True)
class TrackConfig(TrunkConfig):
    """What a `TrackModel` is made of, beside the fields of `TrunkConfig`, which describe the attention among bins.

    Args:
        heads: name and number of tracks of each head, for example one per species: (("human", 5313), ("mouse", 1643)).
        bin_bp: bases of a bin, a power of two from 4 up (32 and 128 are usual).
        crop_bp: bases at both ends that get no prediction, because they see only one side; a multiple of bin_bp.
        stem_width: channels at the resolution of bases, a multiple of 32; they grow to `width` stage by stage.
        stem_kernel: bases that the first convolution sees (odd).
        tower_kernel: positions that the convolution of each further stage sees (odd).
        composition_bp: widths of the stretches around a bin whose GC and CpG content it is told, see
            `models.surroundings`; () for none. Convolutions and attention can count too, but need data to learn it.
        bin_ranks: motif ids, the most telling first: the first that occurs in a bin becomes the id of the bin.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "tiny": {"width": 96, "stem_width": 32, "n_layers": 2, "n_heads": 3, "mlp_ratio": 2},
        "small": {"width": 192, "stem_width": 64, "n_layers": 4, "n_heads": 6, "mlp_ratio": 2},
        "base": {"width": 512, "stem_width": 256, "n_layers": 8, "n_heads": 8, "mlp_ratio": 2},
        "long": {"width": 192, "stem_width": 64, "n_layers": 4, "n_heads": 6, "mlp_ratio": 2, "window_bp": 32_768,
                 "anchors": (*STARTS, "cpg_island"), "n_anchors": 1_024},
    }

    heads: tuple[tuple[str, int], ...]
    bin_bp: int = 32
    crop_bp: int = 0
    stem_width: int = 32
    stem_kernel: int = 15
    tower_kernel: int = 5
    composition_bp: tuple[int, ...] = (32, 256, 1_024, 2_048, 8_192, 32_768)
    bin_ranks: tuple[int, ...] = DEFAULT_RANKS

    def __post_init__(self) -> None:
        super().__post_init__()
        require_heads(self, self.heads)
        if self.bin_bp < 4 or self.bin_bp & (self.bin_bp - 1):
            raise ConfigError(f"TrackConfig bin_bp: expected a power of two from 4 up, got {self.bin_bp}")
        if self.crop_bp < 0 or self.crop_bp % self.bin_bp:
            raise ConfigError(f"TrackConfig crop_bp: expected a multiple of bin_bp={self.bin_bp}, got {self.crop_bp}")
        self.require(self.window_bp % self.bin_bp == 0, "window_bp", f"a multiple of bin_bp = {self.bin_bp}")
        if max(self.bin_ranks, default=0) >= self.n_motifs or min(self.bin_ranks, default=0) < 0:
            raise ConfigError(f"TrackConfig bin_ranks: expected motif ids below n_motifs={self.n_motifs}, got "
                              f"{self.bin_ranks}")
        self.require_from(1, "stem_width", "stem_kernel", "tower_kernel")

    def least_floats(self, positions: int, *, is_training: bool, recomputes: bool = False) -> int:
        """As `TrunkConfig.least_floats`: attention is among bins, the stem before it among bases."""
        keeps = is_training and not recomputes
        among_bins = super().least_floats(positions // self.bin_bp, is_training=is_training, recomputes=recomputes)
        of_stem = positions * self.stem_width * (2 if keeps else 1)
        return among_bins + (of_stem if keeps or positions <= overlaps.ROWS else of_stem // 2)  # which runs in pieces

    @property
    def token_bp(self) -> int:
        """Bases of a bin."""
        return self.bin_bp


def require_heads(config: TrunkConfig, heads: Sequence[tuple[str, int]]) -> None:
    """Raise ConfigError unless there are heads, each with a name of its own and with tracks."""
    names = [name for name, _ in heads]
    if not names or len(set(names)) < len(names) or min(count for _, count in heads) < 1:
        raise ConfigError(f"{type(config).__name__} heads: expected pairs of a name of its own and a number of tracks "
                          f"from 1 up, got {str(heads)[:80]}")


class TracksTrunk(Trunk):
    """Base of the models of tracks: heads of softplus on what is known of every bin.

    A model calls `make_heads` last while it is built, and gives `features`.
    """

    def make_heads(self, width: int, heads: Sequence[tuple[str, int]], rng: np.random.Generator) -> None:
        """Make the heads, whose rates begin near 1.

        Args:
            width: channels that they read.
            heads: name and number of tracks of each.
            rng: draws the weights.
        """
        self.heads = {name: Linear(width, count, rng, gain=0.1) for name, count in heads}
        for head in self.heads.values():
            head.bias = filled(ONE, head.weight.shape[0])

    def __call__(
        self, bases: UInt8[Tensor, "b n"], motif_ids: UInt8[Tensor, "b n"], head: str | None = None
    ) -> Float[Tensor, "b p k"]:
        """Rates of the bins p = (n - 2 crop_bp) / bin_bp and the tracks k of a head, positive.

        Bin i stands for the bases crop_bp + i bin_bp and on.

        Args:
            bases: ids A C G T N = 0..4; n is a multiple of token_bp and longer than both crops. N is seen as no base.
            motif_ids: motif id per base.
            head: its name; None takes the first.

        Raises:
            ShapeError: a length that does not fit.
            ConfigError: no such head.
        """
        name = next(iter(self.heads)) if head is None else head
        if name not in self.heads:
            raise ConfigError(f"{type(self).__name__}: expected a head named {' or '.join(self.heads)}, got {name!r}; "
                              "correct it, or add the head to the configuration")
        return self.rates(bases, motif_ids, [name])

    def rates(
        self, bases: UInt8[Tensor, "b n"], motif_ids: UInt8[Tensor, "b n"], heads: Sequence[str]
    ) -> Float[Tensor, "b p k"]:
        """The same of several heads, whose tracks stand beside each other."""
        seen = self.features(bases, motif_ids)
        first, *others = (softplus(self.heads[name](seen)) for name in heads)
        return first.cat(*others, dim=-1) if others else first

    def features(self, bases: UInt8[Tensor, "b n"], motif_ids: UInt8[Tensor, "b n"]) -> Float[Tensor, "b p f"]:
        """What the heads read of every bin that is not cropped."""
        raise NotImplementedError


class TrackModel(TracksTrunk):
    """Stem and convolution tower (bases to bins), attention with motif bias among bins, crop, heads of softplus.

    Args:
        config: sizes and choices.
        seed: of the initial weights; drawn by NumPy, so they are the same on every device.

    Source: the parts and their order follow Avsec et al. 2021 (Enformer), with rotary positions in place of its
        relative ones; the motif bias is this package's own.
    """

    def __init__(self, config: TrackConfig, seed: int = 0) -> None:
        super().__init__(config)
        c, rng = config, np.random.default_rng(seed)
        self.shape = c
        sizes = widths(c.stem_width, c.width, c.bin_bp.bit_length() - 1)
        self.stem = Convolution(4, c.stem_width, c.stem_kernel, rng)
        self.embed_motifs = Embedding(c.n_motifs, c.stem_width, rng, std=0.1) if c.embed_motifs else None
        self.tower = [Stage(n_in, n_out, c.tower_kernel, rng) for n_in, n_out in pairwise(sizes)]
        self.make_blocks(rng)
        self.last = Linear(c.width, 2 * c.width, rng)
        told = PER_WIDTH * len(c.composition_bp)
        self.told = Linear(told, c.width, rng) if told else None
        self.make_heads(2 * c.width + told, c.heads, rng)

    def features(self, bases: UInt8[Tensor, "b n"], motif_ids: UInt8[Tensor, "b n"]) -> Float[Tensor, "b p 2w"]:
        """What the heads read: 2 width channels and the composition per bin that is not cropped."""
        c, n = self.shape, bases.shape[1]
        if n % c.bin_bp or n <= 2 * c.crop_bp:
            raise ShapeError(f"TrackModel: expected sequences of a multiple of bin_bp={c.bin_bp} bases, longer than "
                             f"both crops of {c.crop_bp}, got one of {n}; pad it with N")
        x, ids, told = self._tokens(bases, motif_ids)
        inner = slice(c.crop_bp // c.bin_bp, (n - c.crop_bp) // c.bin_bp)
        seen = dropout(self.last(self.attend(x, ids)[:, inner], activation="gelu"), c.dropout)
        return seen if told is None else seen.cat(told[:, inner], dim=2)

    def tokens(
        self, bases: UInt8[Tensor, "b n"], motif_ids: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"] | None = None
    ) -> tuple[Float[Tensor, "b p w"], UInt8[Tensor, "b p"]]:
        """One vector and one motif id per bin, cropped ones included."""
        x, ids, _ = self._tokens(bases, motif_ids)
        return x, ids

    def _tokens(self, bases: Tensor, motif_ids: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Vectors and motif ids of all bins, and their composition where the model is told it."""
        c, n = self.shape, bases.shape[1]
        if n % c.bin_bp:
            raise ShapeError(f"TrackModel: expected sequences of a multiple of bin_bp={c.bin_bp} bases, got one of "
                             f"{n}; pad it with N")
        x = overlaps.along(self._stem, bases, motif_ids, halo=c.stem_kernel // 2, rate=2)
        for stage in self.tower:
            x = overlaps.along(stage, x, halo=stage.halo, rate=2)
        ids = bin_ids(motif_ids, c.bin_bp, c.bin_ranks)
        if self.told is None:
            return x, ids, None
        of_told, told = self.told, recompute.kept(composition(bases, c.bin_bp, c.composition_bp))
        return recompute.block(lambda x, told: x + of_told(told), x, told), ids, told

    def _stem(self, bases: Tensor, motif_ids: Tensor) -> Tensor:
        motifs = None if self.embed_motifs is None else self.embed_motifs(motif_ids)
        return halved(self.stem(one_hot(bases), activation="gelu", residual=motifs))


KIND = Kind(TrackConfig, TrackModel, TrackReadout, heads=("heads",))


def one_hot(bases: UInt8[Tensor, "b n"] | Float[Tensor, "b n 5"]) -> Float[Tensor, "b n 4"]:
    """A row with one 1 for A C G T, and none for N; of weights over the five, those of the four."""
    if dtypes.is_float(bases.dtype):
        return bases[:, :, :4]
    return (bases.unsqueeze(-1) == Tensor.arange(4, dtype=dtypes.uint8)).cast(dtypes.float32)
