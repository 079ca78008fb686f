"""`gattn variants CKPT GENOME VARIANTS -o effects.tsv`"""

from __future__ import annotations

import argparse
import time
from typing import Any

from gattn_tg.cli import device, mpi, output
from gattn_tg.cli.bar import Bar
from gattn_tg.errors import ConfigError, counted
from gattn_tg.escaping import CLEAR, tell
from gattn_tg.front.load import load
from gattn_tg.score.variants.asked import Variants
from gattn_tg.score.variants.files import is_unfinished
from gattn_tg.score.variants.table import VariantEffects

VERB = "gattn variants"


def run(arguments: argparse.Namespace) -> int:
    """Writes what every variant does; without -o as a table on standard output."""
    began = time.perf_counter()
    with mpi.world(arguments.mpi) as world, device.on(arguments.device, mpi.n_threads(world, arguments.threads)):
        is_first = world.rank == 0
        replaces = arguments.overwrite or (arguments.resume and is_unfinished(arguments.output))
        asked: Any = world.from_first(check(arguments, replaces) if is_first else None)
        model = load(arguments.checkpoint, mpi.own_device(world), arguments.precision)
        model.asked.over = mpi.over(world)
        found = model.variants(
            arguments.genome, asked, window=arguments.window, both_strands=arguments.both_strands,
            shifts=arguments.shifts, background=arguments.background, rename=arguments.rename,
            skip_mismatched=arguments.skip_mismatched, head=arguments.head, tracks=arguments.tracks,
            batch_size=arguments.batch_size, overwrite=replaces,
        )  # fmt: skip
        if not is_first:
            found.share(is_file=arguments.output is not None)
            return 0
        if arguments.output is None:
            for line in found.lines():
                output.say(line.removesuffix("\n"))
            return 0
        n = written(arguments, found)
    report(arguments, found, n, time.perf_counter() - began)
    return 0


def written(arguments: argparse.Namespace, found: VariantEffects) -> int:
    """Writes the file and returns its rows; tells how to go on where it is stopped."""
    bar = Bar("asked for", quiet=arguments.json, total=found.n, items="variants")
    try:
        return found.write(arguments.output, overwrite=arguments.overwrite, resume=arguments.resume, progress=bar.add)
    except KeyboardInterrupt:
        tell(f"{VERB}: {bar.n:,} of {found.n:,} variants done; --resume goes on behind them", instead=CLEAR * bar.shown)
        raise
    finally:
        bar.clear()


def check(arguments: argparse.Namespace, replaces: bool) -> Variants:
    """What is asked; refuses what cannot be, before any work is done for it."""
    output.check(VERB, arguments.output, overwrite=arguments.overwrite, as_json=arguments.json)
    if arguments.skip_mismatched is not None:
        output.check(VERB, arguments.skip_mismatched, overwrite=replaces, as_json=False)
    if output.is_packed_vcf(arguments.output):
        index = arguments.output.with_name(arguments.output.name + output.TBI)
        output.check(VERB, index, overwrite=arguments.overwrite, as_json=False)
    if arguments.resume and arguments.output is None:
        raise ConfigError(f"{VERB}: --resume: expected the file to go on with, got none; add -o FILE")
    if (arguments.variants is None) == (not arguments.variant):
        came = "none" if arguments.variants is None else "both"
        raise ConfigError(f"{VERB}: expected variants as a file or by --variant, got {came}; give one of the two")
    asked: Variants = arguments.variant if arguments.variants is None else arguments.variants
    return asked


def report(arguments: argparse.Namespace, found: VariantEffects, n: int, seconds: float) -> None:
    """Says what was written, as text or as the object of --json."""
    skipped = dict(found.asked.skipped)
    if arguments.json:
        output.say_json({"output": str(arguments.output), "n": n, "mismatched": found.n_mismatched,
                         "skipped": skipped, "seconds": round(seconds, 2)})
        return
    output.say(f"{counted(n, 'variant')} -> {arguments.output}  ({seconds:.1f} s)")
    for what, count in skipped.items():
        output.say(f"  left out, {what}: {count:,}")
    if found.n_mismatched:
        output.say(f"  left out, another REF than the genome: {found.n_mismatched:,} -> {arguments.skip_mismatched}")
