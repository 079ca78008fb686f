"""Labels of single bases, and windows over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gattn_tg.data.augment import complement_of, other_strand
from gattn_tg.data.draws import PLACE, Draw, flips
from gattn_tg.data.genomes.stretches import Windowed
from gattn_tg.data.sites.measured import read_labelled_sites
from gattn_tg.errors import ConfigError, FormatError
from gattn_tg.seq.interval import Interval
from gattn_tg.types import Bool, Float, Int, UInt8


class MarkBatch(NamedTuple):
    """Windows with labels at some bases; `weight` is 0 at the others."""

    bases: UInt8[np.ndarray, "b n"]
    motif_ids: UInt8[np.ndarray, "b n"]
    labels: Float[np.ndarray, "b n 1"]
    weight: Float[np.ndarray, "b n 1"]


@dataclass(frozen=True)
class Marks:
    """Labelled sites of one contig, sorted by start: CpGs of two bases, or single bases.

    The label of a site stands at its first base in reading direction: at its start, and on the other strand at its
    last base.
    """

    chrom: str
    starts: Int[np.ndarray, "s"]
    ends: Int[np.ndarray, "s"]
    labels: Bool[np.ndarray, "s"]


def read_marks(path: str | Path, column: str) -> list[Marks]:
    """Read the labelled sites of a TSV file; see `read_labelled_sites`. Sites without a label are left out.

    Raises:
        FormatError: no such column, a label other than 0 and 1, a site that comes twice, sites of different lengths, no
            label.
    """
    marks = []
    for sites in read_labelled_sites(path, column):
        known = sites.weight > 0
        if known.any():
            marks.append(Marks(sites.chrom, sites.starts[known], sites.ends[known], sites.target[known] > 0.5))
    if not marks:
        raise FormatError(f"{path}: expected 0 and 1 as {column}, got no cell with either; name the column with labels")
    return marks


@dataclass(frozen=True)
class MarkedWindows:
    """Rows are windows over blocks; each labelled site of a block counts in one row, with real sequence around it.

    A row is responsible for the sites in the inner half of its window. In training the window moves by chance.

    Args:
        genome: bases and motif ids.
        marks: labelled sites.
        blocks: where sites count.
        window_bp: bases of a window, a multiple of 4.
        rc: turn every other window, by chance, to its other strand.
    """

    genome: Windowed
    marks: Sequence[Marks]
    blocks: Sequence[Interval]
    window_bp: int
    rc: bool = False

    def __post_init__(self) -> None:
        if self.window_bp < 4 or self.window_bp % 4:
            raise ConfigError(f"MarkedWindows window_bp: expected a multiple of 4 from 4 up, got {self.window_bp}")
        spans = {int(span) for m in self.marks for span in np.unique(m.ends - m.starts)}
        if len(spans) != 1:
            raise ConfigError("MarkedWindows: expected sites of one length, got "
                              f"{', '.join(map(str, sorted(spans))) or 'none'}; split the file")

    @property
    def core_bp(self) -> int:
        """Inner bases of a window."""
        return self.window_bp // 2

    @property
    def site_bp(self) -> int:
        """Bases of a site, the same for all."""
        return int(self.marks[0].ends[0] - self.marks[0].starts[0])

    @cached_property
    def cores(self) -> list[Interval]:
        """The stretch that each row is responsible for; one without a labelled site needs no row, nor any sequence."""
        found = []
        for block in self.blocks:
            for start in range(block.start, block.end, self.core_bp):
                end = min(start + self.core_bp, block.end)
                if any(m.chrom == block.chrom and np.diff(np.searchsorted(m.starts, (start, end))) for m in self.marks):
                    found.append(Interval(block.chrom, start, end))
        return found

    def __len__(self) -> int:
        return len(self.cores)

    def batch(self, rows: Int[np.ndarray, "b"], draw: Draw | None = None) -> MarkBatch:
        """Return rows as a batch; a drawn one moves windows by up to a quarter and turns some to the other strand."""
        cores = self.cores
        moved = np.zeros(len(rows), np.int64)
        if draw is not None:
            moved = (draw(PLACE) % np.uint64(self.core_bp)).astype(np.int64) - self.core_bp // 2
        chosen = flips(draw, len(rows), self.rc)
        here = []
        labels = np.zeros((len(rows), self.window_bp, 1), np.float32)
        weight = np.zeros_like(labels)
        for row, (number, by) in enumerate(zip(rows.tolist(), moved.tolist(), strict=True)):
            core = cores[number]
            start = core.start - self.core_bp // 2 + by
            here.append(Interval(core.chrom, start, start + self.window_bp))
            for m in self.marks:
                if m.chrom == core.chrom:
                    sites = slice(*np.searchsorted(m.starts, (core.start, core.end)))
                    first, last = m.starts[sites] - start, m.ends[sites] - start
                    at = self.window_bp - last if chosen[row] else first
                    inside = (at >= 0) & (at < self.window_bp)
                    labels[row, at[inside], 0] = m.labels[sites][inside]
                    weight[row, at[inside], 0] = 1.0
        bases, motif_ids = self.genome.windows(here, self.window_bp)
        if chosen.any():
            bases, motif_ids = other_strand(bases, motif_ids, complement_of(self.genome.vocabulary), chosen)
        return MarkBatch(bases, motif_ids, labels, weight)

    def sites(self) -> tuple[list[Interval], Bool[np.ndarray, "s"]]:
        """Return all sites that count and their labels, row by row, as predictions with their weights come out."""
        places, labels = [], []
        for core in self.cores:
            for m in self.marks:
                if m.chrom == core.chrom:
                    sites = slice(*np.searchsorted(m.starts, (core.start, core.end)))
                    ends = zip(m.starts[sites].tolist(), m.ends[sites].tolist(), strict=True)
                    places += [Interval(m.chrom, start, end) for start, end in ends]
                    labels.append(m.labels[sites])
        return places, np.concatenate(labels) if labels else np.zeros(0, bool)
