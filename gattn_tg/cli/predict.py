"""`gattn predict CKPT INPUT -o OUT`: what a model says of sequences, in the way of its kind."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

from gattn_tg.cli import along, device, mpi, output
from gattn_tg.errors import ConfigError, an, counted
from gattn_tg.front.answers import TrainedNumbers, TrainedSequences
from gattn_tg.front.classes import TrainedClassifier
from gattn_tg.front.genome import TrainedAlong
from gattn_tg.front.load import load
from gattn_tg.front.sites import TrainedSites
from gattn_tg.front.trained import Trained
from gattn_tg.io import Record, write_tsv
from gattn_tg.io.tables import tsv_line
from gattn_tg.score.predict import fields, header
from gattn_tg.score.profiles import BINARY
from gattn_tg.score.scan import at_loci
from gattn_tg.score.table import written

ALONG = ("head", "bed", "tracks", "regions")  # options that only values along sequences have
Rows = Iterator[Sequence[object]]


def run(arguments: argparse.Namespace) -> int:
    """Writes values along sequences, or one line per sequence."""
    with mpi.world(arguments.mpi) as world, device.on(arguments.device, mpi.n_threads(world, arguments.threads)):
        model = load(arguments.checkpoint, mpi.own_device(world), arguments.precision)
        model.asked.over, is_first = mpi.over(world), world.rank == 0
        if isinstance(model, TrainedSites):
            _refuse(arguments, model, ("stride", "head", "tracks", *along.OF_SCANS))
            return along.sites(arguments, model, is_first)
        _refuse(arguments, model, ("sites",))
        if isinstance(model, TrainedAlong):
            _refuse(arguments, model, ("stride", *along.OF_SCANS))
            return along.run(arguments, model, is_first)
        if isinstance(model, TrainedSequences) and arguments.stride is not None:
            _refuse(arguments, model, ("head",))
            return along.scan(arguments, model, is_first)
        if isinstance(model, TrainedSequences):
            for name in ("tracks", "max_unknown", *(() if arguments.bed else ("regions", "width"))):
                if _is_given(arguments, name):
                    raise ConfigError(f"gattn predict: --{name.replace('_', '-')}: expected --stride with it for a "
                                      f"{model.kind}, got none; add --stride BASES, or leave it out")
        _refuse(arguments, model, ("head",) if isinstance(model, TrainedSequences) else (
            *ALONG, "stride", *along.OF_SCANS, "both_strands"))
        if arguments.output is not None and arguments.output.suffix.lower() in BINARY:
            raise ConfigError(
                f"gattn predict: {arguments.output}: expected a name for a table, as NAME.tsv, for {an(model.kind)}, "
                f"but {arguments.output.suffix} is a format of tracks; rename it"
            )
        return lines(arguments, model, is_first)


def _refuse(arguments: argparse.Namespace, model: Trained, names: Sequence[str]) -> None:
    """Refuses options that a kind of model has no use for."""
    for name in names:
        if _is_given(arguments, name):
            raise ConfigError(f"gattn predict: --{name.replace('_', '-')}: expected a model that can, got a "
                              f"{model.kind}; leave it out")


def _is_given(arguments: argparse.Namespace, name: str) -> bool:
    value = getattr(arguments, name)
    return value is not None and value is not False  # 0 is a value like others


def lines(arguments: argparse.Namespace, model: Trained, is_first: bool = True) -> int:
    """Writes a table; the file appears only when all is done."""
    output.check("gattn predict", arguments.output, overwrite=arguments.overwrite, as_json=arguments.json)
    start = time.perf_counter()
    counts: Counter[str] = Counter()
    head, rows = answers(arguments, model, counts)
    if not is_first:
        return sum(0 for _ in rows)  # its share of the batches; the first process writes
    if arguments.output is None:
        first = list(islice(rows, 1))  # before the header: a file that cannot be read prints nothing
        for row in chain([head], first, rows):
            output.say(tsv_line(row))
        return 0
    n = write_tsv(arguments.output, head, rows, overwrite=arguments.overwrite)
    seconds = round(time.perf_counter() - start, 2)
    if arguments.json:
        output.say_json({"output": str(arguments.output), "n": n, "predicted": dict(counts), "seconds": seconds})
    else:
        shares = ", ".join(f"{label} {counts[label]:,}" for label in model.checkpoint.labels)
        told = f"{counted(n, 'sequence')} ({shares})" if shares else counted(n, 'row')
        output.say(f"{told} -> {arguments.output}  ({seconds:.1f} s)")
    return 0


def answers(arguments: argparse.Namespace, model: Trained, counts: Counter[str]) -> tuple[list[str], Rows]:
    """Column names and rows; those of sequences come one by one, however long the file is; classes are counted."""
    asked: Path | Iterator[Record] = arguments.input
    if arguments.bed is not None and isinstance(model, TrainedSequences):
        longest = int(model.checkpoint.config.max_length)
        width = longest if arguments.width is None else arguments.width
        asked = at_loci(arguments.input, arguments.bed, width, model.vocabulary, regions=arguments.regions)
    if isinstance(model, TrainedNumbers):
        told = model.answers(asked, both_strands=arguments.both_strands, batch_size=arguments.batch_size)
        return model.table.header_of(model.labels), (written([name, n, *numbers]) for name, n, numbers in told)
    if not isinstance(model, TrainedClassifier):
        found = model.predict(arguments.input)
        return found.header, iter(found.written())
    predictions = model.predictions(asked, both_strands=arguments.both_strands, batch_size=arguments.batch_size)

    def rows() -> Rows:
        for prediction in predictions:
            counts[prediction.label] += 1
            yield fields(prediction)

    return header(model.labels), rows()
