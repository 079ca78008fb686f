"""`gattn dataset peaks.narrowPeak genome.fa --valid chr7 --test chr8,chr9 -o data/`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from gattn_tg.cli import output
from gattn_tg.data.folds import PartOf, parts_by_contig, parts_by_fold, read_folds
from gattn_tg.data.peak_folder import CONFIG, check_folder, write_peak_set
from gattn_tg.data.peaks import PeakReader
from gattn_tg.errors import ConfigError
from gattn_tg.io import Genome, read_bed, read_loci

VERB = "gattn dataset"
GC, SHUFFLE = "gc", "shuffle"


def run(arguments: argparse.Namespace) -> int:
    """Writes a folder that `gattn train` learns from."""
    check_folder(arguments.output, overwrite=arguments.overwrite)
    is_drawn = arguments.negatives in (GC, SHUFFLE)
    if not is_drawn and arguments.ratio is not None:
        raise ConfigError(f"{VERB}: expected --ratio with negatives that are drawn, got it with a file of negatives; "
                          "leave it out: the file says how many there are")
    ratio = arguments.ratio or 1
    with Genome(arguments.genome, rename=arguments.rename) as genome:
        checked: dict[str, Any] = {"sizes": genome.sizes, "rename": arguments.rename}
        excluded = [] if arguments.exclude is None else [r.interval for r in read_bed(arguments.exclude, **checked)]
        reader = PeakReader(
            genome, _part_of(arguments, genome), exclude=excluded, max_unknown=arguments.max_unknown,
            seed=arguments.seed or 0,
        )  # fmt: skip
        checked["width"] = arguments.width
        reader.positives(list(read_loci(arguments.peaks, peaks=arguments.narrow_peak, **checked)))
        if arguments.negatives == GC:
            reader.gc_matched(ratio)
        elif arguments.negatives == SHUFFLE:
            reader.shuffled(ratio)
        else:
            reader.given(locus.window for locus in read_loci(arguments.negatives, **checked))
    told = write_peak_set(arguments.output, reader.found, _config(reader.found.parts))
    if arguments.json:
        output.say_json({"output": str(arguments.output), **told})
        return 0
    for line in _lines(told):
        output.say(line)
    output.say(f"train on it with: gattn train {arguments.output / CONFIG}")
    return 0


def _part_of(arguments: argparse.Namespace, genome: Genome) -> PartOf:
    parts = {name: members for name in ("valid", "test") if (members := getattr(arguments, name))}
    if arguments.folds is not None:
        folds = [(genome.renamed(place), fold) for place, fold in read_folds(arguments.folds)]
        return parts_by_fold(folds, parts, "train")
    named = {part: [genome.names.resolve(name, f"--{part}") for name in names] for part, names in parts.items()}
    return parts_by_contig(list(genome.sizes), named, "train")


def _config(parts: Mapping[str, Any]) -> str:
    """The TOML of a small classifier on these parts."""
    files = "".join(f'{part} = "{part}.csv"\n' for part in ("train", "valid", "test") if part in parts)
    carved = "" if "valid" in parts else "valid_fraction = 0.1  # of train, at random: no contig is held out for it\n"
    return f"""# Positives have label {1}, negatives {0}. `gattn init SequenceClassifier` lists every key.
[model]
kind = "SequenceClassifier"
preset = "tiny"

[data]
{files}{carved}
[train]
epochs = 10
monitor = "auc"
reverse_complement = true
"""


def _lines(told: dict[str, Any]) -> list[str]:
    lines = [f"{'part':<7}{'label':<10}{'sequences':>10}{'GC':>8}"]
    for part, labels in told["parts"].items():
        lines += [f"{part:<7}{label:<10}{row['n']:>10,}{row['gc']:>8.1%}" for label, row in labels.items()]
    for label, reasons in told["left_out"].items():
        lines += [f"left out: {n:,} {label}s {reason}" for reason, n in reasons.items()]
    lines.append(f"{told['in_several_parts']:,} sequences are in more than one part")
    return lines
