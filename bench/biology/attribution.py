"""Do the methods of `gattn explain` find a motif that was planted? The AUPRC of its bases among all bases.

    python bench/biology/attribution.py GENOME.fa MOTIFS.meme [--motif CTCF] [--rows 4000]

Windows of the genome are shuffled so that their dinucleotides stay. Half of them get a site, drawn base by base from
the columns of the matrix, on either strand; the label says whether. A SequenceClassifier with the default vocabulary,
which does not know the motif, learns to tell them apart. Then the bases of test windows with a site are ranked by what
they give to the answer, all windows together: the AUPRC of the planted bases, for each method. The same is done for a
model with its first weights. Bases at places that the matrix says nothing of are planted too, so 1 cannot be reached;
`auprc_informative` counts the places of at least half a bit, and leaves the others out. One JSON line for each
method goes to bench/results/attribution.jsonl.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

import gattn_tg
from bench.record import write
from gattn_tg.data.dinucleotides import dinucleotide_shuffle
from gattn_tg.front.trained import Trained
from gattn_tg.front.why.explain import METHODS
from gattn_tg.io import Record, read_fasta, read_matrices
from gattn_tg.metrics.classes import auc
from gattn_tg.metrics.precision import average_precision
from gattn_tg.models import checkpoint
from gattn_tg.models.readouts.sequences import ClassReadout
from gattn_tg.motif.frequencies import drawn, of_counts
from gattn_tg.seq import N, decode, encode
from gattn_tg.seq.strand import reverse_complement

CONFIG = """
[data]
train = "train.csv"
valid = "valid.csv"
test = "test.csv"

[model]
preset = "tiny"
width = 32
n_layers = 1
stem_kernel = 15
dropout = 0.0

[train]
epochs = {epochs}
batch_size = 32
learning_rate = 3e-3
warmup_steps = 30
reverse_complement = true
seed = {seed}
"""
INFORMATIVE_BITS = 0.5


def planted(
    rows: np.ndarray, counts: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows with a site in a random half; label of each; and per base 0 outside, 1 + bits at each base of a site."""
    rows, labels, bits = rows.copy(), rng.random(len(rows)) < 0.5, np.zeros(rows.shape)
    p = of_counts(counts)
    with np.errstate(divide="ignore", invalid="ignore"):
        of_column = 2 + np.nansum(np.where(p > 0, p * np.log2(p), 0.0), axis=1)
    for row, mark in zip(rows[labels], np.flatnonzero(labels), strict=True):
        site, told = drawn(p, rng), of_column
        if rng.random() < 0.5:
            site, told = reverse_complement(site[None])[0], of_column[::-1]
        at = int(rng.integers(0, row.size - site.size + 1))
        rows[mark, at : at + site.size] = site
        bits[mark, at : at + site.size] = 1 + told
    return rows, labels, bits


def scores(model: Trained, rows: np.ndarray, method: str) -> np.ndarray:
    """What every base gives to the answer, by its letter and its motif id."""
    records = [Record(str(i), "", decode(row).encode()) for i, row in enumerate(rows)]
    found = model.explain(records, method=method, target="1", attention=False)
    return np.stack([a.contributions + a.by_motif for a in found.attributions])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("genome", type=Path)
    parser.add_argument("matrices", type=Path, metavar="MOTIFS")
    parser.add_argument("--motif", default="CTCF")
    parser.add_argument("--rows", type=int, default=4000, help="to learn from; an eighth more to choose and to test")
    parser.add_argument("--bp", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--explained", type=int, default=64, help="test windows with a site")
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()

    rng = np.random.default_rng(a.seed)
    key, counts = next((key, np.array(list(map(list, columns)), float))
                       for key, name, columns in read_matrices(a.matrices) if name.upper() == a.motif.upper())
    n = a.rows + 2 * (a.rows // 8)
    genome = max((encode(record.sequence) for record in read_fasta(a.genome)), key=len)
    windows = genome[rng.integers(0, len(genome) - a.bp, 2 * n)[:, None] + np.arange(a.bp)]
    windows = windows[(windows != N).all(1)][:n]
    rows, labels, bits = planted(
        np.stack([dinucleotide_shuffle(row, a.seed, i) for i, row in enumerate(windows)]), counts, rng)
    ends = np.cumsum([a.rows, a.rows // 8])
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for name, x, y in zip(("train", "valid", "test"), np.split(rows, ends), np.split(labels, ends), strict=True):
            text = "".join(f"{decode(row)},{int(label)}\n" for row, label in zip(x, y, strict=True))
            (folder / f"{name}.csv").write_text("sequence,label\n" + text, encoding="utf-8")
        (folder / "planted.toml").write_text(CONFIG.format(epochs=a.epochs, seed=a.seed), encoding="utf-8")
        model = gattn_tg.train(folder / "planted.toml", folder / "run")
        test_auc = auc(labels[ends[1] :], model.predict(folder / "test.csv").probabilities[:, 1])
        untrained = checkpoint.save(type(model.model)(model.config, seed=a.seed), folder / "first",
                                    readout=ClassReadout(labels=("0", "1")), vocabulary=model.vocabulary)  # fmt: skip
        chosen = ends[1] + np.flatnonzero(labels[ends[1] :])[: a.explained]
        is_planted = bits[chosen].ravel() > 0
        kept = (bits[chosen].ravel() == 0) | (bits[chosen].ravel() >= 1 + INFORMATIVE_BITS)
        for name, asked in (("trained", model), ("first weights", gattn_tg.load(untrained))):
            for method in METHODS:
                began = time.perf_counter()
                found = scores(asked, rows[chosen], method).ravel()
                line = {
                    "motif": a.motif, "matrix": key, "method": method, "weights": name, "rows": a.rows, "bp": a.bp,
                    "epochs": a.epochs, "seed": a.seed, "explained": len(chosen), "test_auc": round(test_auc, 4),
                    "share_planted": round(float(is_planted.mean()), 4),
                    "auprc": round(average_precision(is_planted, found), 4),
                    "auprc_informative": round(average_precision(is_planted[kept], found[kept]), 4),
                    "seconds": round(time.perf_counter() - began, 1),
                }  # fmt: skip
                write("attribution", line)
                print(line, flush=True)


if __name__ == "__main__":
    main()
