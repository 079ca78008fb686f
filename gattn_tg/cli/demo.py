"""`gattn demo`: the whole way from bundled DNA to a trained, tested and explained model."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from tinygrad import Device

from gattn_tg.cli import device
from gattn_tg.cli.annotate import bed_rows
from gattn_tg.cli.demo_page import SHOWN, Locus, Outcome, compared, demo_page
from gattn_tg.cli.evaluate import confusion_lines
from gattn_tg.cli.output import say, say_json
from gattn_tg.cli.progress import Progress
from gattn_tg.data import LabelledSequences, encode_labelled, splice_junctions
from gattn_tg.data.genomes.bundled import ALPHA_GLOBIN, bundled
from gattn_tg.errors import ConfigError
from gattn_tg.io import Record, read_fasta, write_bed, write_tsv
from gattn_tg.io.replacing import replacing
from gattn_tg.io.whole import remove
from gattn_tg.metrics.classes import confusion, measure
from gattn_tg.models.checkpoint import Checkpoint
from gattn_tg.models.classifier import SequenceClassifier
from gattn_tg.models.config import NO_MOTIF, ClassifierConfig
from gattn_tg.motif import MotifVocabulary
from gattn_tg.score.predict import fields, header, predict
from gattn_tg.score.splice import Candidate, candidates, with_prior
from gattn_tg.training.config import TrainSettings
from gattn_tg.training.keep.folder import RunFolder
from gattn_tg.training.loop.fit import Fit
from gattn_tg.training.tasks.classify import Classify
from gattn_tg.version import __version__

MADE = ("result.json", "summary.html", "metrics.jsonl", "test_predictions.tsv", "locus_motifs.bed",
        "locus_splice_sites.tsv", "with_motif_bias", "without_motif_bias")  # fmt: skip
WINDOW = 60  # bases of a splice window, the junction in its middle

MODEL = ClassifierConfig(
    n_classes=3, width=64, n_layers=2, n_heads=4, motif="key", positions="learned", max_length=WINDOW, stem_kernel=7,
    dropout=0.0,
)  # fmt: skip
TRAINING = TrainSettings(
    epochs=6, batch_size=64, learning_rate=3e-3, weight_decay=0.05, motif_rate=3.0, monitor="loss", seed=0
)

# A third of the windows that are a donor or neither are donors (acceptors alike); in a stretch dense with genes it is
# about one GT or AG in a hundred (AUGUSTUS' gene models of this one: 65 of 5,783).
TRAINED_SHARE, GENOMIC_SHARE = 0.32, 0.01

SITE_COLUMNS = ["chrom", "position", "strand", "kind", "probability", "shown"]  # position counts from 1
CHROM, ZOOM = "chr16", (267_000, 290_000)  # RGS11, ARHGDIG, PDIA2 and the end of AXIN1: many exons in little space


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
        locus = scan_locus(home, best, vocabulary)
        where = Device.DEFAULT
    seconds = time.perf_counter() - start
    result = {
        "test_accuracy": round(best.test.accuracy, 4),
        "seconds": round(seconds, 1),
        "test_accuracy_without_motif_bias": round(outcomes[1].test.accuracy, 4),
        "test": {o.name: o.test.to_dict() for o in outcomes},
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
        file.write(demo_page(result, outcomes, locus, parts[2], vocabulary))
    if quiet:
        say_json(result)
        return 0
    report(outcomes, locus, home)
    say(f"test_accuracy={best.test.accuracy:.4f} seconds={time.perf_counter() - start:.1f}")
    return 0


def clear(home: Path, *, overwrite: bool) -> None:
    """Makes the folder, or empties the one of an earlier demo.

    Raises:
        ConfigError: The folder holds other things, or an earlier demo and --overwrite was not said.
    """
    if home.exists() and not home.is_dir():
        raise ConfigError(f"gattn demo: {home}: a folder is required, but a file is there; name another with -o")
    held = {p.name for p in home.iterdir()} if home.exists() else set()
    if foreign := sorted(held - set(MADE)):
        raise ConfigError(
            f"gattn demo: {home}: a new folder is required, but it holds {foreign[0]!r}, which no demo wrote; "
            "name another with -o"
        )
    if held and not overwrite:
        raise ConfigError(
            f"gattn demo: {home}: a new folder is required, but it holds an earlier demo; "
            "add --overwrite or name another with -o"
        )
    for name in held:
        remove(home / name)
    home.mkdir(parents=True, exist_ok=True)


def learn(
    name: str,
    config: ClassifierConfig,
    settings: TrainSettings,
    parts: list[LabelledSequences],
    vocabulary: MotifVocabulary,
    home: Path,
    quiet: bool,
) -> Outcome | None:
    """Trains one model and tests its best epoch; None after Ctrl-C."""
    train, valid, test = parts
    model = SequenceClassifier(config, seed=settings.seed)
    if not quiet:
        say(f"\n{name}")
    folder = RunFolder(home / name.replace(" ", "_"))
    task = Classify(model, train, valid, vocabulary, settings)
    fitted = Fit(task, settings, folder, Progress(quiet)).run()
    if fitted.interrupted:
        return None
    assert test.labels is not None  # the bundled table has labels
    p = task.forward(*test.inputs)
    return Outcome(
        name=name,
        fitted=fitted,
        forward=task.forward,
        checkpoint=Checkpoint(model, vocabulary, task.readout),
        test=measure(test.labels, p),
        confusion=confusion(test.labels, p.argmax(1), len(train.label_names)),
        probabilities=p,
    )


def write_predictions(
    home: Path, sequences: tuple[bytes, ...], rows: np.ndarray, test: LabelledSequences, outcome: Outcome
) -> None:
    """One line per test window: row of the bundled table, true and predicted class, probabilities, sequence."""
    assert test.labels is not None  # the bundled table has labels
    names = test.label_names
    head = ["row", "true", "predicted", *(f"p_{n}" for n in names), "sequence"]
    lines = (
        [row + 1, names[true], names[int(p.argmax())], *(f"{x:.6f}" for x in p), sequences[row].decode()]
        for row, true, p in zip(rows.tolist(), test.labels.tolist(), outcome.probabilities, strict=True)
    )
    write_tsv(home / "test_predictions.tsv", head, lines)


def scan_locus(home: Path, outcome: Outcome, vocabulary: MotifVocabulary) -> Locus:
    """Annotates the whole locus and predicts every GT and AG of its gene-rich part, on both strands."""
    record = next(read_fasta(bundled(ALPHA_GLOBIN)))
    offset = int(record.name.split(":")[1].split("-")[0])
    counts = dict.fromkeys(vocabulary.names[1:], 0)
    rows = list(bed_rows(CHROM, offset, record.sequence, vocabulary))
    for row in rows:
        counts[row.name] += 1
    write_bed(home / "locus_motifs.bed", rows)
    found = list(candidates(record.sequence, chrom=CHROM, offset=offset, start=ZOOM[0], end=ZOOM[1], width=WINDOW))
    windows: list[Record] = [c.window for c in found]
    predictions = list(predict(outcome.checkpoint, windows, run=outcome.forward, where="locus"))
    labels = outcome.checkpoint.labels
    column = {"donor": labels.index("ei"), "acceptor": labels.index("ie")}
    sites = [
        (c, with_prior(p.probabilities[column[c.kind]], TRAINED_SHARE, GENOMIC_SHARE))
        for c, p in zip(found, predictions, strict=True)
    ]
    # One table, one page, one number: `probability` is what the page draws, p_CLASS what the model said before it was
    # weighed for a genome, in which sites are rarer than in training.
    lines = (
        [*site_fields(c, probability), *fields(p)[3:]]
        for (c, probability), p in zip(sites, predictions, strict=True)
    )
    write_tsv(home / "locus_splice_sites.tsv", [*SITE_COLUMNS, *header(labels)[3:]], lines)
    return Locus(record.sequence, offset, counts, sites)


def site_fields(site: Candidate, probability: float) -> list[object]:
    """A candidate as the table has it; `position` counts from 1, as genome browsers and the page do."""
    shown = "yes" if probability > SHOWN else "no"
    return [CHROM, site.position + 1, site.strand, site.kind, f"{probability:.6f}", shown]


def report(outcomes: list[Outcome], locus: Locus, home: Path) -> None:
    """What a reader of the terminal wants to know."""
    say()
    for outcome in outcomes:
        m = asdict(outcome.test)
        say(f"test {outcome.name:<19} accuracy {m['accuracy']:.4f}  AUC {m['auc']:.4f}  MCC {m['mcc']:.4f}")
    say()
    for line in confusion_lines(outcomes[0].confusion, outcomes[0].checkpoint.labels):
        say(line)
    strong = sum(p > SHOWN for _, p in locus.sites)
    say()
    say(f"{sum(locus.motif_counts.values()):,} motif sites in {len(locus.sequence):,} bases of {CHROM}")
    say(compared(*(o.test for o in outcomes)))
    stretch = f"{CHROM}:{ZOOM[0] + 1:,}-{ZOOM[1]:,}"
    say(f"{strong:,} of {len(locus.sites):,} GT and AG in {stretch} score above {SHOWN} as splice sites")
    say(f"look at {home / 'summary.html'}")
