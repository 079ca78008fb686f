"""Effects of variants that reporter assays measured, beside what models and simple counts say of them.

    python bench/biology/mpra.py EFFECTS.tsv.gz ELEMENTS.fa [CKPT ...] [--context WINDOWS.fa.gz ...] [--barcodes 10]
        [--kept FOLDER]

EFFECTS has one line per variant of an element, with columns Element, Pos (counted from 1), Ref, Alt (`-` is a deletion
of the base), Barcodes and Coefficient (log2 of the activity beside the reference); ELEMENTS has their sequences, with
the place behind the name: `>LDLR chr19:100-200`. The DNA around an element is taken from --context, records named by
their places, where one holds it; elsewhere a model sees the element alone.

Of every checkpoint, whatever its kind, all differences that `variants` gives are taken (of tracks the mean over the
tracks; of two classes the second). Of several checkpoints the means of their own scores follow, each divided by its
standard deviation over all variants: of the classifiers, of these and JASPAR, and of all models. A model's own score is
the log odds of the last class, the log-likelihood of a language model, or of tracks the log2 ratio of sums over the
window: that is the activity of the element, as was measured. mpra_models.py trains models for it. What models say is
kept in --kept, and a checkpoint of the same name is not asked again.

Baselines need no training: CpG and GC gained less lost, transitions against the rest, and JASPAR: the change of the
best log odds at the variant, summed over all matrices, those below the threshold counted as the threshold.
Pearson and Spearman r, element by element, and their means go to bench/results/mpra.jsonl, one JSON line per score.

Source: Kircher et al. 2019, Nature Communications 10:3583 (measurements; variants of few barcodes are noise).
"""

from __future__ import annotations

import argparse
import csv
import gzip
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

import gattn_tg
from bench.record import write
from gattn_tg.data.genomes.bundled import JASPAR, bundled
from gattn_tg.io import read_fasta, read_matrices
from gattn_tg.metrics.values import measure
from gattn_tg.motif.from_matrices import scored
from gattn_tg.seq import Interval, N, encode
from gattn_tg.seq.strand import reverse_complement

FLANK_BP = 1 << 17  # of DNA around an element, at most: more than any model here sees
NONE, GC = "-", "GC"
TRANSITIONS = {"AG", "GA", "CT", "TC"}
PVALUE = 1e-3  # chance at which a matrix begins to speak
OWN = {"TrackModel": "diff_log2_sum", "GenomicGPT": "d_log_likelihood"}  # of other kinds the last one
CLASSIFIER = "SequenceClassifier"


class Measured(NamedTuple):
    """One variant: place in its element from 0, alleles ("" for none), and what was measured."""

    at: int
    ref: str
    alt: str
    effect: float


@dataclass(frozen=True)
class Element:
    """A stretch of DNA whose variants were measured.

    Args:
        name: of the experiment.
        place: in the genome.
        letters: of the stretch.
        around: the same with what is known on both sides of it.
        first: where the stretch begins in `around`.
        variants: what was measured.
    """

    name: str
    place: Interval
    letters: str
    around: str
    first: int
    variants: list[Measured]


