"""Tumour or normal, read by read: a model of measured states beside the mean methylation and counts.

    python bench/biology/methylation_reads.py [READS.tsv.gz] [--by region read] [--seeds 0 1 2] [--dry]

1,429 bisulfite reads of ten regions, of a lymphoma and of normal B cells. Each fold is tested once by a model that
never saw it: of --cuts 10 one region (of 5 two regions), or with `--by read` a tenth of the reads of all regions.
Another fold chooses the best weights. The table gives the state of every CpG as motif ids; letters are hidden from the
model unless --letters yes is said, which leaves it the states and where they are. No setting was chosen by test folds.

Beside the pooled AUC of the model (log odds, mean of its seeds) stand the mean methylation of a read and a logistic
regression on counts (methylated and not, mean, switches between neighbours, longest runs, GC, CpG), fitted on the
same training and validation reads. Differences have 95 % intervals by bootstrap over reads, by region over regions.

Then mixtures: half of the tested reads of each kind are known, --mixed reads are drawn from the other half with a share
of the tumour, and `metrics.mixture.share` estimates it: mean absolute error, bias and how often the interval holds the
truth, for every score. Last, the motif table of the models (mean over folds and seeds, centred, in nats).
One JSON line per way of cutting goes to bench/results/methylation_reads.jsonl.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from bench.biology.methylation import logistic
from bench.record import ROOT, write
from gattn_tg.data import LabelledSequences, encode_labelled
from gattn_tg.explain.motif_table import motif_frequency
from gattn_tg.io import read_labelled
from gattn_tg.machine import threads
from gattn_tg.metrics.classes import auc
from gattn_tg.metrics.mixture import share
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.motif import MotifVocabulary
from gattn_tg.training.loop.fit import Fit
from gattn_tg.training.settings import TrainSettings
from gattn_tg.training.tasks import filters
from gattn_tg.training.tasks.classify import Classify

READS = ROOT.parent / "shared" / "data" / "methylation" / "reads_tumour_normal.tsv.gz"
VOCABULARY = MotifVocabulary.methylation()
N_IDS = VOCABULARY.n_motifs
RESAMPLES, MIXTURES = 1000, 200
SHARES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5)


def counted(row: dict[str, str]) -> list[float]:
    """What a person would count in a read."""
    calls, letters = row["methylation"].replace(".", ""), row["sequence"]
    n = max(len(calls), 1)
    ones, zeros = calls.count("1"), calls.count("0")
    switches = sum(a != b for a, b in pairwise(calls))
    runs = [max(map(len, calls.split(other)), default=0) / n for other in "01"]
    gc = (letters.count("G") + letters.count("C")) / len(letters)
    return [ones / n, ones, zeros, n, switches / max(n - 1, 1), *runs, gc, letters.count("CG") / len(letters),
            float(ones == n), float(zeros == n)]  # fmt: skip


def fitted_counts(x: np.ndarray, y: np.ndarray, to: np.ndarray) -> np.ndarray:
    """Scores of a logistic regression."""
    mean, spread = x.mean(0), x.std(0) + 1e-9
    weights = logistic(np.c_[(x - mean) / spread, np.ones(len(x))], y)
    return np.c_[(to - mean) / spread, np.ones(len(to))] @ weights


def trained(
    data: LabelledSequences, parts: tuple[np.ndarray, np.ndarray, np.ndarray], a: argparse.Namespace, seed: int
) -> tuple[np.ndarray, float, np.ndarray]:
    """Log odds of the tested reads, validation AUC, and the motif table."""
    train, valid, test = (data.subset(rows) for rows in parts)
    config = ClassifierConfig(
        n_classes=2, width=a.width, n_layers=a.layers, n_heads=a.width // 16, max_length=data.width, dropout=a.dropout,
        stem_kernel=a.stem, motif=a.motif, pool=a.pool, n_motifs=N_IDS,
        motif_counts=a.beside != "no", apart=a.beside == "apart",
    )  # fmt: skip
    settings = TrainSettings(
        epochs=a.epochs, batch_size=32, learning_rate=a.rate, warmup_steps=30, weight_decay=a.decay, motif_rate=3.0,
        reverse_complement=True, monitor="loss", seed=seed, patience=a.patience,
    )  # fmt: skip
    task = Classify(SequenceClassifier(config, seed=seed), train, valid, VOCABULARY, settings)
    if config.motif_counts:
        filters.begin_counts(task)
    done = Fit(task, settings).run().finished()
    p = task.forward(*test.inputs).astype(np.float64)
    table = next(iter(task.model.motif_table(motif_frequency(data.motif_ids, data.lengths, N_IDS)).values()))
    return np.log(p[:, 1] / p[:, 0]), max(v.metrics["auc"] for v in done.validations), table


def differences(y: np.ndarray, one: np.ndarray, other: np.ndarray, groups: np.ndarray) -> list[float]:
    """Difference of AUC with the percentiles 2.5 and 97.5 over resampled groups."""
    rng, names = np.random.default_rng(0), np.unique(groups)
    rows = [np.flatnonzero(groups == name) for name in names]
    drawn = []
    for _ in range(RESAMPLES):
        at = np.concatenate([rows[k] for k in rng.integers(0, len(names), len(names))])
        drawn.append(auc(y[at], one[at]) - auc(y[at], other[at]))
    return [round(float(x), 4) for x in (auc(y, one) - auc(y, other), *np.nanpercentile(drawn, [2.5, 97.5]))]


def mixtures(y: np.ndarray, score: np.ndarray, size: int) -> dict[str, dict[str, float]]:
    """Errors of estimated shares, by the true one."""
    found: dict[str, dict[str, float]] = {}
    for truth in SHARES:
        rng, estimates, held = np.random.default_rng(1), [], 0
        for _ in range(MIXTURES):
            half = [rng.permutation(np.flatnonzero(y == kind)) for kind in (False, True)]
            known, unknown = ([rows[part::2] for rows in half] for part in (0, 1))
            n = rng.binomial(size, truth)
            mixed = np.concatenate([rng.choice(unknown[0], size - n), rng.choice(unknown[1], n)])
            one = share(score[mixed], score[known[0]], score[known[1]])
            estimates.append(one.estimate)
            held += one.low <= truth <= one.high
        errors = np.array(estimates) - truth
        found[str(truth)] = {"mae": round(float(np.abs(errors).mean()), 4), "bias": round(float(errors.mean()), 4),
                             "held": round(held / MIXTURES, 3)}  # fmt: skip
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reads", type=Path, nargs="?", default=READS)
    parser.add_argument("--by", nargs="+", choices=("region", "read"), default=["region", "read"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--cuts", type=int, default=10, help="folds that reads, or regions, are dealt out to")
    parser.add_argument("--letters", choices=("yes", "no"), default="no")
    parser.add_argument("--motif", choices=("key", "pair", "same", "ordered"), default="pair")
    parser.add_argument("--pool", default="both")
    parser.add_argument("--beside", choices=("no", "one", "apart"), default="one",
                        help="a linear model of motif counts: none, one that learns with the network, or apart from it")
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--stem", type=int, default=3)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--decay", type=float, default=0.05)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--patience", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--mixed", type=int, default=200, help="reads of a mixture")
    parser.add_argument("--dry", action="store_true", help="write no line")
    a = parser.parse_args()
    threads.set_threads(a.threads)

    with gzip.open(a.reads, "rt") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    data = encode_labelled(read_labelled(a.reads, states="methylation"), VOCABULARY)
    if a.letters == "no":
        data = replace(data, bases=np.full_like(data.bases, 4))
    assert data.labels is not None
    y = data.labels == data.label_names.index("tumour")
    x, region = np.array([counted(row) for row in rows]), np.array([int(row["region"]) for row in rows])
    folds = list(range(a.cuts))
    order = np.random.default_rng(20).permutation(len(y))
    for by in a.by:
        fold = (region if by == "region" else np.argsort(order)) % a.cuts
        began, tables, valid_auc = time.perf_counter(), [], []
        scores = {name: np.full(len(y), np.nan) for name in ("model", "counts")}
        scores["mean"] = x[:, 0]
        each = np.full((len(a.seeds), len(y)), np.nan)
        for k in folds:
            test, valid = (np.flatnonzero(fold == f % a.cuts) for f in (k, k + 1))
            train = np.flatnonzero((fold != k) & (fold != (k + 1) % a.cuts))
            both = np.concatenate([train, valid])
            scores["counts"][test] = fitted_counts(x[both], y[both].astype(float), x[test])
            for s, seed in enumerate(a.seeds):
                each[s, test], best, table = trained(data, (train, valid, test), a, seed)
                tables.append(table)
                valid_auc.append(best)
            scores["model"][test] = each[:, test].mean(0)
            print(f"{by} {k}: " + ", ".join(f"{n} {auc(y[test], s[test]):.4f}" for n, s in scores.items())
                  + f", valid {valid_auc[-1]:.4f}, {time.perf_counter() - began:.0f} s", flush=True)  # fmt: skip
        group = region if by == "region" else np.arange(len(y))
        line = {
            "by": by, "reads": len(y), "folds": a.cuts, "seeds": a.seeds, "letters": a.letters,
            "motif": a.motif, "beside": a.beside, "pool": a.pool, "width": a.width, "layers": a.layers,
            "epochs": a.epochs,
            "auc": {name: round(auc(y, s), 4) for name, s in scores.items()},
            "auc_of_seeds": [round(auc(y, s), 4) for s in each],
            "auc_within": {name: round(float(np.mean([auc(y[fold == k], s[fold == k]) for k in folds])), 4)
                           for name, s in scores.items()},
            "model_less_mean": differences(y, scores["model"], scores["mean"], group),
            "model_less_counts": differences(y, scores["model"], scores["counts"], group),
            "valid_auc": round(float(np.mean(valid_auc)), 4),
            "mixed_reads": a.mixed,
            "mixtures": {name: mixtures(y, s if name == "mean" else 1 / (1 + np.exp(-s)), a.mixed)
                         for name, s in scores.items()},
            "motif_table": np.round(np.mean(tables, 0, dtype=np.float64), 3).tolist(),
            "threads": a.threads, "minutes": round((time.perf_counter() - began) / 60, 1),
        }  # fmt: skip
        print({key: line[key] for key in ("by", "auc", "auc_within", "model_less_mean", "model_less_counts")})
        if not a.dry:
            write("methylation_reads", line)


if __name__ == "__main__":
    main()
