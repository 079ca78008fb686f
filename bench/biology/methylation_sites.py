"""Methylation per CpG by a `SiteModel`, whose tokens are CpGs, beside logistic regression on what it is told as well.

    python bench/biology/methylation_sites.py [--folds 0 1 2 3] [--seeds 0 1 2] [--dry]

Which of 12,046 CpGs of chr22 are called methylated in IMR90 cells; blocks of 10 kb and folds are those of
bench/biology/methylation.py, settings those of bench/configs/methylation_sites.toml, from a draft that had seen fold 0.
The labels of neighbours are no input: sites of test blocks are tokens in training, with sequence and without a label.

An uncalled site whose neighbours in its block are called is probably not covered (the table says no more), so training
and validation leave it out; tests are with and without. Networks of all seeds are averaged as log odds.

Baselines, fitted on training and validation blocks: logistic regression on the facts that the network is told
(`facts`), on the same sites; and that of bench/biology/methylation.py (`bar`), which sees islands of UCSC as well and
all labels. Pooled AUC (all folds on one scale), mean AUC within folds, and AUC over pairs of one fold, where a fold
counts by its pairs of a called and an uncalled site (fold 3 has 95 uncalled ones: a quarter of the mean, a twentieth
of the pairs). The difference of each from each baseline has a 95 % interval by bootstrap over blocks. "scaled" are the
same log odds after Platt scaling on the validation blocks of each fold. One line goes to
bench/results/methylation_sites.jsonl.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.biology.methylation import Sequence, logistic
from bench.record import ROOT, write
from gattn_tg.data.genomes.stretches import Stretches, open_windows
from gattn_tg.data.sites.measured import MeasuredSites, read_labelled_sites
from gattn_tg.machine import threads
from gattn_tg.metrics.classes import auc
from gattn_tg.metrics.logistic import logistic as fitted
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.loop.fit import Fit
from gattn_tg.training.tasks.registry import task_of
from gattn_tg.training.tasks.sites import Sites

BASELINES = ("facts", "bar")
RESAMPLES = 1000
LEAST_SLOPE = 0.05
Scores = dict[str, np.ndarray]


def isolated(labels: np.ndarray, block: np.ndarray | None = None) -> np.ndarray:
    """Uncalled sites between two called ones, with `block` of the same block only."""
    found = np.zeros(len(labels), bool)
    found[1:-1] = ~labels[1:-1] & labels[:-2] & labels[2:]
    if block is not None:
        found[1:-1] &= (block[1:-1] == block[:-2]) & (block[1:-1] == block[2:])
    return found


def sure_table(path: Path, sites: MeasuredSites, left_out: np.ndarray) -> None:
    """The labels without those that are left out."""
    rows = zip(sites.starts.tolist(), sites.ends.tolist(), sites.target.tolist(), left_out.tolist(), strict=True)
    lines = [f"{sites.chrom}\t{start}\t{end}\t{'NA' if out else int(label)}\n" for start, end, label, out in rows]
    path.write_text("chrom\tstart\tend\tcalled\n" + "".join(lines))


def regression(x: np.ndarray, y: np.ndarray, fits: np.ndarray) -> np.ndarray:
    """Log odds of all sites by logistic regression on those that fit."""
    scaled = np.c_[(x - x[fits].mean(0)) / (x[fits].std(0) + 1e-9), np.ones(len(x))]
    found: np.ndarray = scaled @ logistic(scaled[fits], y[fits].astype(float))
    return found


def platt(z: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Slope and level of log odds that fit the labels best; the slope is no less than LEAST_SLOPE."""
    x, ones = np.c_[z, np.ones(len(z))], np.ones(len(z))
    found = fitted(x, y, ones, start=np.array([1.0, 0.0]), pull=1e-3)
    if found[0] < LEAST_SLOPE:
        found = fitted(x, y, ones, start=np.array([LEAST_SLOPE, 0.0]), pull=1e-3, free=np.array([False, True]))
    return float(found[0]), float(found[1])


def one_fold(
    config: TrainConfig, starts: np.ndarray, labels: np.ndarray, bar: np.ndarray, seeds: list[int]
) -> tuple[Scores, list[int]]:
    """Scores of the labelled sites in test blocks, nan at others; steps of the best weights."""
    each, steps = [], []
    for seed in seeds:
        task = task_of(replace(config, train=replace(config.train, seed=seed)))
        assert isinstance(task, Sites)
        steps.append(Fit(task, task.settings).run().finished().best_step)
        at = np.searchsorted(task.data.rows.starts, starts)  # tokens are all CpGs of the stretch
        each.append(task.predict(np.isin(task.data.rows.starts, starts))[at])
    train, valid, test = (task.data.parts[name][at] for name in ("train", "valid", "test"))
    block = starts // int(config.data["block_bp"])
    in_test, fits = np.isin(block, block[test]), train | valid
    scores = {"model": np.mean(each, 0), **{f"seed_{seed}": z for seed, z in zip(seeds, each, strict=True)},
              "facts": regression(task.data.rows.facts[at].astype(float), labels, fits),
              "bar": regression(bar, labels, ~in_test)}  # fmt: skip
    for name in ("model", *BASELINES):
        z = scores[name]
        slope, level = platt(z[valid], labels[valid].astype(float))
        scores[f"{name}, scaled"] = slope * z + level
    return {name: np.where(in_test, z, np.nan) for name, z in scores.items()}, steps


