"""What the numbers of a model along a genome mean, as its checkpoint says: tracks and their scales, or sites."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gattn_tg.data.tracks import unclipped
from gattn_tg.errors import ConfigError, FormatError
from gattn_tg.models.bases import PerBaseConfig
from gattn_tg.models.tracks import TrackConfig
from gattn_tg.types import Float

LONGEST_BP = 1 << 28  # of a window: longer than any chromosome of a human


@dataclass(frozen=True)
class TrackReadout:
    """One head of a `TrackModel`.

    Args:
        head: its name.
        tracks: names of the tracks, in the order of the model.
        pairs: for each track the one that stands for it on the other strand; None where no track has a strand.
        scale: what rates are multiplied with to be counts, one for each track.
        soft_clip: counts above it were learnt as square roots, see `data.tracks`; 0 for none.
        window_bp: bases of a window.
    """

    head: str
    tracks: tuple[str, ...]
    pairs: tuple[int, ...] | None
    scale: tuple[float, ...]
    soft_clip: float
    window_bp: int

    def counts(self, rates: Float[np.ndarray, "... k"]) -> Float[np.ndarray, "... k"]:
        """What the model says in units of the experiment."""
        found: np.ndarray = unclipped(rates, self.soft_clip) * np.array(self.scale, np.float32)
        return found


@dataclass(frozen=True)
class SiteReadout:
    """A `PerBaseModel`: it marks the first base of a site.

    Args:
        window_bp: bases of a window.
        site_bp: bases of a site, 2 for a CpG.
    """

    window_bp: int
    site_bp: int


def track_readout(about: Mapping[str, Any], config: TrackConfig, head: str | None) -> TrackReadout:
    """What a checkpoint says of a head of a `TrackModel`.

    Args:
        about: of the checkpoint.
        config: of its model.
        head: None takes the first.

    Raises:
        ConfigError: no such head.
        FormatError: something is missing, of another type, or does not belong to the model.
    """
    several = about.get("heads")
    heads: dict[str, Any] = several if isinstance(several, dict) and several else {str(about.get("head")): about}
    name = next(iter(heads)) if head is None else head
    if name not in heads:
        raise ConfigError(f"Along: a head named {' or '.join(heads)} is required, but came {name!r}; correct it")
    said = _Said("TrackModel", heads[name])
    said.require("head", "tracks", "scale", "soft_clip", "window_bp")
    sizes = dict(config.heads)
    is_head = isinstance(said["head"], str) and said["head"] in sizes
    said.check("head", is_head, f"a head of the model, {' or '.join(sizes)}")
    n = sizes[said["head"]]
    said.check("tracks", _is_list(said["tracks"], n, str), f"{n} names")
    said.check("scale", _is_list(said["scale"], n, float) and min(said["scale"]) > 0, f"{n} positive numbers")
    said.check("soft_clip", _is_number(said["soft_clip"]) and said["soft_clip"] >= 0, "a number from 0 up")
    pairs = heads[name].get("pairs")
    paired = _is_list(pairs, n, int) and sorted(pairs) == list(range(n)) and all(pairs[pairs[k]] == k for k in range(n))
    said.check("pairs", pairs is None or paired, f"nothing, or the partner of each of the {n} tracks")
    window_bp = said.window_bp()
    fits = window_bp % config.bin_bp == 0 and window_bp > 2 * config.crop_bp
    said.check("window_bp", fits, f"a multiple of {config.bin_bp} above {2 * config.crop_bp}")
    return TrackReadout(
        said["head"], tuple(said["tracks"]), None if pairs is None else tuple(pairs), tuple(map(float, said["scale"])),
        float(said["soft_clip"]), window_bp,
    )  # fmt: skip


def site_readout(about: Mapping[str, Any], config: PerBaseConfig) -> SiteReadout:
    """What a checkpoint says of the sites of a `PerBaseModel`.

    Raises:
        FormatError: see `track_readout`.
    """
    said = _Said("PerBaseModel", about)
    said.require("window_bp", "site_bp")
    window_bp = said.window_bp()
    said.check("site_bp", type(said["site_bp"]) is int and 1 <= said["site_bp"] <= window_bp, "bases of a site")
    return SiteReadout(window_bp, said["site_bp"])


class _Said:
    """Values that a checkpoint says, and refusals by their names."""

    def __init__(self, kind: str, about: Any) -> None:
        self.kind = kind
        if not isinstance(about, Mapping):
            raise FormatError(f"checkpoint of a {kind}: expected an object for a head, got {str(about)[:80]!r}; "
                              "restore config.json")
        self.about = about

    def __getitem__(self, name: str) -> Any:
        return self.about[name]

    def require(self, *names: str) -> None:
        if missing := sorted(set(names) - set(self.about)):
            raise FormatError(
                f"checkpoint of a {self.kind}: {', '.join(missing)} of its training are "
                "required, but it does not say; was it written by `gattn train` of this version?"
            )

    def check(self, name: str, fits: bool, wanted: str) -> None:
        if not fits:
            raise FormatError(
                f"checkpoint of a {self.kind}: expected {wanted} for {name}, got {str(self.about.get(name))[:80]!r}; "
                "restore config.json"
            )

    def window_bp(self) -> int:
        value = self["window_bp"]
        self.check("window_bp", type(value) is int and 1 <= value <= LONGEST_BP, f"1 to {LONGEST_BP:,} bases")
        return int(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_list(values: Any, n: int, kind: type) -> bool:
    if not isinstance(values, list) or len(values) != n:
        return False
    return all(_is_number(v) if kind is float else type(v) is kind for v in values)
