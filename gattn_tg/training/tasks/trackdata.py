"""The windows, targets and tracks that a configuration names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from gattn_tg.data.genomes.stretches import open_windows
from gattn_tg.data.order import shuffled
from gattn_tg.data.pieces import TrackPieces
from gattn_tg.data.tracks import ArrayTargets, BigWigTargets
from gattn_tg.errors import ConfigError, FormatError
from gattn_tg.io.bed import read_bed
from gattn_tg.io.bigwig import BigWig
from gattn_tg.io.fields import rows, whole
from gattn_tg.seq.interval import Interval
from gattn_tg.strict import require
from gattn_tg.training.config import TrainConfig

Loss = Literal["poisson_multinomial", "poisson"]


@dataclass(frozen=True)
class TrackSettings:
    """The [data] table of a `TrackModel`.

    Args:
        genome: FASTA file, or a folder that `gattn preprocess` wrote.
        windows: BED file; the fourth column says to which part a window belongs.
        targets: One npz file with (windows, bins, tracks) in the order of the BED file, or BigWig files, one per track.
        tracks: TSV with a header and the columns identifier, description (`ASSAY:...`) and, for stranded assays,
            strand_pair (the row of the same experiment on the other strand); "" names tracks by number.
        target_name: Array of the npz file.
        head: Head of the model that is trained.
        window_bp: Bases of the pieces that windows are cut into; 0 leaves them whole.
        train: Part that is trained on.
        valid: Part that the best weights are chosen by; "" takes `valid_fraction` of the windows of `train`.
        test: Part that is looked at once at the end; "" for none.
        valid_fraction: Share of the training windows held out where `valid` is "".
        split_seed: Seed of that choice.
        max_jitter: Bases by which the sequence moves at most against its bins in training.
        scale_tracks: Divide the targets of a track by their mean over the training windows, so that all tracks count
            alike; predictions are multiplied by it again.
        soft_clip: Scaled targets above this grow like a square root only, so that a few high bins do not decide the
            gradient; predictions are turned back. 0 leaves them as they are.
        loss: "poisson_multinomial", which tells the height of a piece from its shape, or "poisson".
        total_weight: Weight of the total in the former.
        segments: Stretches of a piece with a total of their own, in the former.
        both_strands: Validate with the mean of the predictions for both strands.
        vocabulary: "default", or the path of a motif vocabulary in TOML; a folder as genome brings its own.
        regions: Records of the FASTA file that are named `chrom:start-end` lie there in the genome; without it a name
            is that of a contig, whatever it looks like.
    """

    genome: str
    windows: str
    targets: tuple[str, ...]
    tracks: str = ""
    target_name: str = "targets"
    head: str = "human"
    window_bp: int = 0
    train: str = "train"
    valid: str = "valid"
    test: str = ""
    valid_fraction: float = 0.15
    split_seed: int = 0
    max_jitter: int = 0
    scale_tracks: bool = True
    soft_clip: float = 10.0
    loss: Loss = "poisson_multinomial"
    total_weight: float = 0.2
    segments: int = 1
    both_strands: bool = True
    vocabulary: str = "default"
    regions: bool = False

    def __post_init__(self) -> None:
        require(len(self.targets) > 0, "targets", "at least one file", self.targets)
        require(self.window_bp >= 0, "window_bp", "a number of bases, or 0", self.window_bp)
        require(0 < self.valid_fraction < 1, "valid_fraction", "a share between 0 and 1", self.valid_fraction)
        require(self.max_jitter >= 0, "max_jitter", "a number of bases, or 0", self.max_jitter)
        require(self.soft_clip >= 0, "soft_clip", "0 or more", self.soft_clip)
        require(self.total_weight > 0, "total_weight", "more than 0", self.total_weight)
        require(self.segments >= 1, "segments", "at least 1", self.segments)


@dataclass(frozen=True)
class TrackTable:
    """What the tracks are: name, assay, and the row of the other strand."""

    names: tuple[str, ...]
    assays: tuple[str, ...]
    pairs: tuple[int, ...] | None


@dataclass(frozen=True)
class TrackData:
    """The parts of the data; `test` is None when the run has none; `notes` says what was read and chosen."""

    train: TrackPieces
    valid: TrackPieces
    test: TrackPieces | None
    table: TrackTable
    notes: tuple[str, ...] = ()


def load(config: TrainConfig, settings: TrackSettings, bin_bp: int, crop_bp: int, rc: bool) -> TrackData:
    """Reads what a configuration names; training pieces are augmented, the others are not.

    Raises:
        ConfigError: A part without windows, or files that do not fit.
        FormatError: A file is malformed, or targets are no counts, see `require_counts`.
    """
    genome = open_windows(
        config.resolve(settings.genome), config.vocabulary(settings.vocabulary), regions=settings.regions
    )
    records = list(read_bed(config.file("windows", settings.windows)))
    intervals, parts = [r.interval for r in records], np.array([r.name for r in records])
    files = [config.file("targets", name) for name in settings.targets]
    if not intervals:
        raise ConfigError(f"{config.path}: [data] windows: expected at least one window, but {settings.windows} "
                          "has none; was it written fully?")
    targets: ArrayTargets | BigWigTargets
    if files[0].suffix == ".npz":
        array = ArrayTargets.from_npz(files[0], settings.target_name)
        targets, (n_targets, n_tracks) = array, array.values.shape[1:]
    else:
        width = len(intervals[0])
        n_targets, n_tracks = (width - 2 * crop_bp) // bin_bp, len(files)
        targets = BigWigTargets([BigWig(file) for file in files], bin_bp, crop_bp)
    table = _table(config, settings, int(n_tracks))
    window_bp = settings.window_bp or int(n_targets) * bin_bp + 2 * crop_bp

    def part(rows: np.ndarray, augment: bool) -> TrackPieces:
        here = ArrayTargets(targets.values[rows]) if isinstance(targets, ArrayTargets) else targets
        return TrackPieces(
            genome, [intervals[row] for row in rows], here, int(n_targets), bin_bp, window_bp, crop_bp,
            max_jitter=settings.max_jitter if augment else 0, rc=rc and augment, track_pairs=table.pairs,
        )  # fmt: skip

    def named(key: str, name: str) -> np.ndarray:
        found = np.flatnonzero(parts == name)
        if not found.size:
            raise ConfigError(
                f"{config.path}: [data] {key}: expected a part in the fourth column of {settings.windows}, got "
                f"{name!r}; parts there are {', '.join(sorted(set(parts.tolist())))}"
            )
        return found

    train = named("train", settings.train)
    if settings.valid:
        valid = named("valid", settings.valid)
    else:
        order = shuffled(len(train), settings.split_seed)
        held = max(1, round(settings.valid_fraction * len(train)))
        if held >= len(train):
            raise ConfigError(f"{config.path}: [data] valid_fraction: expected windows left to train on, but all "
                              f"{len(train)} would be held out; lower it, or name a part as valid")
        train, valid = train[np.sort(order[held:])], train[np.sort(order[:held])]
    chosen = {"train": train, "valid": valid, **({"test": named("test", settings.test)} if settings.test else {})}
    for rows_of_part in chosen.values():
        require_counts(targets, intervals, rows_of_part, files)
    notes = tuple(
        f"{name}: {len(found):,} windows of {len(intervals[0]):,} bases, {_origin(settings, name)}"
        for name, found in chosen.items()
    )
    test = part(chosen["test"], False) if settings.test else None
    return TrackData(part(train, True), part(valid, False), test, table, notes)


def require_counts(
    targets: ArrayTargets | BigWigTargets, intervals: Sequence[Interval], windows: np.ndarray, files: Sequence[Path]
) -> None:
    """Refuses targets that no model of counts can learn: infinite ones, negative ones, in arrays also NaN.

    A base without a value in a BigWig file counts as 0, and so does one with the value NaN.

    Args:
        targets: those of all windows.
        intervals: the windows.
        windows: row numbers of those that are looked at.
        files: where the targets come from; one per track for BigWig.

    Raises:
        FormatError: the first such target, by file, window and bin.
    """
    is_array = isinstance(targets, ArrayTargets)
    for row in windows.tolist():
        values = targets.values[row] if isinstance(targets, ArrayTargets) else targets.at([intervals[row]])[0]
        wrong = ~(np.isfinite(values) & (values >= 0))
        if wrong.any():
            at, track = np.argwhere(wrong)[0].tolist()
            raise FormatError(
                f"{files[0] if is_array else files[track]}: expected counts from 0 up as targets, but bin {at} of "
                f"the window {intervals[row]} has {values[at, track]:g}{f' in track {track}' if is_array else ''}; "
                "leave such windows out, or set these values to 0"
            )


def _origin(settings: TrackSettings, name: str) -> str:
    if name == "valid" and not settings.valid:
        return f"{settings.valid_fraction:.0%} of {settings.train!r} (valid_fraction, split_seed {settings.split_seed})"
    return f"{getattr(settings, name)!r} in {settings.windows}"


def _table(config: TrainConfig, settings: TrackSettings, n_tracks: int) -> TrackTable:
    if not settings.tracks:
        names = tuple(f"track{i}" for i in range(n_tracks))
        return TrackTable(names, ("all",) * n_tracks, None)
    path = config.file("tracks", settings.tracks)
    lines = list(rows(path))
    header, body = lines[0][1], lines[1:]
    missing = [name for name in ("identifier", "description") if name not in header]
    if missing or len(body) != n_tracks:
        raise ConfigError(
            f"{path}: expected a header with identifier and description and {n_tracks} rows, one per track, got "
            f"{len(body)} rows and the columns {', '.join(header)}; is it the table of these targets?"
        )
    column = {name: [fields[header.index(name)] for _, fields in body] for name in header}
    pairs = None
    if "strand_pair" in column:
        where = (f"{path}, line {line}" for line, _ in body)
        pairs = tuple(whole(at, "strand_pair", text) for at, text in zip(where, column["strand_pair"], strict=True))
    assays = tuple(text.split(":")[0] for text in column["description"])
    return TrackTable(tuple(column["identifier"]), assays, pairs)
