"""Do filters that learn find a motif that was planted? Begun at random, as matrices of JASPAR, and as others of them.

    python bench/biology/recovery.py [--factors CTCF TBP SP1] [--starts random jaspar others] [--seeds 0 1]
        [--rate 30]
    python bench/biology/recovery.py --show

Half of the sequences hold one site, drawn from the factor's matrix in JASPAR, at a random place on a random strand of
the bundled stretch of chromosome 16; the other half does not. A classifier with 32 filters of 19 bases learns to tell
them apart, the filters at `rate` times the rate of its network; that is narrow, so that a run takes half a minute.
"others" are 32 matrices of other factors, each less than .6 similar to the planted one; in "jaspar" the planted one
takes the place of the last of them. The line says how similar the filter is that resembles the planted matrix most,
before and after (`motif.similar`), and the test AUC.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from functools import partial

import numpy as np

from bench.biology.study_bias import NETWORK, Trial
from bench.record import lines_of, write
from gattn_tg.data import LabelledSequences
from gattn_tg.data.genomes.bundled import ALPHA_GLOBIN, JASPAR, bundled
from gattn_tg.io import read_fasta, read_matrices
from gattn_tg.machine import threads
from gattn_tg.models.classifier import SequenceClassifier
from gattn_tg.motif import annotate
from gattn_tg.motif.frequencies import drawn, of_counts, of_log_odds
from gattn_tg.motif.from_matrices import scored
from gattn_tg.motif.similar import nearest
from gattn_tg.seq import encode, reverse_complement
from gattn_tg.training.tasks.filters import begin

BENCH = "recovery"
WIDTH, FILTERS, FILTER_WIDTH = 100, 32, 19
EXAMPLES, HELD_OUT, PASSES = 4_000, 1_000, 10
UNLIKE, PVALUE = 0.6, 1e-3
STARTS = ("random", "jaspar", "others")
NARROW = replace(NETWORK, width=16, n_heads=1, merge_strands=True)
DESIGN = {"filters": FILTERS, "filter_width": FILTER_WIDTH}


def examples(planted: np.ndarray, n: int, rng: np.random.Generator) -> LabelledSequences:
    """n sequences, every second one with a site."""
    (record,) = read_fasta(bundled(ALPHA_GLOBIN))
    genome = encode(record.sequence)
    bases = np.stack([genome[start : start + WIDTH] for start in rng.integers(0, len(genome) - WIDTH, n)])
    for row in bases[1::2]:
        site = drawn(planted, rng)
        at = int(rng.integers(0, WIDTH - len(site) + 1))
        row[at : at + len(site)] = site if rng.random() < 0.5 else reverse_complement(site)
    labels = (np.arange(n) % 2).astype(np.int32)
    return LabelledSequences(bases, annotate(bases), np.full(n, WIDTH, np.int32), labels, ("free", "bound"))


def run(factors: list[str], starts: list[str], seeds: list[int], rate: float) -> None:
    """Train what has no line yet."""
    done = {(x["factor"], x["start"], x["seed"], x["filter_rate"]) for x in lines_of(BENCH)}
    matrices = list(read_matrices(bundled(JASPAR)))
    trial: Trial | None = None
    for factor in factors:
        own = next(m.counts for m in matrices if m.name == factor)
        planted = of_counts(own)
        unlike = [m.counts for m in matrices if nearest(of_counts(m.counts)[None], [planted])[0].similarity < UNLIKE]
        for start in starts:
            for seed in seeds:
                if (factor, start, seed, rate) in done:
                    continue
                rng, began = np.random.default_rng(seed), time.perf_counter()
                train, valid, test = (examples(planted, n, rng) for n in (EXAMPLES, HELD_OUT, HELD_OUT))
                picked = [unlike[i] for i in rng.permutation(len(unlike))[:FILTERS]]
                if start == "jaspar":
                    picked[-1] = own
                matrices_of_start = scored([] if start == "random" else picked, PVALUE)
                first = partial(begin, starts=matrices_of_start, train=train, seed=seed)
                trial = trial or Trial(NARROW, {**DESIGN, "filter_rate": rate}, train)
                trial.train(train, valid, PASSES, seed, True, keeps_best=True, begins=first)
                auc, after = trial.auc(test), closest(trial.model, planted)
                first(fresh := SequenceClassifier(trial.config, seed=seed))
                before = closest(fresh, planted)
                write(BENCH, {"factor": factor, "start": start, "seed": seed, "filter_rate": rate, "examples": EXAMPLES,
                              "passes": PASSES, "before": round(before, 3), "after": round(after, 3),
                              "test_auc": round(auc, 4), "seconds": round(time.perf_counter() - began, 1)})  # fmt: skip
                print(f"{factor} {start} seed {seed}: similarity {before:.3f} -> {after:.3f}, test AUC {auc:.4f}",
                      flush=True)


def closest(model: SequenceClassifier, planted: np.ndarray) -> float:
    """How similar the filter is that resembles a matrix most."""
    assert model.filters is not None
    filters = of_log_odds(model.filters.weight.numpy().transpose(0, 2, 1))
    return max(match.similarity for match in nearest(filters, [planted]))


def show() -> None:
    """A line for each factor and start."""
    lines = lines_of(BENCH)
    for factor, start, rate in dict.fromkeys((x["factor"], x["start"], x["filter_rate"]) for x in lines):
        own = [x for x in lines if (x["factor"], x["start"], x["filter_rate"]) == (factor, start, rate)]
        told = ", ".join(f"{x['before']:.2f} -> {x['after']:.2f}" for x in own)
        print(f"{factor:8}{start:10}{rate:4g}  {told}; test AUC {np.mean([x['test_auc'] for x in own]):.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--factors", nargs="+", default=["CTCF", "TBP", "SP1"])
    parser.add_argument("--starts", nargs="+", choices=STARTS, default=list(STARTS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--rate", type=float, default=30.0)
    parser.add_argument("--show", action="store_true")
    a = parser.parse_args()
    if not a.show:
        threads.set_threads(None)
        run(a.factors, a.starts, a.seeds, a.rate)
    show()
