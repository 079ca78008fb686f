"""`gattn predict CKPT GENOME --stride 50 -o scores.bw`: classes of windows all along a genome."""

from __future__ import annotations

import argparse
import time

from gattn_tg.cli import along
from gattn_tg.cli.bar import Bar
from gattn_tg.front.answers import TrainedSequences
from gattn_tg.front.classes import TrainedClassifier
from gattn_tg.io.bigwig import SUFFIXES
from gattn_tg.score.along import columns_of, intervals_of
from gattn_tg.score.scan import MAX_UNKNOWN, collected, scanned
from gattn_tg.score.values import BEDGRAPH, ends_in, require_one

ONLY = ("width", "max_unknown")  # options that only scans have


def run(arguments: argparse.Namespace, model: TrainedSequences, is_first: bool = True) -> int:
    """Writes the answers, bin by bin: arrays, a table, bedGraph, or BigWig."""
    path = along.check(arguments)
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
                 is_bigwig=along.is_once(path)) as (parts, sizes, wanted):  # fmt: skip
        told = bar.over((len(part.interval), part) for part in parts)
        if not is_first:
            return sum(0 for _ in told)  # its share of the windows; the first process writes
        found = collected(told, scanner, sizes, columns=columns, wanted=wanted, aside=path.absolute().parent)
    found.write(path, overwrite=arguments.overwrite)
    along.report(arguments, found, time.perf_counter() - began)
    return 0
