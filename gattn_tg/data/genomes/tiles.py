"""Windows of an encoded genome for language models: side by side, or anywhere."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from gattn_tg.data.augment import complement_of, other_strand
from gattn_tg.data.batches import Batch
from gattn_tg.data.dataset import PLACE, Draw, flips
from gattn_tg.data.genomes.encoded import EncodedGenome
from gattn_tg.data.sampler import hashed, mixed
from gattn_tg.errors import ConfigError
from gattn_tg.seq.alphabet import N
from gattn_tg.seq.interval import Interval
from gattn_tg.types import Int

TRIES = 64  # places that are looked at for one random window before giving up


def tiles(
    genome: EncodedGenome,
    width: int,
    stride: int | None = None,
    *,
    max_unknown: float = 0.1,
    contigs: Collection[str] | None = None,
) -> list[Interval]:
    """Return the windows of one width, side by side, in which at most a fraction `max_unknown` is N.

    Args:
        genome: where they lie.
        width: bases of each.
        stride: bases from one start to the next; the width when None.
        max_unknown: greatest fraction of N.
        contigs: contigs to take; None takes all.

    Raises:
        ConfigError: no window is left, or a contig that the genome does not have.
    """
    found = []
    for chrom in _contigs(genome, contigs):
        windows = list(Interval(chrom, 0, genome.sizes[chrom]).tile(width, stride))
        if windows:
            unknown = genome.unknown(chrom)
            starts = np.array([window.start for window in windows])
            keep = unknown[starts + width] - unknown[starts] <= max_unknown * width
            found += [window for window, kept in zip(windows, keep.tolist(), strict=True) if kept]
    if not found:
        raise ConfigError(
            f"tiles: a window of {width} bases with at most {max_unknown:.0%} N is required, but the genome has none; "
            "shorten the windows"
        )
    return found


@dataclass(frozen=True)
class GenomeDataset:
    """Windows of a genome without labels.

    Args:
        genome: encoded by `gattn preprocess`.
        width: bases of a window.
        places: the windows, from `tiles`; None draws random ones, another for each row and pass.
        n_random: random windows that make one pass.
        max_unknown: greatest fraction of N in a random window.
        contigs: contigs of random windows; None takes all.
        rc: turn every other window, by chance, to its other strand.

    Raises:
        ConfigError: neither places nor n_random, no contig as long as a window, or a place outside its contig.
    """

    genome: EncodedGenome
    width: int
    places: Sequence[Interval] | None = None
    n_random: int = 0
    max_unknown: float = 0.1
    contigs: Collection[str] | None = None
    rc: bool = False
    _starts: Int[np.ndarray, "p"] = field(init=False, repr=False, compare=False)  # of places, or of contigs
    _ends: Int[np.ndarray, "c"] = field(init=False, repr=False, compare=False)  # running numbers of random starts

    def __post_init__(self) -> None:
        chroms = tuple(c for c in _contigs(self.genome, self.contigs) if self.genome.sizes[c] >= self.width)
        if (self.places is None) != (self.n_random > 0) or not chroms:
            raise ConfigError(
                f"GenomeDataset: either places or n_random >= 1, and a contig of at least {self.width} bases, are "
                "required; pass tiles(genome, width) or a number of random windows"
            )
        if self.places is None:
            starts = np.array([self.genome.position(c) for c in chroms])
            ends = np.cumsum([self.genome.sizes[c] - self.width + 1 for c in chroms])
        else:
            starts, ends = self.genome.positions(self.places, self.width), np.zeros(0, dtype=np.int64)
            if (starts < 0).any():
                raise ConfigError(
                    f"GenomeDataset: places on their contigs are required, but {self.places[int(np.argmin(starts))]} "
                    "reaches outside; clip or drop it"
                )
        object.__setattr__(self, "_starts", starts)
        object.__setattr__(self, "_ends", ends)

    def __len__(self) -> int:
        return self.n_random if self.places is None else len(self.places)

    def batch(self, rows: Int[np.ndarray, "b"], draw: Draw | None = None) -> Batch:
        """Return rows as a batch without labels; random windows need `draw`, or are the same for the same row."""
        if self.places is not None:
            bases, motif_ids = self.genome.gather(self._starts[rows], self.width)
        else:
            keys = rows.astype(np.uint64) if draw is None else draw(PLACE)
            bases, motif_ids = self.genome.gather(self._random(keys), self.width)
        lengths = np.full(len(rows), self.width, dtype=np.int32)
        if self.rc:
            chosen = flips(draw, len(rows), True)
            bases, motif_ids = other_strand(bases, motif_ids, complement_of(self.genome.vocabulary), chosen)
        return Batch(bases, motif_ids, lengths, None, np.ones(len(rows), dtype=bool))

    def _random(self, keys: np.ndarray) -> Int[np.ndarray, "b"]:
        """Return the starts that the keys decide, each equally likely where N do not forbid it."""
        starts = np.zeros(len(keys), dtype=np.int64)
        open_ = np.arange(len(keys))
        limit = self.max_unknown * self.width
        for attempt in range(TRIES):
            places = (mixed(keys[open_] + np.uint64(hashed(attempt))) % np.uint64(self._ends[-1])).astype(np.int64)
            at = np.searchsorted(self._ends, places, side="right")
            starts[open_] = self._starts[at] + places - np.where(at > 0, self._ends[at - 1], 0)
            bases, _ = self.genome.gather(starts[open_], self.width, motifs=False)
            open_ = open_[np.count_nonzero(bases == N, axis=1) > limit]
            if not open_.size:
                return starts
        raise ConfigError(
            f"GenomeDataset: windows with at most {self.max_unknown:.0%} N are required, but {TRIES} random places had "
            "none; choose other contigs or pass tiles"
        )


def _contigs(genome: EncodedGenome, contigs: Collection[str] | None) -> list[str]:
    return list(genome.sizes) if contigs is None else [genome.names.resolve(c, "contigs") for c in contigs]
