"""`gattn predict CKPT GENOME -o OUT` for models that say something along the genome."""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from gattn_tg.cli import output
from gattn_tg.cli.bar import Bar
from gattn_tg.data.genomes.encoded import EncodedGenome
from gattn_tg.data.genomes.stretches import Stretches, Windowed, open_windows
from gattn_tg.errors import ConfigError, CoordinateError
from gattn_tg.io import read_bed, replacing_path, write_bigwig
from gattn_tg.io.bigwig import check_bigwig
from gattn_tg.io.whole import put_file
from gattn_tg.models.checkpoint import Checkpoint
from gattn_tg.score.along import Along
from gattn_tg.seq import Interval

ARRAYS, BIGWIG = ".npz", (".bw", ".bigwig")
BINARY = (ARRAYS, *BIGWIG)
# Endings of files that are not written here: a folder of such a name is nothing that anyone asked for.
OTHER = (".tsv", ".csv", ".txt", ".gz", ".bed", ".bedgraph", ".wig", ".fa", ".fasta", ".json", ".h5", ".hdf5", ".npy")
LONGEST_NAME = 100  # of a track, as a file name
Found = list[tuple[Interval, np.ndarray]]


def run(arguments: argparse.Namespace, checkpoint: Checkpoint) -> int:
    """Writes the values of every bin of the sequences, or of the intervals of --bed: arrays, or a BigWig per track."""
    path = check(arguments)
    began = time.perf_counter()
    along = Along(
        checkpoint, head=arguments.head, batch_size=min(arguments.batch_size, 4), both_strands=arguments.both_strands
    )
    columns = chosen(along.names, arguments.tracks)
    names = [along.names[k] for k in columns]
    if path.suffix.lower() in BIGWIG and len(names) != 1:
        raise ConfigError(
            f"gattn predict: {path}: one track is required for one BigWig file, but there are {len(names)}; choose one "
            "with --tracks, or name a folder or an .npz file"
        )
    genome = open_windows(arguments.input, checkpoint.vocabulary, regions=arguments.regions)
    if arguments.regions and isinstance(genome, EncodedGenome):
        raise ConfigError(
            f"gattn predict: --regions: expected a FASTA file, got {arguments.input}, whose names are fixed; "
            "leave it out"
        )
    sizes = sizes_of(genome)
    wanted = places(genome, arguments.bed)
    check_places([place for place, _ in wanted], sizes, is_bigwig=path.suffix.lower() != ARRAYS)
    bar = Bar("predicted", quiet=arguments.json, total=sum(len(interval) for interval, _ in wanted))
    found: Found = list(
        bar.over((len(place), (place, along(source, place)[:, columns])) for place, source in wanted)
    )
    write(path, found, names, along.bin_bp, sizes, overwrite=arguments.overwrite)
    n_bins, seconds = sum(len(values) for _, values in found), time.perf_counter() - began
    if arguments.json:
        output.say_json({"output": str(path), "bins": n_bins, "bin_bp": along.bin_bp, "tracks": names,
                         "seconds": round(seconds, 2)})
    else:
        output.say(f"{n_bins:,} bins of {along.bin_bp} bp, {len(names)} tracks -> {path}  ({seconds:.1f} s)")
    return 0


def check(arguments: argparse.Namespace) -> Path:
    """The output, refused before any work is done for it where it is missing or in the way."""
    path: Path | None = arguments.output
    if path is None:
        raise ConfigError(
            "gattn predict: a name for the values is required, but none came; add -o FILE.npz, FILE.bw or FOLDER"
        )
    if path.suffix.lower() in BINARY:
        output.check("gattn predict", path, overwrite=arguments.overwrite, as_json=False)
        if path.suffix.lower() in BIGWIG:
            check_bigwig(path)
        return path
    output.require_writable("gattn predict", path)
    if path.suffix.lower() in OTHER:
        raise ConfigError(
            f"gattn predict: {path}: FILE.npz, FILE.bw or the name of a folder is required for tracks and sites, but "
            f"came a name that ends in {path.suffix}; rename it"
        )
    if path.exists() and not (arguments.overwrite and path.is_dir()):
        raise ConfigError(
            f"gattn predict: {path}: a new folder is required, but it exists; add --overwrite or choose another name"
        )
    check_bigwig(path / "track.bw")
    return path


def chosen(names: Sequence[str], wanted: Sequence[str] | None) -> list[int]:
    """Columns of the tracks that are asked for; all without."""
    if wanted is None:
        return list(range(len(names)))
    if unknown := [name for name in wanted if name not in names]:
        shown = ", ".join(names[:8]) + (" ..." if len(names) > 8 else "")
        raise ConfigError(
            f"gattn predict: --tracks: names of tracks of the model are required, but came {unknown[0]!r}; "
            f"there are {shown}"
        )
    return [names.index(name) for name in wanted]


