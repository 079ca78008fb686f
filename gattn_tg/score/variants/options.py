"""How a model is asked about two alleles, and what is told of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np

from gattn_tg.errors import ConfigError, an
from gattn_tg.models.checkpoint import Checkpoint
from gattn_tg.score.variants.alleles import Alleles
from gattn_tg.types import Float, Int, UInt8


class Column(NamedTuple):
    """A number that is told of every variant; a `difference` is 0 where the alleles do the same."""

    name: str
    about: str
    difference: bool = True


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a model is asked.

    Args:
        batch_size: windows per call of the network.
        both_strands: the mean over a window and its reverse complement.
        window: bases of a window; None takes those of training.
        head: head of a model of tracks with several; None takes the first.
        tracks: names of the tracks that are wanted; None takes all.
    """

    batch_size: int = 128
    both_strands: bool = False
    window: int | None = None
    head: str | None = None
    tracks: Sequence[str] | None = None

    @property
    def told(self) -> dict[str, object]:
        """The fields as JSON values."""
        return {**asdict(self), "tracks": None if self.tracks is None else list(self.tracks)}

    @property
    def key(self) -> str:
        """Equal for equal options."""
        return str(self.told)


class Answers:
    """Base: calling it with windows of one width gives an array per window; `effects` compares two of them.

    Attributes:
        width: bases of a window.
        is_padded: the network wants windows of exactly `width` bases, N beyond the ends of a contig.
        is_inside: windows begin inside their contig; else the variant always stands in the middle.
        columns: what `effects` gives.
        rows: windows per call that are computed at once.
    """

    is_padded: bool = False
    is_inside: bool = True
    width: int
    columns: list[Column]
    rows: int

    def __call__(
        self, bases: UInt8[np.ndarray, "b n"], motif_ids: UInt8[np.ndarray, "b n"], lengths: Int[np.ndarray, "b"]
    ) -> Float[np.ndarray, "b ..."]:
        """What is compared, for each of exactly `rows` windows, padded behind their lengths."""
        raise NotImplementedError

    def effects(self, ref: np.ndarray, alt: np.ndarray, place: Alleles) -> list[float]:
        """One number per column."""
        raise NotImplementedError

def checked_width(wanted: int, longest: int | None) -> int:
    """The bases of a window, where the model can read as many."""
    if wanted < 1 or (longest is not None and wanted > longest):
        raise ConfigError(f"variants: expected a window from 1 to {longest} bases, which the model can read, got "
                          f"{wanted}; correct it")
    return wanted


def refuse_tracks(checkpoint: Checkpoint, options: Options) -> None:
    """Raise ConfigError for options that only models of tracks have."""
    for name, value in (("head", options.head), ("tracks", options.tracks)):
        if value is not None:
            raise ConfigError(f"variants: {name}: expected none for {an(checkpoint.kind.name)}, got {value!r}; leave "
                              "it out")
