"""Are motifs found that were put into real DNA? One model, one label per motif, trained on tables of 0 and 1.

    python bench/biology/planted.py GENOME.fa MOTIFS.meme [--motifs CTCF REST TP53 HNF4A MEF2A] [--rows 4000]

Windows from random places of the genome get a site of each motif with probability --share, drawn base by base from the
columns of its matrix, on either strand, at a place where no other was put. A label says whether a site was put there;
sites that the genome has already are not labelled, so that no model can be perfect. Beside the AUPRC and AUC of every
label on test rows stands the same for the best log odds of the matrix in each window, which knows the matrix. With
--vocabulary jaspar the model reads the hits of the matrices as motif ids, with default only those of the default
vocabulary; with strengths it is the design of examples/configs/binding.toml, which knows all matrices of JASPAR. One
JSON line per motif goes to bench/results/planted.jsonl.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

import gattn_tg
from bench.biology.shipped import binding
from bench.record import write
from gattn_tg.data.genomes.corpus import Corpus, read_contigs
from gattn_tg.io import read_matrices
from gattn_tg.metrics.classes import auc
from gattn_tg.metrics.precision import average_precision
from gattn_tg.motif import vocabulary_of
from gattn_tg.motif.frequencies import drawn, of_counts
from gattn_tg.motif.threshold import log_odds
from gattn_tg.seq import N, decode
from gattn_tg.seq.strand import reverse_complement
from gattn_tg.training.config import TrainConfig

MOTIFS = ("CTCF", "REST", "TP53", "HNF4A", "MEF2A")
PARTS = ("train", "valid", "test")
CONFIG = """
[data]
train = "train.csv"
valid = "valid.csv"
test = "test.csv"
task = "labels"
label_columns = [{labels}]
vocabulary = "{vocabulary}"

[model]
preset = "tiny"
width = {width}
n_layers = {layers}
n_motifs = {n_motifs}
dropout = 0.0

[train]
epochs = {epochs}
batch_size = 32
learning_rate = 3e-3
warmup_steps = 30
reverse_complement = true
seed = {seed}
"""
Matrix = tuple[str, str, list[list[float]]]


def planted(
    windows: np.ndarray, matrices: list[Matrix], share: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The windows with sites in them, and which motif each one got."""
    out, labels = windows.copy(), rng.random((len(windows), len(matrices))) < share
    for row, wanted in zip(out, labels, strict=True):
        free = np.ones(row.size, bool)
        for k in np.flatnonzero(wanted):
            site = drawn(of_counts(matrices[k][2]), rng)
            site = reverse_complement(site[None])[0] if rng.random() < 0.5 else site
            places = [i for i in range(row.size - site.size + 1) if free[i : i + site.size].all()]
            at = int(rng.choice(places))
            row[at : at + site.size], free[at : at + site.size] = site, False
    return out, labels


def best_log_odds(windows: np.ndarray, matrix: Matrix) -> np.ndarray:
    """The largest log odds of a matrix in each window, over both strands."""
    odds = np.array(log_odds(matrix[2]))  # (width, 4)
    found = np.full(len(windows), -np.inf)
    for rows in (windows, reverse_complement(windows)):
        seen = np.lib.stride_tricks.sliding_window_view(rows, len(odds), axis=1)
        found = np.maximum(found, odds[np.arange(len(odds)), np.minimum(seen, 3)].sum(-1).max(1))
    return found


def table(path: Path, windows: np.ndarray, labels: np.ndarray, names: list[str]) -> None:
    lines = [",".join(["sequence", *names])]
    lines += [",".join([decode(row), *map(str, has.astype(int))]) for row, has in zip(windows, labels, strict=True)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("genome", type=Path)
    parser.add_argument("matrices", type=Path, metavar="MOTIFS")
    parser.add_argument("--motifs", nargs="+", default=list(MOTIFS))
    parser.add_argument("--rows", type=int, default=4000, help="to learn from; a quarter more to choose, half to test")
    parser.add_argument("--bp", type=int, default=200)
    parser.add_argument("--share", type=float, default=0.25)
    parser.add_argument("--vocabulary", choices=("jaspar", "strengths", "default"), default="jaspar")
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tables", type=Path, default=None, help="write the three tables here and train nothing")
    a = parser.parse_args()

    rng = np.random.default_rng(a.seed)
    known = {name.upper(): (key, name, [list(map(float, c)) for c in counts])
             for key, name, counts in read_matrices(a.matrices)}  # fmt: skip
    matrices = [known[name.upper()] for name in a.motifs]
    corpus = Corpus(read_contigs([a.genome]))
    windows = np.concatenate([corpus.draw(rng.integers(0, 2**63, 1000, np.uint64), a.bp)
                              for _ in range(2 + a.rows * 2 // 1000)])  # fmt: skip
    windows = windows[(windows != N).all(1)][: a.rows + a.rows // 4 + a.rows // 2]
    windows, labels = planted(windows, matrices, a.share, rng)
    ends = np.cumsum([a.rows, a.rows // 4])
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) if a.tables is None else a.tables
        for name, x, y in zip(PARTS, np.split(windows, ends), np.split(labels, ends), strict=True):
            table(folder / f"{name}.csv", x, y, a.motifs)
        if a.tables is not None:
            return
        vocabulary = "default"
        if a.vocabulary == "jaspar":
            vocabulary = "motifs.toml"
            (folder / vocabulary).write_text(vocabulary_of(matrices).to_toml(), encoding="utf-8")
        if a.vocabulary == "strengths":
            data = {**{name: f"{name}.csv" for name in PARTS}, "task": "labels", "label_columns": a.motifs}
            config = binding(folder, data, width=a.width, n_layers=a.layers, epochs=a.epochs, seed=a.seed, monitor="")
        else:
            (folder / "planted.toml").write_text(CONFIG.format(
                labels=", ".join(f'"{name}"' for name in a.motifs), vocabulary=vocabulary, width=a.width,
                layers=a.layers, n_motifs=max(len(a.motifs) + 1, 16), epochs=a.epochs, seed=a.seed,
            ), encoding="utf-8")  # fmt: skip
            config = TrainConfig.from_toml(folder / "planted.toml")
        began = time.perf_counter()
        model = gattn_tg.train(config, folder / "run")
        seconds = time.perf_counter() - began
        metrics = model.evaluate(folder / "test.csv").outcomes["data"].each()
    test, truth = windows[ends[1] :], labels[ends[1] :]
    for k, (name, found) in enumerate(zip(a.motifs, metrics, strict=True)):
        odds = best_log_odds(test, matrices[k])
        line = {
            "motif": name, "matrix": matrices[k][0], "vocabulary": a.vocabulary, "rows": a.rows, "bp": a.bp,
            "epochs": a.epochs, "width": a.width, "layers": a.layers, "seed": a.seed, "test_rows": found["n"],
            "positives": found["positives"], "auprc": round(found["auprc"], 4), "auc": round(found["auc"], 4),
            "ece": round(found["ece"], 4), "log_odds_auprc": round(average_precision(truth[:, k], odds), 4),
            "log_odds_auc": round(auc(truth[:, k], odds), 4), "seconds": round(seconds, 1),
        }  # fmt: skip
        write("planted", line)
        print(line, flush=True)


if __name__ == "__main__":
    main()
