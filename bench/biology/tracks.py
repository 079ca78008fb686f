"""Trains bench/configs/tracks.toml and tests it beside what GC and CpG content alone explain.

    python bench/biology/tracks.py [--steps N] [--seed 0] [--threads 2] [--dry]

The model is trained by the trainer of the package on 38 windows of 131,072 bases; 7 more choose the best weights, and
10 windows that nothing else has seen are the test. The baseline is ridge regression of every track on GC content, CpG
per base and CpG observed / expected of stretches around each bin: of the bin itself, of up to 1 kb on each side, and of
up to 16 kb on each side; it is fitted on the 38 windows, its penalty chosen on the 7. Both are judged by Pearson r over
all 20,480 test bins per track, mean over the tracks of an assay: of the counts as they are and of log(1 + count). Each
has its own best chance: the baseline of log counts is fitted to log counts. One JSON line goes to
bench/results/tracks.jsonl.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np

from bench.record import ROOT, write
from gattn_tg.data.pieces import TrackPieces
from gattn_tg.machine import threads
from gattn_tg.metrics.correlation import by_group, pearson
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.loop.fit import Fit
from gattn_tg.training.loop.watch import Validated, Watcher
from gattn_tg.training.tasks.registry import task_of
from gattn_tg.training.tasks.tracks import Tracks, targets_of

WIDTHS = {"bin": (32,), "1kb": (32, 256, 1_024, 2_048), "16kb": (32, 256, 1_024, 2_048, 8_192, 32_768)}
PENALTIES = (1.0, 100.0, 1e4, 1e5, 1e6)


def features(pieces: TrackPieces, widths: tuple[int, ...]) -> np.ndarray:
    """GC, CpG per base and CpG o/e around every bin of all windows: (bins, 3 per width)."""
    width = len(pieces.intervals[0])
    rows = []
    for interval in pieces.intervals:
        bases = pieces.genome.windows([interval], width)[0][0]
        c, g, known = bases == 1, bases == 2, bases < 4
        cpg = np.append(c[:-1] & g[1:], False)
        sums = [np.concatenate([[0], np.cumsum(x)]) for x in (c, g, cpg, known)]
        margin = (width - pieces.n_targets * pieces.bin_bp) // 2
        centre = margin + pieces.bin_bp * np.arange(pieces.n_targets) + pieces.bin_bp // 2
        found = []
        for span in widths:
            low, high = (np.clip(centre + side * span // 2, 0, width) for side in (-1, 1))
            n_c, n_g, n_cpg, n = (s[high] - s[low] for s in sums)
            n = np.maximum(n, 1)
            found += [(n_c + n_g) / n, n_cpg / n, np.minimum(n_cpg * n / np.maximum(n_c * n_g, 1), 3)]
        rows.append(np.stack(found, axis=1))
    return np.concatenate(rows)


def baseline(task: Tracks, widths: tuple[int, ...], log: bool) -> dict[str, float]:
    """Mean r per assay on the test windows."""
    parts = (task.data.train, task.data.valid, task.data.test)
    x, y = [], []
    for part in parts:
        assert part is not None
        x.append(features(part, widths))
        counts = targets_of(part).reshape(len(x[-1]), -1).astype(np.float64)
        y.append(np.log1p(counts) if log else counts)
    mean, spread = x[0].mean(0), x[0].std(0) + 1e-9
    x = [np.c_[(a - mean) / spread, np.ones(len(a))] for a in x]
    gram, right = x[0].T @ x[0], x[0].T @ y[0]
    tried = []
    for penalty in PENALTIES:
        weights = np.linalg.solve(gram + penalty * np.diag([*np.ones(len(mean)), 0.0]), right)
        chosen_by = np.nanmean(pearson(x[1] @ weights, y[1]))
        tried.append((chosen_by, by_group(pearson(x[2] @ weights, y[2]), task.data.table.assays)))
    return max(tried, key=lambda pair: pair[0])[1]


class Progress(Watcher):
    """Prints a line per validation."""

    def validated(self, record: Validated, *_: object) -> None:
        print(f"step {record.step}: {record.metrics['pearson_log1p']:.3f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default=str(ROOT / "bench/configs/tracks.toml"))
    parser.add_argument("--steps", type=int, default=0, help="0 takes those of the configuration")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dry", action="store_true", help="write no line")
    a = parser.parse_args()
    threads.set_threads(a.threads)
    config = TrainConfig.from_toml(a.config)
    config = replace(config, train=replace(config.train, steps=a.steps or config.train.steps, seed=a.seed))
    start = time.perf_counter()
    task = task_of(config)
    assert isinstance(task, Tracks)
    fitted = Fit(task, config.train, watcher=Progress()).run().finished()
    minutes = (time.perf_counter() - start) / 60
    test = task.test()
    assert test is not None
    assays = list(dict.fromkeys(task.data.table.assays))
    line: dict[str, object] = {"steps": fitted.step, "best_step": fitted.best_step, "minutes": round(minutes, 2),
                               "seed": a.seed, "threads": a.threads, "parameters": task.model.n_parameters}
    for name, log in (("pearson", False), ("pearson_log1p", True)):
        model = {assay: round(test[f"{name}_{assay}"], 4) for assay in assays}
        others = {width: baseline(task, spans, log) for width, spans in WIDTHS.items()}
        bars = {f"gc_cpg_{width}": {k: round(v, 4) for k, v in r.items()} for width, r in others.items()}
        line[name] = {"model": model} | bars
        print(f"{name:14}" + "".join(f"{assay:>9}" for assay in assays))
        for who, values in line[name].items():  # type: ignore[attr-defined]
            print(f"  {who:12}" + "".join(f"{values[assay]:9.3f}" for assay in assays))
    print(f"{fitted.step} steps, best {fitted.best_step}, {minutes:.1f} minutes")
    if not a.dry:
        write("tracks", line)


if __name__ == "__main__":
    main()
