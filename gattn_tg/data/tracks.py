"""Sequences with numbers along them, for models like Enformer: a genome with BigWig files, or with an npz file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gattn_tg.errors import FormatError
from gattn_tg.io.bigwig import BigWig
from gattn_tg.seq.interval import Interval
from gattn_tg.types import Bool, Float, Int, UInt8


class TrackBatch(NamedTuple):
    """Windows with their targets: bins along the middle of each window, tracks last."""

    bases: UInt8[np.ndarray, "b n"]
    motif_ids: UInt8[np.ndarray, "b n"]
    lengths: Int[np.ndarray, "b"]
    targets: Float[np.ndarray, "b p k"]
    valid: Bool[np.ndarray, "b"]


@dataclass(frozen=True)
class ArrayTargets:
    """Targets in memory or in a mapped file, one row per window.

    Args:
        values: rows, bins, tracks.
    """

    values: Float[np.ndarray, "N p k"]

    @classmethod
    def from_npz(cls, path: str | Path, name: str = "targets") -> ArrayTargets:
        """Read one array of an npz file.

        Raises:
            FormatError: no npz file, no array of this name, or one without three axes.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                values = arrays[name]
        except Exception as error:  # zipfile, zlib and NumPy each have errors of their own for a damaged file
            raise FormatError(
                f"{path}: expected an npz file with the array {name!r}, got: {' '.join(str(error).split())}; "
                "check the file"
            ) from error
        if values.ndim != 3:
            raise FormatError(
                f"{path}: expected targets with axes (windows, bins, tracks), got shape {values.shape}; "
                "reshape the array"
            )
        return cls(values)


@dataclass(frozen=True)
class BigWigTargets:
    """Means of BigWig tracks over bins of the middle of each window.

    Args:
        tracks: open files, one per track.
        bin_bp: bases per bin; 1 gives per-base targets.
        crop_bp: bases without targets at both ends of a window.
    """

    tracks: Sequence[BigWig]
    bin_bp: int
    crop_bp: int = 0

    def at(self, intervals: Sequence[Interval]) -> Float[np.ndarray, "b p k"]:
        """Return the tracks of windows, float32."""
        inner = [Interval(i.chrom, i.start + self.crop_bp, i.end - self.crop_bp) for i in intervals]
        return np.stack([np.stack([track.binned(i, self.bin_bp) for track in self.tracks], axis=1) for i in inner])


def soft_clipped(x: Float[np.ndarray, "..."], limit: float) -> Float[np.ndarray, "..."]:
    """x up to the limit c, 2 sqrt(c x) - c above it, which goes on with slope 1; c = 0 changes nothing.

    Source: Linder et al. 2025 (Borzoi), Methods.
    """
    clipped: np.ndarray = np.where(x > limit, 2 * np.sqrt(limit * np.maximum(x, 0)) - limit, x) if limit else x
    return clipped


def unclipped(y: Float[np.ndarray, "..."], limit: float) -> Float[np.ndarray, "..."]:
    """What `soft_clipped` made y of."""
    x: np.ndarray = np.where(y > limit, (y + limit) ** 2 / (4 * limit), y) if limit else y
    return x
