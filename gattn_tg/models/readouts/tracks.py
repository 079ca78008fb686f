"""Expected counts in bins of tracks, for each head of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from gattn_tg.data.augment import mirrored
from gattn_tg.data.tracks import soft_clipped, unclipped
from gattn_tg.errors import ConfigError
from gattn_tg.models.readouts.readout import LONGEST_BP, VOCABULARY, Readout
from gattn_tg.types import Float


@dataclass(frozen=True, kw_only=True)
class TrackHead(Readout):
    """The tracks of one head of a `TrackModel`, and how counts follow from its rates.

    Args:
        head: name of the head.
        tracks: name of each track.
        assays: assay of each track.
        pairs: track that each track becomes on the other strand; () where all tracks are without strand.
        scale: what the counts of each track were divided by.
        soft_clip: scaled counts above it were learnt as a square root, see `data.tracks.soft_clipped`; 0 for none.
        window_bp: bases that the model saw at once; 0 where an old checkpoint does not say.
    """

    head: str
    tracks: tuple[str, ...]
    scale: tuple[float, ...]
    soft_clip: float
    assays: tuple[str, ...] = ()
    pairs: tuple[int, ...] = ()
    window_bp: int = 0

    def __post_init__(self) -> None:
        n = len(self.tracks)
        if len(self.scale) != n or min(self.scale, default=1) <= 0 or self.soft_clip < 0:
            raise ConfigError(f"TrackHead: expected a scale above 0 for each of {n} tracks and a soft_clip of 0 or "
                              f"more, got {len(self.scale)} and {self.soft_clip}")
        paired = sorted(self.pairs) == list(range(n)) and all(self.pairs[k] == i for i, k in enumerate(self.pairs))
        if self.pairs and not paired:
            raise ConfigError(f"TrackHead: expected for pairs the partner of each of {n} tracks, got "
                              f"{str(self.pairs)[:80]}")
        if not 0 <= self.window_bp <= LONGEST_BP:
            raise ConfigError(f"TrackHead: expected window_bp from 1 to {LONGEST_BP:,}, got {self.window_bp}")

    @classmethod
    def from_about(cls, about: Mapping[str, Any]) -> Self | None:
        """Read what `to_about` gave, or what checkpoints had before."""
        return super().from_about({**about, "pairs": ()} if about.get("pairs", ()) is None else about)

    def learnt(self, counts: Float[np.ndarray, "... k"]) -> Float[np.ndarray, "... k"]:
        """Counts as the model is to predict them: scaled and clipped."""
        return soft_clipped(counts / np.array(self.scale, np.float32), self.soft_clip)

    def counts(self, rates: Float[np.ndarray, "... k"]) -> Float[np.ndarray, "... k"]:
        """Counts that a model expects which predicts these rates: what `learnt` was made of."""
        counts: np.ndarray = unclipped(rates, self.soft_clip) * np.array(self.scale, np.float32)
        return counts

    def mirrored(self, rates: Float[np.ndarray, "b p k"]) -> Float[np.ndarray, "b p k"]:
        """Rates of the other strand as they stand on this one."""
        return mirrored(rates, self.pairs or None)


@dataclass(frozen=True, kw_only=True)
class TrackReadout(Readout):
    """Expected counts for each bin and track.

    Args:
        heads: of a `TrackModel`, in the order of its configuration.
    """

    heads: tuple[TrackHead, ...]

    @classmethod
    def from_about(cls, about: Mapping[str, Any]) -> Self | None:
        """Read what `to_about` gave; with one head its fields stand alone."""
        several = about.get("heads", {})
        if several and not isinstance(several, dict):
            raise ConfigError(f"TrackReadout: expected an object of heads by name, got {str(several)[:80]}")
        if odd := [name for name, head in several.items() if not isinstance(head, dict)]:
            raise ConfigError(f"TrackReadout: expected an object for the head {odd[0][:80]!r}, got something else")
        found = [TrackHead.from_about(head) for head in several.values()] if several else [TrackHead.from_about(
            {key: value for key, value in about.items() if key != VOCABULARY})]
        heads = tuple(head for head in found if head is not None)
        return cls(heads=heads) if heads else None

    def to_about(self) -> dict[str, Any]:
        """The only head, or `heads` by name."""
        told = {head.head: head.to_about() for head in self.heads}
        return next(iter(told.values())) if len(told) == 1 else {"heads": told}

    def check(self, config: Any) -> None:
        """Raise ConfigError unless the heads are those of the model."""
        found = tuple((head.head, len(head.tracks)) for head in self.heads)
        if sorted(found) != sorted(config.heads):
            raise ConfigError(f"expected heads with tracks {str(config.heads)[:80]}, got {str(found)[:80]}")
        for head in self.heads:
            n, most = head.window_bp, config.longest_bp
            if most is not None and n > most:
                raise ConfigError(f"expected for window_bp at most the {most} bases that the model was made for, "
                                  f"got {n}")
            if n and (n % config.token_bp or n <= 2 * config.crop_bp):
                raise ConfigError(f"expected for window_bp a multiple of {config.token_bp} above {2 * config.crop_bp}, "
                                  f"got {n}")

    def of(self, name: str | None) -> TrackHead:
        """The head of a name; the first where None.

        Raises:
            ConfigError: no such head.
        """
        found = {head.head: head for head in self.heads}
        if name is not None and name not in found:
            raise ConfigError(f"expected a head named {' or '.join(found)}, got {name!r}; correct it")
        return self.heads[0] if name is None else found[name]