def elements(a: argparse.Namespace) -> list[Element]:
    """The elements in the order of the FASTA file, with the variants of enough barcodes."""
    rows: dict[str, list[dict[str, str]]] = {}
    with gzip.open(a.effects, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            rows.setdefault(row["Element"], []).append(row)
    windows = [(Interval.parse(record.name), record) for path in a.context for record in read_fasta(path)]
    found = []
    for record in read_fasta(a.elements):
        place, letters = Interval.parse(record.description.split()[0]), record.sequence.decode().upper()
        around, first = letters, 0
        for window, held in windows:
            if window.chrom == place.chrom and window.start <= place.start and place.end <= window.end:
                begin = max(window.start, place.start - FLANK_BP)
                first, known = place.start - begin, held.sequence.decode().upper()
                around = (known[begin - window.start : place.start - window.start] + letters
                          + known[place.end - window.start : place.end + FLANK_BP - window.start])
        variants = [Measured(int(row["Pos"]) - 1 - place.start, row["Ref"], row["Alt"].replace(NONE, ""),
                             float(row["Coefficient"]))
                    for row in rows[record.name] if int(row["Barcodes"]) >= a.barcodes]  # fmt: skip
        found.append(Element(record.name, place, letters, around, first, variants))
    return found


def mutant(letters: str, one: Measured) -> str:
    """The element with the other allele."""
    return letters[: one.at] + one.alt + letters[one.at + len(one.ref) :]


def simple(element: Element) -> dict[str, np.ndarray]:
    """Scores that need neither training nor matrices."""
    old, variants = element.letters, element.variants
    return {
        "CpG gained": np.array([mutant(old, v).count("CG") - old.count("CG") for v in variants], float),
        "GC gained": np.array([(v.alt in GC and v.alt != "") - float(v.ref in GC) for v in variants]),
        "transition": np.array([float(v.ref + v.alt in TRANSITIONS) for v in variants]),
    }


def jaspar(element: Element) -> np.ndarray:
    """Change of the best log odds in bits of sites that hold the variant, above a threshold, over all matrices."""
    total = np.zeros(len(element.variants))
    held = encode(element.letters)
    for odds, threshold in scored([counts for _, _, counts in read_matrices(bundled(JASPAR))], PVALUE):
        w = len(odds)
        padded = np.pad(held, w, constant_values=N)
        at = np.array([v.at for v in element.variants]) + w
        old = padded[at[:, None] + np.arange(1 - w, w)]
        new = old.copy()
        for row, v, place in zip(new, element.variants, at.tolist(), strict=True):
            if v.alt:
                row[w - 1] = encode(v.alt)[0]
            else:
                row[w - 1 :] = padded[place + 1 : place + w + 1]
        table = np.pad(odds, ((0, 0), (0, 1)), constant_values=-np.inf)  # nothing holds an N
        total += _best(new, table, threshold) - _best(old, table, threshold)
    return total


def _best(rows: np.ndarray, table: np.ndarray, threshold: float) -> np.ndarray:
    w, best = len(table), np.full(len(rows), threshold)
    for strand in (rows, reverse_complement(rows)):
        seen = np.lib.stride_tricks.sliding_window_view(strand, w, axis=1)
        best = np.maximum(best, table[np.arange(w), seen].sum(-1).max(1))
    return best


class Said(NamedTuple):
    """What a model says: its kind, its own score, and all scores, for each element one number per variant."""

    kind: str
    own: str
    scores: dict[str, list[np.ndarray]]


def asked(path: Path, several: list[Element]) -> Said:
    """Differences that a model gives."""
    model = gattn_tg.load(path)
    with tempfile.TemporaryDirectory() as made:
        genome, table = Path(made) / "elements.fa", Path(made) / "variants.tsv"
        genome.write_text("".join(f">{e.name}\n{e.around}\n" for e in several), encoding="utf-8")
        lines = [f"{e.name}\t{e.first + v.at + 1}\t{v.ref}\t{v.alt or NONE}\n" for e in several for v in e.variants]
        table.write_text("chrom\tpos\tref\talt\n" + "".join(lines), encoding="utf-8")
        effects = model.variants(genome, table)
        values = np.array(list(effects.differences()))
    names = [column.name for column in effects.effects.answers.columns if column.difference]
    if model.kind == "TrackModel":
        names, values = over_tracks(names, values)
    if model.kind == CLASSIFIER and len(names) == 2:
        names, values = names[1:], values[:, 1:]  # the first class is the other side of it
    ends = np.cumsum([len(e.variants) for e in several])[:-1]
    scores = {name: np.split(column, ends) for name, column in zip(names, values.T, strict=True)}
    return Said(model.kind, OWN.get(model.kind, names[-1]), scores)


def kept(path: Path | None, checkpoint: Path, several: list[Element]) -> Said:
    """What a model said before, or says now and is kept."""
    if path is None:
        return asked(checkpoint, several)
    ends = np.cumsum([len(e.variants) for e in several])
    if not path.exists():
        said = asked(checkpoint, several)
        np.savez(path, kind=said.kind, own=said.own, **{k: np.concatenate(v) for k, v in said.scores.items()})
    with np.load(path) as held:
        scores = {name: held[name] for name in held.files if name not in ("kind", "own")}
        if any(len(column) != ends[-1] for column in scores.values()):
            raise SystemExit(f"{path}: expected scores of {ends[-1]:,} variants, got others; take it away")
        return Said(str(held["kind"]), str(held["own"]), {k: np.split(v, ends[:-1]) for k, v in scores.items()})


def mean_of(several: Iterable[list[np.ndarray]]) -> list[np.ndarray]:
    """The mean of scores, each divided by its standard deviation over all variants."""
    scaled = [[part / np.concatenate(parts).std() for part in parts] for parts in several]
    return [np.mean(parts, axis=0) for parts in zip(*scaled, strict=True)]


def over_tracks(names: list[str], values: np.ndarray) -> tuple[list[str], np.ndarray]:
    """The mean over the tracks of each score; columns are ordered score by score, and track by track inside."""
    tracks = sum(name.startswith("sad_at_") for name in names)
    means = values.reshape(len(values), -1, tracks).mean(2)
    track = names[0].removeprefix("sad_at")
    return [name.removesuffix(track) for name in names[::tracks]], means


def tell(
    score: str, several: list[Element], values: Iterable[np.ndarray], a: argparse.Namespace, **more: object
) -> None:
    """One line: r of every element, 0 where a score does not differ among its variants, and their means."""
    told: dict[str, list[float]] = {}
    for element, predicted in zip(several, values, strict=True):
        found = measure(np.array([v.effect for v in element.variants]), predicted)
        told[element.name] = [found.n, *(round(float(np.nan_to_num(r)), 4) for r in (found.pearson, found.spearman))]
    mean = np.array(list(told.values()))[:, 1:].mean(0).round(4).tolist()
    line = {"score": score, "mean_pearson": mean[0], "mean_spearman": mean[1], "elements": told,
            "barcodes": a.barcodes, "with_context": sum(e.around != e.letters for e in several), **more}
    write("mpra", line)
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("effects", type=Path)
    parser.add_argument("elements", type=Path)
    parser.add_argument("checkpoints", type=Path, nargs="*", metavar="CKPT")
    parser.add_argument("--context", type=Path, nargs="*", default=[], help="FASTA of windows named chrom:start-end")
    parser.add_argument("--barcodes", type=int, default=10, help="that a measurement rests on, at least")
    parser.add_argument("--names", nargs="*", default=[], help="of the checkpoints in the lines (their folders)")
    parser.add_argument("--kept", type=Path, default=None, help="folder of what models said")
    parser.add_argument("--no-baselines", action="store_true")
    a = parser.parse_args()
    several = elements(a)
    of_jaspar = [jaspar(element) for element in several]
    if not a.no_baselines:
        by_name = [simple(element) for element in several]
        for name in by_name[0]:
            tell(name, several, [scores[name] for scores in by_name], a)
        tell("JASPAR", several, of_jaspar, a)
    own: dict[str, list[np.ndarray]] = {}
    classifiers: dict[str, list[np.ndarray]] = {}
    for i, path in enumerate(a.checkpoints):
        name = a.names[i] if i < len(a.names) else path.parent.name
        said = kept(a.kept and a.kept / f"{name}.npz", path, several)
        for score, values in said.scores.items():
            tell(f"{name}: {score}", several, values, a)
        own[name] = said.scores[said.own]
        if said.kind == CLASSIFIER:
            classifiers[name] = own[name]
    k = len(classifiers)
    means = {f"mean of {k} classifiers": classifiers, f"mean of {len(own)} models": own,
             f"mean of {k} classifiers and JASPAR": {**classifiers, "JASPAR": of_jaspar}}  # fmt: skip
    for name, scores in means.items():
        if len(scores) > 1 and not (scores is own and len(own) == k):
            tell(name, several, mean_of(scores.values()), a, of=list(scores))


if __name__ == "__main__":
    main()
