"""What a model of sparse sites says of the sites of a genome."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gattn_tg.data.genomes.stretches import Windowed
from gattn_tg.data.sites.blocks import inside
from gattn_tg.data.sites.listed import SiteList, found_sites, listed_sites, stretches_of
from gattn_tg.data.sites.neighbours import SiteRows, answering
from gattn_tg.data.sites.surroundings import surroundings
from gattn_tg.errors import ConfigError, FormatError, an
from gattn_tg.io import read_bed, replacing_path
from gattn_tg.models.captured.forward import Forward
from gattn_tg.models.captured.strands import require_symmetric
from gattn_tg.models.checkpoint import Checkpoint
from gattn_tg.models.sites.answers import SiteAnswers
from gattn_tg.models.sites.readout import SparseReadout
from gattn_tg.score.along import FLANK_BP
from gattn_tg.score.in_turns import Over
from gattn_tg.score.profiles import Placed
from gattn_tg.seq.interval import Interval
from gattn_tg.types import Bool, Float

Answered = tuple[SiteList, Float[np.ndarray, "s"]]
"""Sites of one stretch, and the answer for each."""
NAMES = {"label": "probability", "share": "share"}


@dataclass(frozen=True, repr=False)
class SiteValues(Placed):
    """What a model says of sites, in the order of the genome.

    Args:
        lists: the sites, stretch by stretch.
        values: probability of yes, or share, of every site.
        site_bp: bases of a site.
        tracks: name of the only column: "probability" or "share".
        sizes: bases of every contig, for BigWig files.
        names: of the sites, where a list named them.
    """

    lists: tuple[SiteList, ...]
    values: Float[np.ndarray, "S"]
    site_bp: int
    tracks: tuple[str, ...]
    sizes: Mapping[str, int]
    names: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def summary(self) -> str:
        """How many of what."""
        return f"{self.tracks[0]} of {len(self):,} sites of {self.site_bp} bp"

    @property
    def header(self) -> list[str]:
        """Place of the site, its name where it has one, the answer."""
        return ["chrom", "start", "end", *([] if self.names is None else ["name"]), *self.tracks]

    def rows(self) -> Iterator[list[object]]:
        """One per site, 0-based and half-open."""
        for k, (chrom, start, end, value) in enumerate(self._bars(0)):
            yield [chrom, start, end, *([] if self.names is None else [self.names[k]]), value]

    def to_npz(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write `chrom`, `start`, `end` and `values` of every site, and `name` where they have one."""
        starts = np.concatenate([np.zeros(0, np.int64), *(sites.starts for sites in self.lists)])
        chroms = np.repeat([sites.chrom for sites in self.lists] or [""], [len(s.starts) for s in self.lists] or [0])
        arrays: dict[str, Any] = {"chrom": chroms, "start": starts, "end": starts + self.site_bp, "values": self.values,
                                  "tracks": np.array(self.tracks)}  # fmt: skip
        if self.names is not None:
            arrays["name"] = np.array(self.names)
        with replacing_path(path, overwrite=overwrite) as part, part.open("wb") as file:
            np.savez_compressed(file, **arrays)

    def _bars(self, column: int) -> Iterator[tuple[str, int, int, float]]:
        values = iter(self.values.tolist())
        for sites in self.lists:
            for start in sites.starts.tolist():
                yield sites.chrom, start, start + self.site_bp, next(values)