def check_places(found: Sequence[Interval], sizes: dict[str, int], *, is_bigwig: bool) -> None:
    """Refuses intervals without values before any are computed, and those that a BigWig file cannot hold.

    Args:
        found: contig by contig, sorted by start.
        sizes: bases of every contig.
        is_bigwig: the values go to BigWig, which holds one value per base and none beyond a contig.

    Raises:
        CoordinateError: an empty or unknown place; for BigWig also one past the end of its contig, or two that overlap.
    """
    before: Interval | None = None
    for place in found:
        where = f"gattn predict: interval {place}"
        if place.chrom not in sizes:
            names = ", ".join(list(sizes)[:5]) + (" ..." if len(sizes) > 5 else "")
            raise CoordinateError(f"{where}: a contig of the sequences is required; there are {names}")
        if len(place) < 1:
            raise CoordinateError(f"{where}: at least one base is required, but it has none; widen it or leave it out")
        if is_bigwig and place.end > sizes[place.chrom]:
            raise CoordinateError(
                f"{where}: an end of at most {sizes[place.chrom]} is required for BigWig, where {place.chrom} ends; "
                "shorten it, or name an .npz file"
            )
        if is_bigwig and before is not None and before.chrom == place.chrom and place.start < before.end:
            raise CoordinateError(
                f"{where}: intervals that do not overlap are required for BigWig, but it does with {before}; merge "
                "them, or name an .npz file"
            )
        before = place


def sizes_of(genome: Windowed) -> dict[str, int]:
    """Bases of every contig, as far as the sequences show."""
    if isinstance(genome, EncodedGenome):
        return genome.sizes
    assert isinstance(genome, Stretches)  # open_windows gives nothing else
    sizes: dict[str, int] = {}
    for interval in genome.intervals:
        sizes[interval.chrom] = max(interval.end, sizes.get(interval.chrom, 0))
    return sizes


def places(genome: Windowed, bed: Path | None) -> list[tuple[Interval, Windowed]]:
    """Where values are wanted, contig by contig, and what to read the sequence from."""
    sizes = sizes_of(genome)
    found: list[tuple[Interval, Windowed]]
    if bed is not None:
        found = [(record.interval, genome) for record in read_bed(bed)]
    elif isinstance(genome, Stretches):
        found = list(genome.alone())
    else:
        found = [(Interval(chrom, 0, size), genome) for chrom, size in sizes.items()]
    order = {chrom: i for i, chrom in enumerate(sizes)}
    return sorted(found, key=lambda pair: (order.get(pair[0].chrom, len(order)), pair[0].start))


def write(
    path: Path, found: Found, names: Sequence[str], bin_bp: int, sizes: dict[str, int], *, overwrite: bool
) -> None:
    """Arrays in one file, one BigWig file, or a folder of them."""
    if path.suffix.lower() == ARRAYS:
        ends = np.cumsum([0, *(len(values) for _, values in found)])
        with replacing_path(path, overwrite=overwrite) as part, part.open("wb") as file:
            np.savez_compressed(
                file, values=np.concatenate([values for _, values in found]), ends=ends, bin_bp=bin_bp,
                intervals=np.array([str(interval) for interval, _ in found]), tracks=np.array(names),
            )  # fmt: skip
        return
    if path.suffix.lower() in BIGWIG:
        write_bigwig(path, sizes, bars(found, 0, bin_bp), overwrite=overwrite)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as aside:  # all files or none
        for k, label in enumerate(labels(names)):
            write_bigwig(Path(aside) / f"{label}.bw", sizes, bars(found, k, bin_bp))
        path.mkdir(exist_ok=overwrite)
        for done in sorted(Path(aside).iterdir()):
            put_file(done, path / done.name)


def labels(names: Sequence[str]) -> list[str]:
    """A file name for every track, different ones also where upper and lower case are one."""
    clean = [re.sub(r"[^A-Za-z0-9_.+-]+", "_", name)[:LONGEST_NAME].lstrip(".") or "track" for name in names]
    count = Counter(name.casefold() for name in clean)
    return [name if count[name.casefold()] == 1 else f"{name}_{k}" for k, name in enumerate(clean)]


def bars(found: Found, column: int, bin_bp: int) -> Iterator[tuple[str, int, int, float]]:
    """Bins of one track as BigWig has them."""
    for interval, values in found:
        starts = interval.start + bin_bp * np.arange(len(values))
        for start, value in zip(starts.tolist(), values[:, column].tolist(), strict=True):
            yield interval.chrom, start, min(start + bin_bp, interval.end), value
