"""Tasks that single motifs cannot solve: two JASPAR motifs in real DNA, told apart by their order, or their distance.

    python bench/biology/grammar.py [--tasks order distance] [--designs none "soft pair" ...] [--seeds 0 1 2]

order: A stands 15 to 39 bases before B, against B before A. distance: A before B by 15 to 39, against 55 to 79 bases.
spacing: A before B by 20, against any other of 15 to 39 bases. strand: A before B by 15 to 39, on one strand, either of
them, against one on each. Both motifs are in every sequence once, so counts of words and single strengths say little.
Sites are drawn from the matrices, and the background is chromosome 20. Every example of a stream is seen once, so that
a design is told by how many it takes to a validation AUC of .9. Every run appends a line to
bench/results/grammar.jsonl: the validation AUC along the stream, and the test AUC of the weights that had the best one.

none: plain attention with rotary positions. between: a table on how many sites of 16 matrices, A and B among them, lie
between two bases. soft pair: filters that begin as these matrices, and a table on the strengths of both bases.
filters: these filters to the head alone. pairs: filters as these matrices, and a linear model on which two of them
stand how far apart, in which order and on which strands (`motif_pairs`), which begins as the regression of the first
1,024 examples. cnn: cnn.py. gapped: a logistic regression on words, of all examples at once.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any

import numpy as np

from bench.biology.cnn import streamed
from bench.biology.linear import Words, fitted
from bench.biology.study_bias import NETWORK, Trial
from bench.biology.study_motifs import matrices
from bench.biology.study_table import reached
from bench.record import ROOT, lines_of, write
from gattn_tg.data import LabelledSequences
from gattn_tg.io import read_fasta
from gattn_tg.machine import threads
from gattn_tg.models.classifier import SequenceClassifier
from gattn_tg.models.readouts.sequences import ClassReadout
from gattn_tg.motif import MotifVocabulary, annotate, vocabulary_of
from gattn_tg.motif.from_matrices import matrices_of
from gattn_tg.motif.threshold import log_odds
from gattn_tg.seq import encode
from gattn_tg.seq.alphabet import COMPLEMENT
from gattn_tg.training.tasks.filters import Known, begin

BENCH = "grammar"
GENOME = ROOT.parent / "shared" / "data" / "regions" / "hg19_chr20_1000000_2000000.fa.gz"
WIDTH, EXAMPLES, HELD_OUT, VALIDATIONS = 160, 24_000, 500, 20
TESTED = 2_000
NEAR, FAR = np.arange(15, 40), np.arange(55, 80)  # bases from the first site to the second
AT = 20
N_MATRICES, FIRST, TURNABLE, SECOND = 16, 0, 2, 4  # of the vocabulary, and which of them are A (E2F1, GFI1) and B
LEAST_BITS = 18.0  # of the best site: a motif that random sequence rarely has


@dataclass(frozen=True)
class Arrangement:
    """How two sites stand: how far on the second is, whether A is the first, and on which strands A and B are.

    `a` says which matrix of the vocabulary is A; E2F1 reads the same on both strands, GFI1 does not.
    """

    distances: np.ndarray = field(default_factory=lambda: NEAR)
    a_first: bool = True
    strands: tuple[str, ...] = ("++",)  # of A and of B, all equally often
    a: int = FIRST


TASKS = {  # no, yes
    "order": (Arrangement(a_first=False), Arrangement()),
    "distance": (Arrangement(FAR), Arrangement()),
    "spacing": (Arrangement(np.setdiff1d(NEAR, [AT])), Arrangement(np.array([AT]))),
    "strand": (Arrangement(strands=("+-", "-+"), a=TURNABLE), Arrangement(strands=("++", "--"), a=TURNABLE)),
}
FILTERS = {"filters": N_MATRICES, "filter_width": 13}
DESIGNS: dict[str, dict[str, Any]] = {
    "none": {}, "between": {"motif": "between"}, "filters": FILTERS,
    "pairs": {**FILTERS, "motif_pairs": N_MATRICES, "pair_reach_bp": 128, "filter_rate": 0.0},
    "soft key": {**FILTERS, "motif": "key", "per_head": True},
    "soft pair": {**FILTERS, "motif": "pair", "per_head": True},
}  # fmt: skip
NET = replace(NETWORK, width=32, n_heads=2)  # small, so that a run takes a minute
DEFAULT = ["none", "between", "soft pair", "pairs", "cnn", "gapped"]
TARGET = 0.9


def chosen() -> list[tuple[str, str, tuple[tuple[int, ...], ...]]]:
    """The first matrices of 9 to 12 bases that are specific enough."""
    fits = [m for m in matrices() if 9 <= len(m[2]) <= 12 and log_odds(m[2]).max(1).sum() > LEAST_BITS]
    return fits[:N_MATRICES]


@dataclass
class Grammar:
    """The source of examples: a genome, what each matrix of the vocabulary says of a site, and the vocabulary."""

    genome: np.ndarray
    matrices: tuple[np.ndarray, ...]
    vocabulary: MotifVocabulary

    @classmethod
    def of_data(cls) -> Grammar:
        """From the files that the study reads."""
        picked = chosen()
        genome = encode(next(iter(read_fasta(GENOME))).sequence)
        return cls(genome, tuple(2 ** log_odds(counts) for _, _, counts in picked), vocabulary_of(picked))

    def examples(self, task: str, n: int, seed: int) -> LabelledSequences:
        """n sequences, half of them yes on average."""
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, 2, n).astype(np.int32)
        whole = np.convolve(self.genome < 4, np.ones(WIDTH), "valid") == WIDTH
        bases = self.genome[rng.choice(np.flatnonzero(whole), n)[:, None] + np.arange(WIDTH)]
        at = rng.integers(0, WIDTH - FAR[-1] - 1 - len(self.matrices[SECOND]), n)
        for label, how in enumerate(TASKS[task]):
            rows = np.flatnonzero(labels == label)
            far = rng.choice(how.distances, len(rows))
            strands = np.array([list(both) for both in how.strands])[rng.integers(0, len(how.strands), len(rows))]
            is_second = (not how.a_first, how.a_first)
            for which, behind, strand in zip((how.a, SECOND), is_second, strands.T, strict=True):
                matrix = self.matrices[which]
                drawn = sites(matrix, len(rows), rng)
                drawn = np.where((strand == "-")[:, None], COMPLEMENT[drawn[:, ::-1]], drawn)
                places = at[rows] + far * behind
                bases[rows[:, None], places[:, None] + np.arange(len(matrix))] = drawn
        return LabelledSequences(bases, annotate(bases, self.vocabulary), np.full(n, WIDTH, np.int32), labels,
                                 ("no", "yes"))  # fmt: skip

    def begin(self, model: SequenceClassifier, train: LabelledSequences, seed: int) -> None:
        """Filters, where there are some, as the matrices of the vocabulary, and what is usual of them."""
        if model.filters is not None:
            known = Known(ClassReadout(labels=train.label_names), train.labels)
            begin(model, matrices_of(self.vocabulary), train, seed, known)


def sites(matrix: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """n sites, every base as likely as its matrix says."""
    until = np.cumsum(matrix / matrix.sum(1, keepdims=True), 1)[:, :3]
    found: np.ndarray = (rng.random((n, len(matrix), 1)) > until).sum(-1)
    return found.astype(np.uint8)


def run(tasks: Sequence[str], designs: Sequence[str], seeds: Sequence[int]) -> None:
    """Train what has no line yet: seeds outermost."""
    done = {(x["task"], x["design"], x["seed"]) for x in lines_of(BENCH)}
    grammar = Grammar.of_data()
    parts = cache(grammar.examples)
    trials: dict[str, Trial] = {}
    for seed in seeds:
        for task in tasks:
            for design in designs:
                if (task, design, seed) in done:
                    continue
                train, valid, test = parts(task, EXAMPLES, seed), parts(task, HELD_OUT, 998), parts(task, TESTED, 999)
                start = time.perf_counter()
                if design == "gapped":
                    words, sets = Words(6, 6, merges=False), {"train": train, "valid": valid, "test": test}
                    found = fitted([{name: words.counts(part) for name, part in sets.items()}],
                                   {name: part.labels for name, part in sets.items()})  # fmt: skip
                    curve, auc = [(EXAMPLES, round(found["valid_auc"], 4))], found["test_auc"]
                elif design == "cnn":
                    curve, auc = streamed(train, valid, test, seed, VALIDATIONS)
                else:
                    if design not in trials:
                        network = replace(NET, n_motifs=grammar.vocabulary.n_motifs)
                        trials[design] = Trial(network, DESIGNS[design], train)
                    # order is what is asked, so strands are not turned
                    curve = trials[design].train(train, valid, 1, seed, False, keeps_best=True, validations=VALIDATIONS,
                                                 begins=partial(grammar.begin, train=train, seed=seed))  # fmt: skip
                    auc = trials[design].auc(test)
                seconds = round(time.perf_counter() - start, 1)
                write(BENCH, {"task": task, "design": design, "seed": seed, "examples": EXAMPLES, "curve": curve,
                              "test_auc": round(auc, 4), "seconds": seconds})  # fmt: skip
                print(f"{task} {design} seed {seed}: test AUC {auc:.4f}, {reached(curve, TARGET):,.0f} examples to "
                      f"{TARGET}, {seconds:.0f} s", flush=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = [*DESIGNS, "cnn", "gapped"]
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--designs", nargs="+", choices=known, default=DEFAULT)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    a = parser.parse_args()
    if not GENOME.is_file():
        raise SystemExit(f"grammar: {GENOME} is absent; put the data of the README there")
    threads.set_threads(None)
    run(a.tasks, a.designs, a.seeds)


if __name__ == "__main__":
    main()
