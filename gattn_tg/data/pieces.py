"""Long windows with targets, cut into shorter ones: a random piece of each in training, tiles of all in validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gattn_tg.data.augment import complement_of, other_strand, turned_targets
from gattn_tg.data.draws import PLACE, Draw, flips, shifts
from gattn_tg.data.genomes.stretches import Windowed
from gattn_tg.data.tracks import ArrayTargets, BigWigTargets, TrackBatch
from gattn_tg.errors import ShapeError
from gattn_tg.seq.interval import Interval
from gattn_tg.types import Float, Int


@dataclass(frozen=True)
class TrackPieces:
    """Rows are (window, piece): `window_bp` bases whose inner bins have targets.

    A window of the dataset has targets for the bins in its middle. A piece takes `bins` of them, one after the other,
    and the bases around them, so pieces near the ends of the targets still see real sequence on both sides.

    Args:
        genome: bases and motif ids.
        intervals: the windows, all of one width.
        targets: bins of the middle of each window; those of an array stay where they are.
        n_targets: bins with targets per window.
        bin_bp: bases per bin.
        window_bp: bases of a piece.
        crop_bp: bases without targets at both ends of a piece.
        max_jitter: bases by which the sequence of a piece moves at most against array targets; keep it below a bin.
        rc: turn every other piece, by chance, to its other strand; targets are reversed with it.
        track_pairs: track that each track becomes on the other strand.

    Raises:
        ShapeError: pieces that do not fit, windows of several widths, or rows of targets that do not.
    """

    genome: Windowed
    intervals: Sequence[Interval]
    targets: ArrayTargets | BigWigTargets
    n_targets: int
    bin_bp: int
    window_bp: int
    crop_bp: int
    max_jitter: int = 0
    rc: bool = False
    track_pairs: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        widths = {len(i) for i in self.intervals}
        rows = self.targets.values.shape[:2] if isinstance(self.targets, ArrayTargets) else None
        inner = self.window_bp - 2 * self.crop_bp
        if inner < self.bin_bp or inner % self.bin_bp or self.bins > self.n_targets:
            raise ShapeError(
                f"TrackPieces: expected for window_bp - 2 crop_bp a whole number of bins of {self.bin_bp}, from 1 to "
                f"{self.n_targets}, got window_bp={self.window_bp} and crop_bp={self.crop_bp}, which leave {inner} "
                "bases; change one of them"
            )
        if len(widths) != 1 or (rows is not None and rows != (len(self.intervals), self.n_targets)):
            raise ShapeError(
                f"TrackPieces: expected windows of one width with {self.n_targets} bins of targets each, got "
                f"{len(self.intervals)} of widths {', '.join(map(str, sorted(widths))) or 'none'} and targets {rows}; "
                "are the windows those of the targets, in the same order?"
            )

    @property
    def bins(self) -> int:
        """Bins with targets per piece."""
        return (self.window_bp - 2 * self.crop_bp) // self.bin_bp

    @property
    def per_window(self) -> int:
        """Pieces that cover the targets of a window."""
        return -(-self.n_targets // self.bins)

    def __len__(self) -> int:
        return len(self.intervals) * self.per_window

    def first_bins(self, rows: Int[np.ndarray, "b"], draw: Draw | None = None) -> Int[np.ndarray, "b"]:
        """Return the first bin of each row within its window: tiles, the last one moved inwards, or random ones."""
        last = self.n_targets - self.bins
        if draw is not None and last:
            drawn: np.ndarray = (draw(PLACE) % np.uint64(last + 1)).astype(np.int64)
            return drawn
        tiled: np.ndarray = np.minimum(rows % self.per_window * self.bins, last)
        return tiled

    def batch(self, rows: Int[np.ndarray, "b"], draw: Draw | None = None) -> TrackBatch:
        """Return rows as a batch."""
        windows, first = rows // self.per_window, self.first_bins(rows, draw)
        moved = shifts(draw, len(rows), self.max_jitter)
        margin = (len(self.intervals[0]) - self.n_targets * self.bin_bp) // 2 - self.crop_bp
        here = []
        for window, offset, by in zip(windows.tolist(), first.tolist(), moved.tolist(), strict=True):
            interval = self.intervals[window]
            start = interval.start + margin + offset * self.bin_bp + by
            here.append(Interval(interval.chrom, start, start + self.window_bp))
        bases, motif_ids = self.genome.windows(here, self.window_bp)
        targets = self._targets(windows, first, here)
        lengths = np.full(len(rows), self.window_bp, dtype=np.int32)
        if self.rc:
            chosen = flips(draw, len(rows), True)
            bases, motif_ids = other_strand(bases, motif_ids, complement_of(self.genome.vocabulary), chosen)
            targets = turned_targets(targets, chosen, self.track_pairs)
        return TrackBatch(bases, motif_ids, lengths, targets, np.ones(len(rows), dtype=bool))

    def _targets(
        self, windows: Int[np.ndarray, "b"], first: Int[np.ndarray, "b"], here: Sequence[Interval]
    ) -> Float[np.ndarray, "b p k"]:
        if isinstance(self.targets, BigWigTargets):
            return self.targets.at(here)
        bins = first[:, None] + np.arange(self.bins)
        return np.asarray(self.targets.values[windows[:, None], bins], dtype=np.float32)