def within(labels: np.ndarray, score: np.ndarray, fold: np.ndarray) -> float:
    """Mean AUC of the folds."""
    return float(np.mean([auc(labels[fold == k], score[fold == k]) for k in np.unique(fold)]))


def of_one_fold(labels: np.ndarray, score: np.ndarray, fold: np.ndarray) -> float:
    """The share of pairs of a called and an uncalled site of one fold that are ranked rightly."""
    found = [(auc(labels[at], score[at]), int(labels[at].sum()) * int((~labels[at]).sum()))
             for at in (fold == k for k in np.unique(fold))]  # fmt: skip
    return sum(share * pairs for share, pairs in found if pairs) / sum(pairs for _, pairs in found)


def judged(labels: np.ndarray, fold: np.ndarray, block: np.ndarray, scores: Scores) -> dict[str, object]:
    """Pooled AUC, mean AUC within folds and AUC of pairs of one fold; how far the model is above the baselines."""
    ways: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], float]] = {
        "pooled": lambda y, z, k: auc(y, z), "within": within, "pairs": of_one_fold}  # fmt: skip
    rows = [np.flatnonzero(block == b) for b in np.unique(block)]
    rng, drawn = np.random.default_rng(0), []
    for _ in range(RESAMPLES):
        at = np.concatenate([rows[i] for i in rng.integers(0, len(rows), len(rows))])
        found = {name: [way(labels[at], scores[name][at], fold[at]) for way in ways.values()]
                 for name in ("model", *BASELINES)}  # fmt: skip
        drawn.append([[m - b for m, b in zip(found["model"], found[name], strict=True)] for name in BASELINES])
    ends = np.nanpercentile(np.array(drawn), [2.5, 97.5], axis=0).round(4)
    return {
        "sites": len(labels), "called": round(float(labels.mean()), 4),
        **{key: {name: round(way(labels, z, fold), 4) for name, z in scores.items()} for key, way in ways.items()},
        "each": {name: [round(auc(labels[fold == k], z[fold == k]), 4) for k in np.unique(fold)]
                 for name, z in scores.items()},
        **{f"{key}_less": {name: ends[:, k, at].tolist() for k, name in enumerate(BASELINES)}
           for at, key in enumerate(ways)},
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default=str(ROOT / "bench/configs/methylation_sites.toml"))
    parser.add_argument("--folds", type=int, nargs="+", default=[0, 1, 2, 3])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dry", action="store_true", help="write no line")
    a = parser.parse_args()
    threads.set_threads(a.threads)
    config, began = TrainConfig.from_toml(a.config), time.perf_counter()
    (sites,) = read_labelled_sites(config.file("labels", config.data["labels"]), config.data["label_column"])
    labels, block = sites.target > 0.5, sites.starts // int(config.data["block_bp"])
    genome = open_windows(config.resolve(config.data["genome"]), None, regions=True)
    assert isinstance(genome, Stretches)
    told = Sequence(genome)
    bar = told.features(sites.starts - told.start)
    fold, found, steps = np.full(len(labels), -1), Scores(), []
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "sure.tsv"
        sure_table(table, sites, isolated(labels, block))
        data = {**config.data, "labels": str(table), "label_column": "called"}
        for k in a.folds:
            scores, best = one_fold(replace(config, data={**data, "fold": k}), sites.starts, labels, bar, a.seeds)
            here = ~np.isnan(scores["model"])
            fold[here] = k
            steps.append(best)
            for name, z in scores.items():
                found.setdefault(name, np.full(len(labels), np.nan))[here] = z[here]
            told_auc = ", ".join(f"{name} {auc(labels[here], z[here]):.4f}" for name, z in scores.items())
            print(f"fold {k}: {here.sum()} sites, steps {best}, {told_auc}, {time.perf_counter() - began:.0f} s",
                  flush=True)
    line: dict[str, object] = {"folds": a.folds, "seeds": a.seeds, "best_steps": steps}
    for name, kept in (("all", fold >= 0), ("without_isolated", (fold >= 0) & ~isolated(labels))):
        line[name] = judged(labels[kept], fold[kept], block[kept], {key: z[kept] for key, z in found.items()})
    line["minutes"] = round((time.perf_counter() - began) / 60, 1)
    print(line)
    if not a.dry:
        write("methylation_sites", line | {"threads": a.threads})


if __name__ == "__main__":
    main()
