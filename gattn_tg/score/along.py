"""What a model says along sequences: counts of tracks, or probabilities of sites."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from gattn_tg.data.genomes.encoded import EncodedGenome
from gattn_tg.data.genomes.stretches import Stretch, Stretches, Windowed, open_windows
from gattn_tg.errors import ConfigError, CoordinateError, FormatError, UnsupportedError, an
from gattn_tg.io import Genome, read_bed
from gattn_tg.models.captured.forward import Forward
from gattn_tg.models.captured.strands import Run, mirrored_sites, over_strands
from gattn_tg.models.checkpoint import Checkpoint
from gattn_tg.models.readouts.bases import SiteReadout
from gattn_tg.models.readouts.tracks import TrackHead, TrackReadout
from gattn_tg.motif import MotifVocabulary, annotate
from gattn_tg.score.in_turns import Over, filled
from gattn_tg.seq import encode
from gattn_tg.seq.interval import Interval
from gattn_tg.types import Float

Place = tuple[Interval, Windowed]
"""A stretch, and what its sequence is read from."""
IN_MEMORY_BYTES = 64 << 20  # of a FASTA file; of a larger one only the places that are asked for are read
FLANK_BP = 1 << 18  # longer than windows and CpG islands


class GenomePredictor:
    """Calling it with a stretch of a genome gives one row of values per bin of it.

    Windows as long as those of training are laid side by side by their inner parts, which have sequence on both sides;
    beyond the ends of what there is, a model sees N.

    Args:
        checkpoint: of a model of tracks or of sites, as `gattn train` writes them.
        head: head of a model of tracks with several; None takes the first.
        batch_size: windows per call of the model.
        both_strands: the mean over the sequence and its reverse complement.
        device: where to run; None is tinygrad's default.
        over: shares batches out over processes that all ask for the same places; see `score.in_turns.SharedRows`.

    Attributes:
        names: of the tracks; a model of sites has "probability", or label_0 and so on where it has several.
        bin_bp: bases per row.
        unit: what the values are: "counts" or "probability".
        run: base ids and motif ids of windows to what the network says of them: rates of tracks, logits of sites.

    Raises:
        UnsupportedError: another kind of model.
        ConfigError: no such head, or `both_strands` with motifs of one strand only.
        FormatError: the checkpoint does not say how it was trained.
    """

    def __init__(
        self, checkpoint: Checkpoint, *, head: str | None = None, batch_size: int = 2, both_strands: bool = True,
        device: str | None = None, over: Over | None = None,
    ) -> None:  # fmt: skip
        self.over, self._most = over, 0
        self.model, self.vocabulary, self.batch_size = checkpoint.model, checkpoint.vocabulary, batch_size
        kind, readout, config = checkpoint.kind, checkpoint.readout, self.model.config
        if kind.readout not in (TrackReadout, SiteReadout):
            raise UnsupportedError(f"along: expected a model of tracks or of sites, got {an(kind.name)}, which gives "
                                   "no values along a genome")
        if head is not None and kind.readout is SiteReadout:
            raise ConfigError(f"along: expected no head for {an(kind.name)}, got {head!r}; leave it out")
        self.head: TrackHead | None = readout.of(head) if isinstance(readout, TrackReadout) else None
        told = self.head or readout
        if not isinstance(told, TrackHead | SiteReadout) or told.window_bp < 1:
            raise FormatError(
                f"checkpoint of {an(kind.name)}: expected window_bp of its training, got none; was it "
                "written by `gattn train` of this version?"
            )
        self.window_bp, self.bin_bp = told.window_bp, int(config.bin_bp if self.head else config.token_bp)
        named = (self.head.head,) if self.head else ()
        forward = Forward(self.model, batch_size, device, lambda *inputs: self.model(*inputs, *named))
        if isinstance(told, TrackHead):
            self.names, self.margin, self.unit = told.tracks, int(config.crop_bp), "counts"
            self.run: Run = over_strands(forward.batch, self.vocabulary, told.mirrored) if both_strands else (
                forward.batch)
        else:
            n, site_bp = int(config.n_labels), told.site_bp
            self.names = ("probability",) if n == 1 else tuple(f"label_{i}" for i in range(n))
            self.margin, self.unit = self.window_bp // 4, "probability"
            self.run = over_strands(forward.batch, self.vocabulary, lambda z: mirrored_sites(z, site_bp)) if (
                both_strands) else forward.batch

    @property
    def inner_bp(self) -> int:
        """Bases of a window that get values."""
        return self.window_bp - 2 * self.margin

    def __call__(self, genome: Windowed, interval: Interval) -> Float[np.ndarray, "p k"]:
        """Values of the bins that begin in the interval, the first one at its start.

        Args:
            genome: bases, and motif ids of the vocabulary that the model was trained with.
            interval: where; its strand is not looked at.

        Raises:
            CoordinateError: an interval where there is no sequence.
            ConfigError: the motif ids of the genome mean something else.
            DivergedError: a value is not finite.
        """
        if self.model.config.reads_motifs and genome.vocabulary != self.vocabulary:
            raise ConfigError(
                "along: expected a genome annotated with the vocabulary of the model, got one with "
                f"{'no motifs' if genome.vocabulary is None else 'another'}; preprocess it again with that vocabulary"
            )
        starts = range(interval.start - self.margin, interval.end - self.margin, self.inner_bp)
        windows = [Interval(interval.chrom, start, start + self.window_bp) for start in starts]
        self._most = max(self._most, len(windows))

        def values(first: int) -> np.ndarray:
            bases, motif_ids = genome.windows(windows[first : first + self.batch_size], self.window_bp)
            n, size = len(bases), self.batch_size if self.over and self._most >= self.batch_size else len(bases)
            return np.concatenate(list(self._values(filled(bases, size), filled(motif_ids, size))[:n]))

        firsts = range(0, len(windows), self.batch_size)
        found = [np.zeros((0, len(self.names)), np.float32)]
        found += self.over(values, firsts) if self.over else map(values, firsts)
        kept: np.ndarray = np.concatenate(found)[: -(-len(interval) // self.bin_bp)]
        return kept

    def columns(self, tracks: Sequence[str] | None) -> list[int]:
        """Columns of the tracks of these names; all where None.

        Raises:
            ConfigError: no such track.
        """
        return columns_of(self.names, tracks)

    def _values(self, bases: np.ndarray, motif_ids: np.ndarray) -> Float[np.ndarray, "b p k"]:
        z = self.run(bases, motif_ids)
        if self.head is not None:
            return self.head.counts(z)
        inner = z[:, self.margin : self.window_bp - self.margin]
        probabilities: np.ndarray = 0.5 * (1 + np.tanh(0.5 * inner))  # the sigmoid, without overflow
        return probabilities


def columns_of(names: Sequence[str], tracks: Sequence[str] | None) -> list[int]:
    """Columns of the tracks, or classes, of these names; all where None.

    Raises:
        ConfigError: no such track.
    """
    if tracks is None:
        return list(range(len(names)))
    if unknown := [name for name in tracks if name not in names]:
        shown = ", ".join(names[:8]) + (" ..." if len(names) > 8 else "")
        raise ConfigError(f"tracks: expected names of tracks of the model, got {unknown[0]!r}; there are "
                          f"{shown}")
    return [names.index(name) for name in tracks]


def intervals_of(where: str | Interval | Path | Iterable[str | Interval] | None) -> list[Interval] | None:
    """Places as users name them; None stays None and means all.

    Args:
        where: "chr16:200,000-300,000" (0-based, half-open), an `Interval`, several of them, or the Path of a BED file.

    Raises:
        CoordinateError: text of another form.
        FormatError: the BED file is malformed.
    """
    if where is None:
        return None
    if isinstance(where, Path):
        return [record.interval for record in read_bed(where)]
    several = [where] if isinstance(where, str | Interval) else where
    return [Interval.parse(place) if isinstance(place, str) else place for place in several]


def open_genome(
    path: Path, vocabulary: MotifVocabulary, wanted: Iterable[Interval] | None = None, *, regions: bool = False,
    flank_bp: int = FLANK_BP,
) -> tuple[Windowed, dict[str, int]]:
    """A folder of `gattn preprocess`, mapped, or a FASTA file in memory: of a large one, only what lies around places.

    The second value is the bases of every contig, as far as the sequences show.

    Args:
        path: the folder or file.
        vocabulary: motif classes to look for in a FASTA file.
        wanted: places that will be asked for; None reads all.
        regions: records of a FASTA file named chrom:start-end lie there, see `open_windows`.
        flank_bp: bases read on both sides of a place of a large file: what the windows of the model and the motifs at
            their ends reach.

    Raises:
        FormatError: neither.
        ConfigError: `regions` of a folder.
        CoordinateError: a place on no contig of a large file.
        MissingExtraError: a large file, and pyfaidx is not installed.
    """
    if regions and path.is_dir():
        raise ConfigError(f"regions: expected a FASTA file, got {path}, whose names are fixed; leave it out")
    if wanted is None or regions or not path.is_file() or path.stat().st_size <= IN_MEMORY_BYTES:
        source = open_windows(path, vocabulary, regions=regions)
        return source, sizes_of(source)
    with Genome(path) as genome:
        stretches = []
        for interval in wanted:
            size = genome.sizes[genome.names.resolve(interval.chrom, f"interval {interval}")]
            around = Interval(interval.chrom, max(interval.start - flank_bp, 0), min(interval.end + flank_bp, size))
            ids = encode(genome.fetch(around))
            stretches.append(Stretch(around, ids, annotate(ids, vocabulary)))
        return Stretches(stretches, vocabulary), genome.sizes


def sizes_of(genome: Windowed) -> dict[str, int]:
    """Bases of every contig, as far as the sequences show."""
    if isinstance(genome, EncodedGenome):
        return genome.sizes
    assert isinstance(genome, Stretches)  # open_windows gives nothing else
    sizes: dict[str, int] = {}
    for interval in genome.intervals:
        sizes[interval.chrom] = max(interval.end, sizes.get(interval.chrom, 0))
    return sizes


def places(
    genome: Windowed, sizes: Mapping[str, int], wanted: Iterable[Interval] | None = None
) -> list[Place]:
    """Where values are wanted, contig by contig, and what to read the sequence from.

    Args:
        genome, sizes: what `open_genome` gave.
        wanted: intervals; None takes every contig, or every record of a FASTA file by itself.
    """
    found: list[Place]
    if wanted is not None:
        found = [(interval, genome) for interval in wanted]
    elif isinstance(genome, Stretches):
        found = list(genome.alone())
    else:
        found = [(Interval(chrom, 0, size), genome) for chrom, size in sizes.items()]
    order = {chrom: i for i, chrom in enumerate(sizes)}
    return sorted(found, key=lambda pair: (order.get(pair[0].chrom, len(order)), pair[0].start))


def check_places(found: Sequence[Interval], sizes: Mapping[str, int], *, is_bigwig: bool = False) -> None:
    """Refuse intervals without values before any are computed, and those that a BigWig file cannot hold.

    Args:
        found: contig by contig, sorted by start.
        sizes: bases of every contig.
        is_bigwig: the values go to BigWig, which holds one value per base and none beyond a contig.

    Raises:
        CoordinateError: an empty or unknown place; for BigWig also one past the end of its contig, or two that overlap.
    """
    before: Interval | None = None
    for place in found:
        where = f"interval {place}"
        if place.chrom not in sizes:
            names = ", ".join(list(sizes)[:5]) + (" ..." if len(sizes) > 5 else "")
            raise CoordinateError(f"{where}: expected a contig of the sequences, got {place.chrom}; there are {names}")
        if len(place) < 1:
            raise CoordinateError(f"{where}: expected at least one base, got none; widen it or leave it out")
        if is_bigwig and place.end > sizes[place.chrom]:
            raise CoordinateError(
                f"{where}: expected for BigWig an end of at most {sizes[place.chrom]}, where {place.chrom} ends, got "
                f"{place.end}; shorten it, or name an .npz file"
            )
        if is_bigwig and before is not None and before.chrom == place.chrom and place.start < before.end:
            raise CoordinateError(
                f"{where}: expected for BigWig intervals that do not overlap, got one that does with {before}; merge "
                "them, or name an .npz file"
            )
        before = place
