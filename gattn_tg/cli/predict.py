"""`gattn predict CKPT INPUT -o OUT`: classes of sequences, or values along them."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice

from gattn_tg.cli import along, device, output
from gattn_tg.errors import ConfigError, FormatError
from gattn_tg.io import write_tsv
from gattn_tg.io.tables import tsv_line
from gattn_tg.models import checkpoint
from gattn_tg.score.predict import Prediction, fields, header, predict
from gattn_tg.score.sequences import read

ALONG = ("TrackModel", "PerBaseModel")


def run(arguments: argparse.Namespace) -> int:
    """Writes what a model says of sequences, in the way of its kind."""
    with device.on(arguments.device, arguments.threads):
        model = checkpoint.load(arguments.checkpoint)
        kind = type(model.model).__name__
        if kind in ALONG:
            return along.run(arguments, model)
        if kind != checkpoint.CLASSIFIER:
            raise FormatError(
                f"{arguments.checkpoint}: a checkpoint of a {checkpoint.CLASSIFIER}, {' or '.join(ALONG)} is required, "
                f"but this one is of a {kind}; give another, or see `gattn generate` and `gattn finetune`"
            )
        for name in ("bed", "head", "tracks", "regions"):
            if getattr(arguments, name) not in (None, False):
                raise ConfigError(
                    f"gattn predict: --{name}: a checkpoint of a {' or '.join(ALONG)} is required, but this one is of "
                    f"a {kind}; leave it out"
                )
        return classes(arguments, model)


def classes(arguments: argparse.Namespace, model: checkpoint.Checkpoint) -> int:
    """Writes one line per sequence; the file appears only when all are done."""
    if arguments.output is not None and arguments.output.suffix.lower() in along.BINARY:
        raise ConfigError(
            f"gattn predict: {arguments.output}: a name for a table, as NAME.tsv, is required for a "
            f"{checkpoint.CLASSIFIER}, but {arguments.output.suffix} is a format of tracks; rename it"
        )
    output.check("gattn predict", arguments.output, overwrite=arguments.overwrite, as_json=arguments.json)
    start = time.perf_counter()
    counts: Counter[str] = Counter()

    def rows(found: Iterator[Prediction]) -> Iterator[list[object]]:
        for prediction in found:
            counts[prediction.label] += 1
            yield fields(prediction)

    records = read(arguments.input, most_bp=model.config.max_length)
    found = predict(
        model, records, batch_size=arguments.batch_size, where=str(arguments.input),
        both_strands=arguments.both_strands,
    )  # fmt: skip
    if arguments.output is None:
        lines = rows(found)
        first = list(islice(lines, 1))  # before the header: a file that cannot be read prints nothing
        head: list[object] = [*header(model.labels)]
        for row in chain([head], first, lines):
            output.say(tsv_line(row))
        return 0
    n = write_tsv(arguments.output, header(model.labels), rows(found), overwrite=arguments.overwrite)
    seconds = time.perf_counter() - start
    if arguments.json:
        output.say_json(
            {"output": str(arguments.output), "n": n, "predicted": dict(counts), "seconds": round(seconds, 2)}
        )
    else:
        shares = ", ".join(f"{label} {counts[label]:,}" for label in model.labels)
        output.say(f"{n:,} sequences ({shares}) -> {arguments.output}  ({seconds:.1f} s)")
    return 0
