"""Sequences with numbers along them, for models like Enformer: a genome with BigWig files, or with an npz file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from gattn_tg.data.augment import other_strand, turned_targets
from gattn_tg.data.dataset import Draw, flips, shifts
from gattn_tg.data.encoded import EncodedGenome
from gattn_tg.errors import ConfigError, FormatError, ShapeError
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


class Targets(Protocol):
    """Where targets come from."""

    moves: bool
    """Whether targets can be read at moved places; fixed ones belong to the window as it stands."""

    def at(self, rows: Int[np.ndarray, "b"], intervals: Sequence[Interval]) -> Float[np.ndarray, "b p k"]:
        """Return float32 targets of windows, which may lie a little beside those of the rows."""
        ...


@dataclass(frozen=True)
class ArrayTargets:
    """Targets in memory or in a mapped file, one row per window.

    Args:
        values: rows, bins, tracks.
    """

    values: Float[np.ndarray, "N p k"]
    moves = False

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
                f"{path}: an npz file with the array {name!r} is required, but came: {' '.join(str(error).split())}; "
                "check the file"
            ) from error
        if values.ndim != 3:
            raise FormatError(
                f"{path}: targets with axes (windows, bins, tracks) are required, but came shape {values.shape}; "
                "reshape the array"
            )
        return cls(values)

    def at(self, rows: Int[np.ndarray, "b"], intervals: Sequence[Interval]) -> Float[np.ndarray, "b p k"]:
        """Return the rows; the intervals are not looked at."""
        return np.asarray(self.values[rows], dtype=np.float32)


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
    moves = True

    def at(self, rows: Int[np.ndarray, "b"], intervals: Sequence[Interval]) -> Float[np.ndarray, "b p k"]:
        """Return the tracks of these intervals."""
        inner = [Interval(i.chrom, i.start + self.crop_bp, i.end - self.crop_bp) for i in intervals]
        return np.stack([np.stack([track.binned(i, self.bin_bp) for track in self.tracks], axis=1) for i in inner])


@dataclass(frozen=True)
class TrackDataset:
    """Windows of a genome with targets along them.

    Args:
        genome: encoded by `gattn preprocess`.
        intervals: the windows, all of one width.
        targets: one row per window.
        max_jitter: bases by which a window moves at most. Targets of BigWig files move along; those of an array stay,
            so keep it well below a bin.
        rc: turn every other window, by chance, to its other strand; targets are reversed with it.
        track_pairs: track that each track becomes on the other strand.

    Raises:
        ConfigError: no windows.
        ShapeError: windows of several widths, or more or fewer rows of targets.
    """

    genome: EncodedGenome
    intervals: Sequence[Interval]
    targets: Targets
    max_jitter: int = 0
    rc: bool = False
    track_pairs: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if not self.intervals:
            raise ConfigError("TrackDataset: at least one window is required, but came none; give intervals")
        widths = {len(interval) for interval in self.intervals}
        rows = len(self.targets.values) if isinstance(self.targets, ArrayTargets) else len(self.intervals)
        if len(widths) > 1 or rows != len(self.intervals):
            raise ShapeError(
                f"TrackDataset: {len(self.intervals)} windows of one width with as many rows of targets are required, "
                f"but came widths {', '.join(map(str, sorted(widths)))} and {rows} rows; resize the windows"
            )

    def __len__(self) -> int:
        return len(self.intervals)

    def batch(self, rows: Int[np.ndarray, "b"], draw: Draw | None = None) -> TrackBatch:
        """Return rows as a batch."""
        moved = shifts(draw, len(rows), self.max_jitter).tolist()
        here = [self.intervals[row].shift(by) for row, by in zip(rows.tolist(), moved, strict=True)]
        width = len(here[0])
        bases, motif_ids = self.genome.windows(here, width)
        targets = self.targets.at(rows, here)
        lengths = np.full(len(rows), width, dtype=np.int32)
        if self.rc:
            chosen = flips(draw, len(rows), True)
            complement = None if self.genome.vocabulary is None else self.genome.vocabulary.complement
            bases, motif_ids = other_strand(bases, motif_ids, complement, chosen)
            targets = turned_targets(targets, chosen, self.track_pairs)
        return TrackBatch(bases, motif_ids, lengths, targets, np.ones(len(rows), dtype=bool))
