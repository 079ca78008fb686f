"""`gattn dataset peaks.narrowPeak genome.fa --valid chr7 --test chr8,chr9 -o data/`."""

from __future__ import annotations

import argparse
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from gattn_tg.cli import output
from gattn_tg.cli.computer.environment import n_launched
from gattn_tg.data.genomes.bundled import bundled
from gattn_tg.data.peak_choices import DRAWN, PeakChoices, read_peak_set
from gattn_tg.data.peak_folder import CONFIG, PAGE, check_folder, summary, write_peak_set
from gattn_tg.errors import ConfigError
from gattn_tg.explain.drawings.dataset import peaks_page

VERB = "gattn dataset"
EXAMPLE = "binding.toml"
SEEN = 20_000  # sequences that a run sees, each as often as need be: as in bench/biology/study_words.py
FEWEST_EPOCHS, MOST_EPOCHS = 3, 40


def run(arguments: argparse.Namespace) -> int:
    """Writes a folder that `gattn train` learns from; of several processes of a launcher the first one does it."""
    if not arguments.mpi and n_launched() == 1:
        return write(arguments)
    from gattn_tg.cli import mpi  # brings tinygrad along, which one process has no need of

    with mpi.world(arguments.mpi) as world:
        return world.from_first(write(arguments) if world.rank == 0 else 0)


def write(arguments: argparse.Namespace) -> int:
    """Makes the examples and their folder."""
    check_folder(arguments.output, overwrite=arguments.overwrite)
    if arguments.negatives not in DRAWN and arguments.ratio is not None:
        raise ConfigError(f"{VERB}: expected --ratio with negatives that are drawn, got it with a file of negatives; "
                          "leave it out: the file says how many there are")
    choices = PeakChoices(
        width=arguments.width, negatives=str(arguments.negatives), ratio=arguments.ratio or 0,
        exclude=str(arguments.exclude or ""), valid_contigs=tuple(arguments.valid), test_contigs=tuple(arguments.test),
        folds=str(arguments.folds or ""), max_unknown=arguments.max_unknown, regions=arguments.regions,
    )  # fmt: skip
    found = read_peak_set(
        arguments.genome, arguments.peaks, choices, seed=arguments.seed or 0, narrow_peak=arguments.narrow_peak,
        rename=arguments.rename,
    )  # fmt: skip
    told = summary(found)
    name = arguments.peaks.name
    texts = {CONFIG: _config(found.parts), PAGE: peaks_page(name, arguments.width, str(arguments.negatives), told)}
    write_peak_set(arguments.output, found, told, texts)
    if arguments.json:
        output.say_json({"output": str(arguments.output), **told})
        return 0
    for line in _lines(told):
        output.say(line)
    output.say(f"look at it: {arguments.output / PAGE}")
    output.say(f"train on it with: gattn train {arguments.output / CONFIG}")
    return 0


def _config(parts: Mapping[str, Any]) -> str:
    """The TOML of the example for such sequences, on these parts, with as many passes as their number asks for."""
    files = "".join(f'{part} = "{part}.csv"\n' for part in ("train", "valid", "test") if part in parts)
    carved = "".join(f"{part}_fraction = 0.1  # of train, at random: no contig is held out for it\n"
                     for part in ("valid", "test") if part not in parts)  # fmt: skip
    example = bundled(EXAMPLE, "configs").read_text(encoding="utf-8")
    n, usual = len(parts["train"]), tomllib.loads(example)["train"]
    epochs = min(max(round(SEEN / n), FEWEST_EPOCHS), MOST_EPOCHS)
    warmup = min(usual["warmup_steps"], epochs * n // usual["batch_size"] // 10)
    rest = re.sub(r"(?m)^epochs = \d+", f"epochs = {epochs}", example[example.index("[model]"):])
    rest = re.sub(r"(?m)^warmup_steps = \d+", f"warmup_steps = {warmup}", rest)
    return f"""# Positives have label 1, negatives 0. A linear model on words of 6 bases and on all vertebrate motifs of
# JASPAR, beside a small network; `gattn init SequenceClassifier` lists every key.
[data]
{files}{carved}matrices = "jaspar"

{rest}"""


def _lines(told: dict[str, Any]) -> list[str]:
    lines = [*told["notes"], f"{'part':<7}{'label':<10}{'sequences':>10}{'GC':>8}"]
    for part, labels in told["parts"].items():
        lines += [f"{part:<7}{label:<10}{row['n']:>10,}{row['gc']:>8.1%}" for label, row in labels.items()]
    lines += [f"{part}: GC alone tells the labels apart with AUC {value:.3f}" for part, value in
              told["auc_of_gc"].items()]  # fmt: skip
    for label, reasons in told["left_out"].items():
        lines += [f"left out: {n:,} {label}s {reason}" for reason, n in reasons.items()]
    lines.append(f"{told['in_several_parts']:,} sequences are in more than one part")
    return lines