class SitePredictor:
    """Calling it with a genome and sites gives what the model says of them.

    Sites are asked among their neighbours: all places of the pattern of the model, or where it has none, the sites that
    are asked for. Which neighbours share a row depends on where the stretch begins, and not on what is asked for; of a
    large FASTA file only stretches around what is asked for are read, so a whole contig has slightly other answers.

    Args:
        checkpoint: of a `SiteModel`, as `gattn train` writes them.
        both_strands: the mean over both strands; None as in training.
        batch_size: rows of sites per call of the model.
        over: shares batches out over processes that all ask the same.

    Raises:
        FormatError: the checkpoint does not say how it was trained.
        ConfigError: both strands with motifs of one strand only.
    """

    def __init__(
        self, checkpoint: Checkpoint, *, both_strands: bool | None = None, batch_size: int = 4,
        over: Over | None = None,
    ) -> None:  # fmt: skip
        readout = checkpoint.readout
        if not isinstance(readout, SparseReadout):
            raise FormatError(f"checkpoint of {an(checkpoint.kind.name)}: expected what its answers mean, got nothing; "
                              "was it written by `gattn train` of this version?")
        self.readout, self.config, self.vocabulary = readout, checkpoint.model.config, checkpoint.vocabulary
        both_strands = readout.both_strands if both_strands is None else both_strands
        if both_strands:
            require_symmetric(self.vocabulary)
        self._answers = SiteAnswers(Forward(checkpoint.model, batch_size), both_strands=both_strands, over=over)
        self.names = (NAMES[readout.target],)

    @property
    def flank_bp(self) -> int:
        """Bases on both sides of what is asked for that are looked at."""
        return FLANK_BP + max(self.config.composition_bp, default=0)

    def found(self, genome: Windowed, intervals: Sequence[Interval]) -> Iterator[Answered]:
        """The sites of the pattern that begin in intervals, and the answers, stretch by stretch.

        Raises:
            ConfigError: the model has no pattern.
        """
        if not self.readout.pattern:
            raise ConfigError("sites: expected a list of sites for a model that was trained on listed ones, got none; "
                              "give them")
        for place in stretches_of(genome):
            here = [interval for interval in intervals if interval.overlap(place)]
            for sites in found_sites(genome, self.readout.pattern, [place] if here else []):
                yield from self._answered(genome, sites, inside(sites, here))

    def of(self, genome: Windowed, wanted: Mapping[str, np.ndarray]) -> Iterator[Answered]:
        """Listed sites, and the answers, stretch by stretch.

        Args:
            genome: the sequences.
            wanted: contig -> first bases, rising.

        Raises:
            CoordinateError: a site without sequence, or with other letters than those of the pattern.
        """
        for listed in listed_sites(genome, wanted, self.readout.site_bp, self.readout.pattern):
            if not self.readout.pattern:
                yield from self._answered(genome, listed, np.ones(len(listed.starts), bool))
                continue
            for sites in found_sites(genome, self.readout.pattern, [listed.place]):
                yield from self._answered(genome, sites, np.isin(sites.starts, listed.starts))

    def _answered(self, genome: Windowed, sites: SiteList, wanted: Bool[np.ndarray, "s"]) -> Iterator[Answered]:
        """The wanted ones of all sites of a stretch; only what surrounds rows that answer for one is looked at."""
        windows = answering(0, len(sites.starts), self.readout.n_sites, wanted)
        while windows:
            n = next((k for k in range(1, len(windows)) if windows[k].first > windows[k - 1].end), len(windows))
            first, end = windows[0].first, windows[n - 1].end
            low, high = max(first - 1, 0), min(end + 1, len(sites.starts))  # neighbours, which facts know of
            around = SiteList(sites.place, sites.starts[low:high])
            facts = surroundings(genome, around, self.readout.site_bp, self.config.composition_bp)[first - low :]
            some = SiteList(sites.place, sites.starts[first:end])
            asked = np.zeros(end - first, bool)
            asked[windows[0].low - first : windows[n - 1].high - first] = True
            asked &= wanted[first:end]
            rows = SiteRows(genome, [some], self.readout.scaled(facts[: end - first]), self.readout.site_bp,
                            self.config.around_bp, self.readout.n_sites)  # fmt: skip
            values = self.readout.shares(self._answers(rows, asked)[asked])
            yield SiteList(sites.place, some.starts[asked]), values
            windows = windows[n:]


def read_site_list(path: str | Path, site_bp: int) -> tuple[dict[str, np.ndarray], dict[tuple[str, int], str]]:
    """Sites of a BED file: first bases by contig, rising, and the name of each.

    Raises:
        FormatError: the file is malformed, a site has another length, or comes twice.
    """
    names: dict[tuple[str, int], str] = {}
    for record in read_bed(path):
        place = record.interval
        if len(place) != site_bp:
            raise FormatError(f"{path}, line {record.line}: expected a site of {site_bp} bases, as the model was "
                              f"trained on, got {len(place)}; list sites, not stretches")
        if (place.chrom, place.start) in names:
            raise FormatError(f"{path}, line {record.line}: expected every site once, got {place.chrom}:{place.start} "
                              "again; remove one")
        names[place.chrom, place.start] = record.name
    wanted: dict[str, list[int]] = {}
    for chrom, start in sorted(names):
        wanted.setdefault(chrom, []).append(start)
    return {chrom: np.array(starts, np.int64) for chrom, starts in wanted.items()}, names


def clusters(wanted: Mapping[str, np.ndarray], site_bp: int, gap_bp: int) -> list[Interval]:
    """Stretches that hold all sites, those nearer than a gap together."""
    found = []
    for chrom, starts in wanted.items():
        cuts = np.flatnonzero(np.diff(starts) > gap_bp) + 1
        for group in np.split(starts, cuts):
            found.append(Interval(chrom, int(group[0]), int(group[-1]) + site_bp))
    return found


def gathered(
    answered: Iterable[Answered], predictor: SitePredictor, sizes: Mapping[str, int],
    names: Mapping[tuple[str, int], str] | None = None,
) -> SiteValues:
    """Answers in the order of the genome; a site that was asked twice stands there once."""
    order = {chrom: i for i, chrom in enumerate(sizes)}
    parts = sorted(answered, key=lambda part: (order.get(part[0].chrom, len(order)), int(part[0].starts[0])))
    lists, values, last = list[SiteList](), [np.zeros(0)], ("", -1)
    for sites, found in parts:
        new = sites.starts > last[1] if sites.chrom == last[0] else np.ones(len(sites.starts), bool)
        if new.any():
            lists.append(SiteList(sites.place, sites.starts[new]))
            values.append(found[new])
            last = (sites.chrom, int(sites.starts[-1]))
    named = None if names is None else tuple(names[s.chrom, at] for s in lists for at in s.starts.tolist())
    return SiteValues(tuple(lists), np.concatenate(values), predictor.readout.site_bp, predictor.names, sizes, named)
