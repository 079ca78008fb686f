"""Trains bench/configs/methylation.toml and tests it beside CpG islands and CpG density.

    python bench/biology/methylation.py [--folds 0 1 2 3] [--threads 2] [--dry]

Which of 12,046 CpGs of chr22 are called methylated in IMR90 cells. Blocks of 10 kb are dealt out to training,
validation and test so that four folds test every block once; the test blocks are judged by AUC of

* the model, weights chosen on the validation blocks;
* membership in a CpG island (not methylated), of the UCSC track and of `gattn_tg.motif.cpg_islands`;
* logistic regression on CpG and GC density within 100, 500 and 2,000 bases, CpG o/e, distance to the next CpGs and
  membership in an island, fitted on the training and validation blocks.

"Not called" means unmethylated or not covered, and the file has no coverage for such sites (Cov is 0 for all of them),
so it cannot be told which. Isolated ones, whose neighbours on both sides are called, are probably the latter: the line
has all AUCs twice, with every site and without these. Labels are the same for model and baselines. One JSON line per
fold and one for all folds together (scores of all test sites in one ranking) go to bench/results/methylation.jsonl.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np

from bench.record import ROOT, write
from gattn_tg.data.genomes.stretches import Stretches
from gattn_tg.data.marks import MarkedWindows
from gattn_tg.io.bed import read_bed
from gattn_tg.machine import threads
from gattn_tg.metrics.classes import auc
from gattn_tg.motif.islands import cpg_islands
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.loop.fit import Fit
from gattn_tg.training.tasks.bases import Bases
from gattn_tg.training.tasks.registry import task_of

ISLANDS = ROOT.parent / "shared" / "data" / "regions" / "cpg_islands_hg19.bed"
SPANS = (100, 500, 2_000)


class Sequence:
    """What the baselines look at: the region with its islands."""

    def __init__(self, genome: Stretches) -> None:
        interval = genome.intervals[0]
        self.start = interval.start
        self.bases = genome.windows([interval], len(interval))[0][0]
        c, g = self.bases == 1, self.bases == 2
        self.cpg = np.append(c[:-1] & g[1:], False)
        self.sums = [np.concatenate([[0], np.cumsum(x)]) for x in (c, g, self.cpg)]
        self.ucsc, self.own = (np.zeros(len(self.bases), bool) for _ in range(2))
        for record in read_bed(ISLANDS):
            if record.interval.chrom == interval.chrom:
                here = (record.interval.start, record.interval.end)
                low, high = (min(max(x - self.start, 0), len(self.bases)) for x in here)
                self.ucsc[low:high] = True
        for island in cpg_islands(self.bases):
            self.own[island.start : island.end] = True

    def features(self, at: np.ndarray) -> np.ndarray:
        """One row per site."""
        found = [self.ucsc[at], self.own[at]]
        for span in SPANS:
            low, high = np.clip(at - span, 0, len(self.bases)), np.clip(at + span, 0, len(self.bases))
            c, g, cpg = ((s[high] - s[low]).astype(float) for s in self.sums)
            n = high - low
            found += [(c + g) / n, cpg / n, np.log1p(cpg), cpg * n / np.maximum(c * g, 1)]
        places = np.flatnonzero(self.cpg)
        index = np.searchsorted(places, at)
        for step in (-1, 1):
            found.append(np.log1p(np.abs(places[np.clip(index + step, 0, len(places) - 1)] - at)))
        return np.stack([np.asarray(f, float) for f in found], axis=1)


def logistic(x: np.ndarray, y: np.ndarray, penalty: float = 1.0) -> np.ndarray:
    """Weights of ridge-penalised logistic regression by Newton's method; the last column of x is 1."""
    w = np.zeros(x.shape[1])
    ridge = penalty * np.append(np.ones(x.shape[1] - 1), 0)
    for _ in range(30):
        p = 1 / (1 + np.exp(-x @ w))
        w = w - np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + np.diag(ridge + 1e-9), x.T @ (p - y) + ridge * w)
    return w


def sites(windows: MarkedWindows, start: int) -> tuple[np.ndarray, np.ndarray]:
    """Offsets in the region and labels."""
    places, labels = windows.sites()
    return np.array([p.start for p in places]) - start, labels


def measure(fold: int, config: TrainConfig) -> tuple[dict[str, object], dict[str, np.ndarray]]:
    """One training run and its baselines; labels and scores of the test sites."""
    config = replace(config, data={**config.data, "fold": fold}, train=replace(config.train, seed=fold))
    begin = time.perf_counter()
    task = task_of(config)
    assert isinstance(task, Bases)
    fitted = Fit(task, config.train).run().finished()
    minutes = (time.perf_counter() - begin) / 60
    labels, logits = task.predict(task.data.test)
    genome = task.data.train.genome
    assert isinstance(genome, Stretches)
    region = Sequence(genome)
    at, same = sites(task.data.test, region.start)
    assert np.array_equal(labels, same)
    parts = [sites(part, region.start) for part in (task.data.train, task.data.valid)]
    x = np.concatenate([region.features(p) for p, _ in parts])
    y = np.concatenate([label for _, label in parts]).astype(float)
    mean, spread = x.mean(0), x.std(0) + 1e-9
    weights = logistic(np.c_[(x - mean) / spread, np.ones(len(x))], y)
    scores = {"model": logits, "logistic": np.c_[(region.features(at) - mean) / spread, np.ones(len(at))] @ weights,
              "ucsc_island": -region.ucsc[at].astype(float), "own_island": -region.own[at].astype(float)}
    isolated = np.zeros(len(at), bool)
    isolated[1:-1] = ~labels[1:-1] & labels[:-2] & labels[2:]
    line = {"fold": fold, "steps": fitted.step, "best_step": fitted.best_step, "minutes": round(minutes, 2),
            "sites": len(labels), "called": round(float(labels.mean()), 4), "isolated": int(isolated.sum()),
            "parameters": task.model.n_parameters}
    seen = {"labels": labels, "isolated": isolated, **scores}
    return line | areas(seen), seen


def areas(seen: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """AUC of every score, with and without the isolated sites."""
    labels, kept = seen["labels"], ~seen["isolated"]
    scores = {name: s for name, s in seen.items() if name not in ("labels", "isolated")}
    return {"auc": {name: round(auc(labels, s), 4) for name, s in scores.items()},
            "auc_without_isolated": {name: round(auc(labels[kept], s[kept]), 4) for name, s in scores.items()}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default=str(ROOT / "bench/configs/methylation.toml"))
    parser.add_argument("--folds", type=int, nargs="+", default=[0, 1, 2, 3])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dry", action="store_true", help="write no line")
    a = parser.parse_args()
    threads.set_threads(a.threads)
    config = TrainConfig.from_toml(a.config)
    gathered = []
    for fold in a.folds:
        line, seen = measure(fold, config)
        gathered.append(seen)
        print(f"fold {fold}: {line['sites']} sites, AUC {line['auc']}, best step {line['best_step']}, "
              f"{line['minutes']} minutes", flush=True)
        if not a.dry:
            write("methylation", line | {"threads": a.threads})
    together = {name: np.concatenate([seen[name] for seen in gathered]) for name in gathered[0]}
    everything = {"fold": "all", "folds": a.folds, "sites": len(together["labels"]), **areas(together)}
    print(f"all folds: AUC {everything['auc']}, without isolated {everything['auc_without_isolated']}")
    if not a.dry:
        write("methylation", everything | {"threads": a.threads})


if __name__ == "__main__":
    main()
