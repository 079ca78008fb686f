"""What distinguishes the models of tracks of the literature, as fields of one configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from gattn_tg.errors import ConfigError
from gattn_tg.models.bins import DEFAULT_RANKS
from gattn_tg.models.config import TrunkConfig
from gattn_tg.models.imported.tracks.functions import PUBLISHED_FUNCTIONS, PUBLISHED_TOKENS, Functions
from gattn_tg.models.tracks import require_heads
from gattn_tg.ops.attention.rope import Rope

Form = Literal["enformer", "borzoi"]
STEPS_UP = 2  # doublings behind the attention of Borzoi


@dataclass(frozen=True, kw_only=True)
class TracksShape(TrunkConfig):
    """The fields of an `ImportedTracksConfig` that do not depend on what is predicted.

    Args:
        form: "enformer", whose bins are its tokens; or "borzoi", which goes back to bins of a quarter of a token.
        stem_width: channels at the resolution of bases.
        stem_kernel: bases that the first convolution sees (odd).
        stage_widths: channels behind each further convolution; every one halves the positions once more.
        tower_kernel: positions that these see (odd).
        key_width: channels of a query and of a key of a head.
        value_width: channels of a value of a head.
        functions: Functions of distance that positions are made of: "enformer", "published" (as the published weights
            of Enformer were trained with), "borzoi", or "none" with rotary positions, as in Flashzoi.
        n_functions: how many; a multiple of 6, of 2 for "borzoi".
        n_tokens: tokens that the functions are made for, and the longest sequence has.
        rotary_dim: channels of a head that turn, with rotary positions.
        crop_bp: bases at both ends that get no prediction; a multiple of the bases of a bin.
        last_width: channels that the heads read.
        eps: of the norms.
        bin_ranks: motif ids, the most telling first: the first that occurs in a token becomes its id.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "tiny": {"width": 96, "n_layers": 2, "n_heads": 4, "stem_width": 48, "stage_widths": (48, 64, 80, 96),
                 "key_width": 16, "value_width": 24, "n_functions": 24, "last_width": 192},
        "small": {"width": 192, "n_layers": 4, "n_heads": 8, "stem_width": 96, "stage_widths": (96, 128, 160, 192),
                  "key_width": 16, "value_width": 24, "n_functions": 24, "last_width": 384},
        "base": {"width": 384, "n_layers": 6, "n_heads": 8, "stem_width": 192,
                 "stage_widths": (192, 224, 256, 288, 320, 384), "key_width": 32, "value_width": 48, "n_functions": 48,
                 "last_width": 768},
    }  # fmt: skip

    form: Form = "enformer"
    stem_width: int = 32
    stem_kernel: int = 15
    stage_widths: tuple[int, ...] = (32, 64)
    tower_kernel: int = 5
    key_width: int = 16
    value_width: int = 16
    functions: Functions = "enformer"
    n_functions: int = 24
    n_tokens: int = PUBLISHED_TOKENS
    rotary_dim: int = 128
    crop_bp: int = 0
    last_width: int = 128
    eps: float = 1e-5
    bin_ranks: tuple[int, ...] = DEFAULT_RANKS
    motif: str = "none"
    embed_motifs: bool = False
    rope_theta: float = 20_000.0
    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("stage_widths", "bin_ranks"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        self.require_one_of("form", ("enformer", "borzoi"))
        self.require_one_of("functions", ("enformer", "published", "borzoi", "none"))
        self.require_from(1, "stem_width", "key_width", "value_width", "n_tokens", "last_width")
        for name in ("stem_kernel", "tower_kernel"):
            self.require(getattr(self, name) > 0 and getattr(self, name) % 2 == 1, name, "an odd number from 1 up")
        least = 3 if self.form == "borzoi" else 1
        fits = least <= len(self.stage_widths) <= 20 and min(self.stage_widths) > 0
        self.require(fits, "stage_widths", f"from {least} to 20 widths, each from 1 up")
        self.require(self.stage_widths[-1] == self.width, "stage_widths", f"width = {self.width} as the last one")
        of = {"enformer": 6, "published": 6, "borzoi": 2}.get(self.functions, 1)
        fits = self.n_functions >= 2 * of and self.n_functions % of == 0
        self.require(fits, "n_functions", f"a multiple of {of}, at least {2 * of}")
        if self.functions == "published":
            self.require(self.n_functions == PUBLISHED_FUNCTIONS, "n_functions", f"{PUBLISHED_FUNCTIONS}, as published")
            self.require(self.n_tokens == PUBLISHED_TOKENS, "n_tokens", f"{PUBLISHED_TOKENS}, as published")
        if self.functions != "none":
            self.require(not self.n_kv_heads, "n_kv_heads", "0, as many as n_heads")
        elif self.rotary_dim % 2 or not 2 <= self.rotary_dim <= self.key_width:
            raise ConfigError(f"{type(self).__name__} rotary_dim: expected an even number from 2 to key_width = "
                              f"{self.key_width}, got {self.rotary_dim}")
        self.require(0 < self.eps < 1, "eps", "a number between 0 and 1")
        self.require(self.crop_bp >= 0 and self.crop_bp % self.bin_bp == 0, "crop_bp",
                     f"a multiple of the {self.bin_bp} bases of a bin")
        self.require(not self.window_bp, "window_bp", "0, as such a model sees all of its tokens")
        self.require(not self.embed_motifs, "embed_motifs", "false, as the first layer reads bases alone")
        fits = all(0 <= motif < self.n_motifs for motif in self.bin_ranks)
        self.require(fits, "bin_ranks", f"motif ids below n_motifs = {self.n_motifs}")

    @property
    def token_bp(self) -> int:
        """Bases of a token: the stem and every stage halve the positions."""
        return int(2 ** (len(self.stage_widths) + 1))

    @property
    def bin_bp(self) -> int:
        """Bases of a bin."""
        return self.token_bp >> STEPS_UP if self.form == "borzoi" else self.token_bp

    @property
    def longest_bp(self) -> int | None:
        """Bases that the functions of distance are made for; None with rotary positions."""
        return None if self.functions == "none" else self.n_tokens * self.token_bp

    def rope(self) -> Rope | None:
        """The rotary positions of the attention, or None."""
        found = super().rope()
        if self.functions != "none" or found is None:
            return None
        return Rope(theta=found.theta, rotary_dim=self.rotary_dim, linear_scale=found.linear_scale,
                    ntk_scale=found.ntk_scale)

    def least_floats(self, positions: int, *, is_training: bool, recomputes: bool = False) -> int:
        """As `TrunkConfig.least_floats`: attention is among tokens, the stem before it among bases."""
        among_tokens = super().least_floats(positions // self.token_bp, is_training=is_training,
                                            recomputes=recomputes)
        return among_tokens + positions * self.stem_width * (2 if is_training else 1)


@dataclass(frozen=True, kw_only=True)
class ImportedTracksConfig(TracksShape):
    """What an `ImportedTracks` is made of, beside the fields of `TracksShape` and `TrunkConfig`.

    `gattn finetune` takes every field but the heads from the checkpoint, where [model] does not say it.

    Args:
        heads: name and number of tracks of each head, for example one per species: (("human", 5313), ("mouse", 1643)).
    """

    heads: tuple[tuple[str, int], ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        require_heads(self, self.heads)
