"""`gattn demo`: the whole way from bundled DNA to a trained, tested and explained model."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, replace
from pathlib import Path

from tinygrad import Device

from gattn_tg.cli import device
from gattn_tg.cli.demo.explained import Explained, explained
from gattn_tg.cli.demo.learn import MODEL, TRAINING, Outcome, by_class, compared, learn, write_predictions
from gattn_tg.cli.demo.locus import CHROM, SHOWN, WINDOW, Locus, scan_locus, shown_line, verdicts
from gattn_tg.cli.demo.page import demo_page
from gattn_tg.cli.evaluation import confusion_lines
from gattn_tg.cli.output import say, say_json
from gattn_tg.data import encode_labelled, splice_junctions
from gattn_tg.errors import ConfigError
from gattn_tg.io.replacing import replacing
from gattn_tg.io.whole import remove
from gattn_tg.models.config import NO_MOTIF
from gattn_tg.motif import MotifVocabulary
from gattn_tg.version import __version__

MADE = ("result.json", "summary.html", "metrics.jsonl", "test_predictions.tsv", "locus_motifs.bed",
        "locus_splice_sites.tsv", "with_motif_bias", "without_motif_bias")  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Trains with and without motif bias, tests both, predicts and annotates the locus, writes the folder."""
    start = time.perf_counter()
    home, quiet = arguments.output, arguments.json
    settings = replace(TRAINING, seed=arguments.seed if arguments.seed is not None else TRAINING.seed)
    settings = replace(settings, epochs=arguments.epochs or settings.epochs)
    clear(home, overwrite=arguments.overwrite)
    vocabulary = MotifVocabulary.default()
    table, rows = splice_junctions()
    data = encode_labelled(table, vocabulary)
    parts = [data.subset(r) for r in rows]
    if not quiet:
        sizes = " / ".join(f"{len(p):,}" for p in parts)
        say(f"splice junctions: {sizes} windows of {WINDOW} bases to train / choose / test")
    with device.on(arguments.device, arguments.threads):
        outcomes = []
        for name, motif in (("with motif bias", MODEL.motif), ("without motif bias", NO_MOTIF)):
            outcome = learn(name, replace(MODEL, motif=motif), settings, parts, vocabulary, home, quiet)
            if outcome is None:
                say(f"interrupted; the checkpoints so far are in {home}")
                return 130
            outcomes.append(outcome)
        best = outcomes[0]
        write_predictions(home, table.sequences, rows[2], parts[2], best)
        locus = scan_locus(home, best.checkpoint, best.forward, by_class(table, rows[0]))
        two = explained(home / "with_motif_bias" / "best", locus, vocabulary)
        where = Device.DEFAULT
    seconds = time.perf_counter() - start
    result = {
        "test_accuracy": round(best.test.accuracy, 4),
        "seconds": round(seconds, 1),
        "test_accuracy_without_motif_bias": round(outcomes[1].test.accuracy, 4),
        "test": {o.name: o.test.to_dict() for o in outcomes},
        "splice_sites": {j.kind: j.to_dict() for j in locus.judgements},
        "epochs": settings.epochs,
        "seed": settings.seed,
        "n_parameters": best.checkpoint.model.n_parameters,
        "device": where,
        "version": __version__,
        "folder": str(home),
    }
    with replacing(home / "metrics.jsonl") as file:
        for outcome in outcomes:
            for validated in outcome.fitted.validations:
                file.write(json.dumps({"model": outcome.name, **validated.to_dict()}) + "\n")
    with replacing(home / "result.json") as file:
        file.write(json.dumps(result, indent=1) + "\n")
    with replacing(home / "summary.html") as file:
        file.write(demo_page(result, outcomes, locus, two, parts[2], vocabulary))
    if quiet:
        say_json(result)
        return 0
    report(outcomes, locus, two, home)
    say(f"test_accuracy={best.test.accuracy:.4f} seconds={time.perf_counter() - start:.1f}")
    return 0


def clear(home: Path, *, overwrite: bool) -> None:
    """Makes the folder, or empties the one of an earlier demo.

    Raises:
        ConfigError: The folder holds other things, or an earlier demo and --overwrite was not said.
    """
    if home.exists() and not home.is_dir():
        raise ConfigError(f"gattn demo: {home}: expected a folder, but a file is there; name another with -o")
    held = {p.name for p in home.iterdir()} if home.exists() else set()
    if foreign := sorted(held - set(MADE)):
        raise ConfigError(
            f"gattn demo: {home}: expected a new folder, got one that holds {foreign[0]!r}, which no demo wrote; "
            "name another with -o"
        )
    if held and not overwrite:
        raise ConfigError(
            f"gattn demo: {home}: expected a new folder, got one that holds an earlier demo; "
            "add --overwrite or name another with -o"
        )
    for name in held:
        remove(home / name)
    home.mkdir(parents=True, exist_ok=True)


def report(outcomes: list[Outcome], locus: Locus, two: list[Explained], home: Path) -> None:
    """What a reader of the terminal wants to know."""
    say()
    for outcome in outcomes:
        m = asdict(outcome.test)
        say(f"test {outcome.name:<19} accuracy {m['accuracy']:.4f}  AUC {m['auc']:.4f}  MCC {m['mcc']:.4f}")
    say()
    for line in confusion_lines(outcomes[0].confusion, outcomes[0].checkpoint.labels):
        say(line)
    say()
    say(compared(*(o.test for o in outcomes)))
    say()
    say(f"{sum(locus.motif_counts.values()):,} motif sites in {len(locus.sequence):,} bases of {CHROM}")
    first, last = locus.stretch
    say(f"splice sites in {CHROM}:{first + 1:,}-{last:,} above {SHOWN:g}, against the exons of RefSeq:")
    for judgement in locus.judgements:
        say(f"  {shown_line(judgement)}")
    for line in verdicts(locus.judgements):
        say(line)
    for one in two:
        say(one.line)
        if one.why is not None:
            say(f"  {one.variant}")
    say()
    say(f"look at {home / 'summary.html'}")
