"""How open is a stretch of DNA? A model of values beside ridge regression on k-mers, on the same rows.

    python bench/biology/accessibility.py SEQS.fa.gz WINDOWS.bed TARGETS.npz TRACKS.tsv [--bp 512] [--epochs 4]

The files are those of bench/biology/tracks.py: windows of human DNA with counts in bins of 32 bases in the middle. The
value of a stretch is log(1 + mean count) of the DNase tracks over its inner half. Windows marked `valid` are the test
and are on other stretches of the genome than the rest; every seventh of the others chooses the weights, and the penalty
of the ridge. "network" is a small model alone, "words" the design of examples/configs/binding.toml: linear models on
words and on the strengths of JASPAR's matrices beside a network that learns apart from them. Pearson and Spearman of
held-out rows go to bench/results/accessibility.jsonl, one JSON line per method.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import gattn_tg
from bench.biology.shipped import binding
from bench.record import write
from gattn_tg.io import read_fasta
from gattn_tg.metrics.values import measure
from gattn_tg.seq import encode
from gattn_tg.seq.strand import reverse_complement
from gattn_tg.training.config import TrainConfig

BIN_BP = 32
KMERS = (4, 5, 6)
PENALTIES = (1.0, 10.0, 100.0, 1e3, 1e4)
CONFIG = """
[data]
train = "train.csv"
valid = "valid.csv"
test = "test.csv"
task = "values"
label_columns = ["open"]
loss = "{loss}"

[model]
preset = "tiny"
width = {width}
n_layers = {layers}
pool = "mean"
dropout = 0.0

[train]
epochs = {epochs}
batch_size = 32
learning_rate = 2e-3
warmup_steps = 50
reverse_complement = true
monitor = "pearson"
seed = {seed}
"""
NAMES = {"network": "SequenceClassifier", "words": "SequenceClassifier, words and motifs"}  # of methods, in the lines
Parts = dict[str, tuple[list[str], np.ndarray]]


def stretches(a: argparse.Namespace) -> Parts:
    """Sequences and values of train, valid and test."""
    with np.load(a.targets) as held:
        targets = held["targets"]
    rows = a.tracks.read_text(encoding="utf-8").splitlines()[1:]
    tracks = [i for i, row in enumerate(rows) if row.split("\t")[-1].startswith("DNASE")]
    marks = [line.split("\t")[3] for line in a.windows.read_text(encoding="utf-8").splitlines()]
    found: dict[str, tuple[list[str], list[float]]] = {name: ([], []) for name in ("train", "valid", "test")}
    n_bins, order = a.bp // BIN_BP, 0
    for record, counts, mark in zip(read_fasta(a.sequences), targets, marks, strict=True):
        first = (len(record.sequence) - len(counts) * BIN_BP) // 2
        order += mark != "valid"
        part = "test" if mark == "valid" else "valid" if order % 7 == 0 else "train"
        open_ = counts[:, tracks].astype(np.float64).mean(1)
        for at in range(0, len(open_) - n_bins + 1, n_bins):
            inner = open_[at + n_bins // 4 : at + n_bins - n_bins // 4].mean()
            sequence = record.sequence[first + at * BIN_BP : first + at * BIN_BP + a.bp]
            found[part][0].append(sequence.decode().upper())
            found[part][1].append(float(inner if a.loss == "poisson" else np.log1p(inner)))
    return {name: (sequences, np.array(values)) for name, (sequences, values) in found.items()}


def counts_of(sequences: list[str], k: int) -> np.ndarray:
    """Share of each word of k bases, both strands together: (rows, 4^k)."""
    out = np.zeros((len(sequences), 4**k), np.float32)
    for row, sequence in zip(out, sequences, strict=True):
        ids = encode(sequence)
        for strand in (ids, reverse_complement(ids[None])[0]):
            seen = np.lib.stride_tricks.sliding_window_view(strand.astype(np.int64), k)
            seen = seen[(seen < 4).all(1)]
            row += np.bincount(seen @ 4 ** np.arange(k - 1, -1, -1), minlength=4**k)
        row /= max(row.sum(), 1) / 100
    return out


def ridge(parts: Parts, k: int) -> tuple[np.ndarray, float]:
    """Predictions of the test rows with the penalty that is best on the validation rows, and that penalty."""
    x = {name: counts_of(sequences, k) for name, (sequences, _) in parts.items()}
    mean, y = x["train"].mean(0), parts["train"][1]
    centred = {name: rows - mean for name, rows in x.items()}
    u, s, vt = np.linalg.svd(centred["train"], full_matrices=False)
    right = u.T @ (y - y.mean())
    tried = []
    for penalty in PENALTIES:
        weights = vt.T @ (s / (s**2 + penalty * s[0] ** 2 / len(y)) * right)
        score = measure(parts["valid"][1], centred["valid"] @ weights + y.mean()).pearson
        tried.append((score, penalty, centred["test"] @ weights + y.mean()))
    _, penalty, predicted = max(tried, key=lambda entry: entry[0])
    return predicted, penalty


def learnt(parts: Parts, a: argparse.Namespace, design: str) -> np.ndarray:
    """Predictions of the test rows by a model of values."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for name, (sequences, values) in parts.items():
            lines = [f"{s},{v:.6g}" for s, v in zip(sequences, values, strict=True)]
            (folder / f"{name}.csv").write_text("\n".join(["sequence,open", *lines]) + "\n", encoding="utf-8")
        if design == "words":
            data = {**{name: f"{name}.csv" for name in parts}, "task": "values", "label_columns": ["open"],
                    "loss": a.loss}  # fmt: skip
            config = binding(folder, data, width=a.width, n_layers=a.layers, epochs=a.epochs, seed=a.seed,
                             monitor="pearson")  # fmt: skip
        else:
            text = CONFIG.format(loss=a.loss, width=a.width, layers=a.layers, epochs=a.epochs, seed=a.seed)
            (folder / "run.toml").write_text(text, encoding="utf-8")
            config = TrainConfig.from_toml(folder / "run.toml")
        found: np.ndarray = gattn_tg.train(config, folder / "run").predict(parts["test"][0]).values[:, 0]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("sequences", "windows", "targets", "tracks"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--bp", type=int, default=512)
    parser.add_argument("--loss", choices=("mse", "poisson"), default="mse", help="poisson: of the counts themselves")
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--methods", nargs="+", choices=("ridge", *NAMES), default=["ridge", *NAMES])
    a = parser.parse_args()
    parts = stretches(a)
    truth = parts["test"][1]

    def told(method: str, predicted: np.ndarray, seconds: float, **more: Any) -> None:
        found = measure(truth, predicted)
        line = {"method": method, "bp": a.bp, "loss": a.loss, "rows": {n: len(v) for n, (_, v) in parts.items()},
                "pearson": round(found.pearson, 4), "spearman": round(found.spearman, 4), "r2": round(found.r2, 4),
                "rmse": round(found.rmse, 4), "seconds": round(seconds, 1), **more}  # fmt: skip
        write("accessibility", line)
        print(line, flush=True)

    for k in KMERS if "ridge" in a.methods else ():
        began = time.perf_counter()
        predicted, penalty = ridge(parts, k)
        told(f"ridge on {k}-mers", predicted, time.perf_counter() - began, penalty=penalty)
    for design in NAMES:
        if design in a.methods:
            began = time.perf_counter()
            predicted = learnt(parts, a, design)
            told(NAMES[design], predicted, time.perf_counter() - began, width=a.width, layers=a.layers, epochs=a.epochs,
                 seed=a.seed)  # fmt: skip


if __name__ == "__main__":
    main()
