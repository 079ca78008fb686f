"""A task that single motifs cannot solve: two JASPAR motifs in real DNA, told apart by their order and distance only.

    python bench/biology/grammar.py [--examples 1500] [--designs none "jaspar filters pair" ...] [--seeds 0 1 2]

Yes: A stands before B, 15 to 39 bases on. No: B before A at such a distance, or A before B, 55 bases and more on, one
half each. Both motifs are in every sequence once, so counts of words and single strengths say nothing. Sites are drawn
from the matrices, and the background is chromosome 20. Every run appends a line to bench/results/grammar.jsonl with the
test AUC of the weights that are best on the validation set. Designs are those of study_words.py; filters begin as 16
matrices, those of A and B among them, and `key` and `pair` read the ids of these 16.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from bench.biology.linear import Words, fitted
from bench.biology.study_bias import NETWORK, Trial
from bench.biology.study_motifs import matrices
from bench.biology.study_words import COUNTED, DESIGNS
from bench.record import ROOT, lines_of, write
from gattn_tg.data import LabelledSequences
from gattn_tg.io import read_fasta
from gattn_tg.models.classifier import SequenceClassifier
from gattn_tg.motif import MotifVocabulary, annotate, vocabulary_of
from gattn_tg.motif.from_matrices import matrices_of
from gattn_tg.motif.threshold import log_odds
from gattn_tg.seq import encode
from gattn_tg.training.tasks.filters import begin

BENCH = "grammar"
GENOME = ROOT.parent / "shared" / "data" / "regions" / "hg19_chr20_1000000_2000000.fa.gz"
WIDTH, HELD_OUT, PASSES = 160, 1000, 24
NEAR, FAR = (15, 40), (55, 80)  # bases from the first site to the second, the last one excluded
N_MATRICES, FIRST, SECOND = 16, 0, 7  # of the vocabulary, and which of them are A and B
LEAST_BITS = 13.0  # of the best site: a motif that random sequence rarely has
MORE = {"key": {"motif": "key"}, "pair": {"motif": "pair"}}


def chosen() -> list[tuple[str, str, tuple[tuple[int, ...], ...]]]:
    """The first matrices of 9 to 12 bases that are specific enough."""
    fits = [m for m in matrices() if 9 <= len(m[2]) <= 12 and log_odds(m[2]).max(1).sum() > LEAST_BITS]
    return fits[:N_MATRICES]


@dataclass
class Grammar:
    """The source of examples: a genome, and the matrices of the two motifs."""

    genome: np.ndarray
    sites: tuple[np.ndarray, np.ndarray]
    vocabulary: MotifVocabulary

    @classmethod
    def of_data(cls) -> Grammar:
        """From the files that the study reads."""
        picked = chosen()
        sites = tuple(2 ** log_odds(picked[i][2]) for i in (FIRST, SECOND))
        genome = encode(next(iter(read_fasta(GENOME))).sequence)
        return cls(genome, (sites[0], sites[1]), vocabulary_of(picked))

    def examples(self, n: int, seed: int) -> LabelledSequences:
        """n sequences, half of them yes on average."""
        rng = np.random.default_rng(seed)
        bases, labels = np.empty((n, WIDTH), np.uint8), rng.integers(0, 2, n).astype(np.int32)
        for row, label in zip(bases, labels, strict=True):
            row[:] = self._background(rng)
            is_far = not label and rng.random() < 0.5
            distance = int(rng.integers(*(FAR if is_far else NEAR)))
            first = int(rng.integers(0, WIDTH - FAR[1] - len(self.sites[1])))
            order = self.sites if label or is_far else self.sites[::-1]
            for matrix, at in zip(order, (first, first + distance), strict=True):
                row[at : at + len(matrix)] = [rng.choice(4, p=p / p.sum()) for p in matrix]
        lengths = np.full(n, WIDTH, np.int32)
        return LabelledSequences(bases, annotate(bases, self.vocabulary), lengths, labels, ("no", "yes"))

    def _background(self, rng: np.random.Generator) -> np.ndarray:
        while True:
            start = int(rng.integers(0, len(self.genome) - WIDTH))
            found = self.genome[start : start + WIDTH]
            if (found < 4).all():
                return found

    def begin(self, model: SequenceClassifier, train: LabelledSequences, seed: int, chosen: bool) -> None:
        """Filters, where there are some, as the matrices of the vocabulary or at random, and what is usual of them."""
        if model.filters is not None:
            begin(model, matrices_of(self.vocabulary) if chosen else [], train, seed)


def run(n: int, designs: Sequence[str], seeds: Sequence[int]) -> None:
    """Train what has no line yet."""
    done = {(x["examples"], x["design"], x["seed"]) for x in lines_of(BENCH)}
    grammar, trials = Grammar.of_data(), {}
    valid, test = grammar.examples(HELD_OUT, 998), grammar.examples(HELD_OUT, 999)
    for design in designs:
        for seed in seeds:
            if (n, design, seed) in done:
                continue
            train, start = grammar.examples(n, seed), time.perf_counter()
            if design in COUNTED:
                parts = {"train": train, "valid": valid, "test": test}
                words = Words(*COUNTED[design], merges=False)
                found = fitted([{name: words.counts(part) for name, part in parts.items()}],
                               {name: part.labels for name, part in parts.items()})  # fmt: skip
                judged, auc = found["valid_auc"], found["test_auc"]
            else:
                if design not in trials:
                    network = replace(NETWORK, n_motifs=grammar.vocabulary.n_motifs)
                    trials[design] = Trial(network, {**DESIGNS, **MORE}[design], train)
                trial = trials[design]
                # order is what is asked, so strands are not turned
                curve = trial.train(train, valid, PASSES, seed, False, keeps_best=True,
                                    begins=partial(grammar.begin, train=train, seed=seed, chosen=trial.chooses))
                judged, auc = max(value for _, value in curve), trial.auc(test)
            seconds = round(time.perf_counter() - start, 1)
            write(BENCH, {"examples": n, "design": design, "seed": seed, "valid_auc": round(judged, 4),
                          "test_auc": round(auc, 4), "seconds": seconds})
            print(f"{n} {design} seed {seed}: validation {judged:.4f}, test AUC {auc:.4f}, {seconds:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=1500)
    parser.add_argument("--designs", nargs="+", choices=[*DESIGNS, *COUNTED, *MORE],
                        default=["6-mers", "none", "pair", "jaspar filters", "jaspar filters pair"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    a = parser.parse_args()
    if not GENOME.is_file():
        raise SystemExit(f"grammar: {GENOME} is absent; put the data of the README there")
    run(a.examples, a.designs, a.seeds)


if __name__ == "__main__":
    main()
