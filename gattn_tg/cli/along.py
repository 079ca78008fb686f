"""`gattn predict CKPT GENOME -o OUT`: values along the genome, and with --stride answers to windows all along it."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from gattn_tg.cli import output
from gattn_tg.cli.bar import Bar
from gattn_tg.errors import ConfigError, counted
from gattn_tg.front.answers import TrainedSequences
from gattn_tg.front.classes import TrainedClassifier
from gattn_tg.front.genome import WINDOWS, TrainedAlong
from gattn_tg.front.sites import TrainedSites
from gattn_tg.io.bigwig import SUFFIXES, check_bigwig
from gattn_tg.score.along import check_places, columns_of, intervals_of, open_genome, places
from gattn_tg.score.profiles import (
    ARRAYS,
    BEDGRAPH,
    BIGWIG,
    BINARY,
    TABLES,
    GenomeValues,
    ends_in,
    require_one,
)
from gattn_tg.score.scan import MAX_UNKNOWN, collected, scanned

OF_SCANS = ("width", "max_unknown")  # options that only scans have
# Endings of files that are not written here: a folder of such a name is nothing that anyone asked for.
OTHER = (".csv", ".txt", ".gz", ".bed", ".wig", ".fa", ".fasta", ".json", ".h5", ".hdf5", ".npy")


def run(arguments: argparse.Namespace, model: TrainedAlong, is_first: bool = True) -> int:
    """Writes the values of every bin of the sequences, or of the intervals of --bed, in the format of the name."""
    path = check(arguments)
    began = time.perf_counter()
    options = {"head": arguments.head, "both_strands": bool(arguments.both_strands),
               "batch_size": min(arguments.batch_size, WINDOWS)}  # fmt: skip
    predictor = model.predictor(**options)
    require_one(path, [predictor.names[k] for k in predictor.columns(arguments.tracks)])
    intervals = intervals_of(arguments.bed)
    genome, sizes = open_genome(arguments.input, model.vocabulary, intervals, regions=arguments.regions)
    wanted = places(genome, sizes, intervals)
    check_places([place for place, _ in wanted], sizes, is_bigwig=is_once(path))
    bar = Bar("predicted", quiet=arguments.json or not is_first, total=sum(len(interval) for interval, _ in wanted))
    found = model.values(bar.over((len(place[0]), place) for place in wanted), sizes,
                         tracks=arguments.tracks, **options)  # fmt: skip
    if not is_first:
        return 0
    found.write(path, overwrite=arguments.overwrite)
    report(arguments, found, time.perf_counter() - began)
    return 0


def scan(arguments: argparse.Namespace, model: TrainedSequences, is_first: bool = True) -> int:
    """Writes the answers of a model of sequences to windows all along a genome, bin by bin."""
    path = check(arguments)
    began = time.perf_counter()
    scanner = model.scanner(
        stride=arguments.stride, width=arguments.width, both_strands=arguments.both_strands,
        batch_size=arguments.batch_size,
        max_unknown=MAX_UNKNOWN if arguments.max_unknown is None else arguments.max_unknown,
    )  # fmt: skip
    names = arguments.tracks
    of_two = isinstance(model, TrainedClassifier) and len(scanner.names) == 2
    if names is None and of_two and ends_in(path, (*SUFFIXES, *BEDGRAPH)):
        names = scanner.names[1:]  # of two classes the first says nothing that the second does not
    columns = columns_of(scanner.names, names)
    require_one(path, [scanner.names[k] for k in columns])
    intervals = intervals_of(arguments.bed)
    total = None if intervals is None else sum(map(len, intervals))
    bar = Bar("scanned", quiet=arguments.json or not is_first, total=total)
    with scanned(scanner, arguments.input, intervals, regions=arguments.regions,
                 is_bigwig=is_once(path)) as (parts, sizes, wanted):  # fmt: skip
        told = bar.over((len(part.interval), part) for part in parts)
        if not is_first:
            return sum(0 for _ in told)  # its share of the windows; the first process writes
        found = collected(told, scanner, sizes, columns=columns, wanted=wanted, aside=path.absolute().parent)
    found.write(path, overwrite=arguments.overwrite)
    report(arguments, found, time.perf_counter() - began)
    return 0


def sites(arguments: argparse.Namespace, model: TrainedSites, is_first: bool = True) -> int:
    """Writes the answers of a model of sparse sites: of those that it finds, or of those that --sites lists."""
    path = check(arguments)
    began = time.perf_counter()
    found = model.along(
        arguments.input, arguments.bed, sites=arguments.sites, both_strands=arguments.both_strands,
        batch_size=min(arguments.batch_size, WINDOWS), regions=arguments.regions,
    )  # fmt: skip
    if not is_first:
        return 0
    found.write(path, overwrite=arguments.overwrite)
    seconds = time.perf_counter() - began
    if arguments.json:
        output.say_json({"output": str(path), "sites": len(found), "site_bp": found.site_bp,
                         "tracks": list(found.tracks), "seconds": round(seconds, 2)})
    else:
        what = f"{counted(len(found), 'site')} of {found.site_bp} bp, {found.tracks[0]}"
        output.say(f"{what} -> {path}  ({seconds:.1f} s)")
    return 0


def is_once(path: Path) -> bool:
    """Whether the format has one value per base at most, as BigWig and bedGraph do."""
    return path.suffix.lower() != ARRAYS and not ends_in(path, TABLES)


def report(arguments: argparse.Namespace, found: GenomeValues, seconds: float) -> None:
    """Says what was written, as text or as the object of --json."""
    path = arguments.output
    if arguments.json:
        output.say_json({"output": str(path), "bins": found.n_bins, "bin_bp": found.bin_bp,
                         "tracks": list(found.tracks), "seconds": round(seconds, 2)})
    else:
        output.say(f"{found.n_bins:,} bins of {found.bin_bp} bp, {counted(len(found.tracks), 'track')} -> {path}  "
                   f"({seconds:.1f} s)")


def check(arguments: argparse.Namespace) -> Path:
    """The output, refused before any work is done for it where it is missing or in the way."""
    path: Path | None = arguments.output
    if path is None:
        raise ConfigError(
            "gattn predict: expected a name for the values, got none; add -o FILE.npz, FILE.bw, FILE.tsv, "
            "FILE.bedgraph or FOLDER"
        )
    if ends_in(path, (*BINARY, *TABLES, *BEDGRAPH)):
        output.check("gattn predict", path, overwrite=arguments.overwrite, as_json=False)
        if path.suffix.lower() in BIGWIG:
            check_bigwig(path)
        return path
    output.require_writable("gattn predict", path)
    if path.suffix.lower() in OTHER:
        raise ConfigError(
            f"gattn predict: {path}: expected FILE.npz, FILE.bw, FILE.tsv, FILE.bedgraph or the name of a folder for "
            f"values along a genome, got a name that ends in {path.suffix}; rename it"
        )
    if path.exists() and not (arguments.overwrite and path.is_dir()):
        raise ConfigError(
            f"gattn predict: {path}: expected a new folder, got one that exists; add --overwrite or choose another name"
        )
    check_bigwig(path / "track.bw")
    return path
