"""Markov models of DNA: the bar that a language model of DNA must beat."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from gattn_tg.data.genomes.corpus import Corpus
from gattn_tg.motif.kmers import kmer_codes
from gattn_tg.seq import reverse_complement

PSEUDO = 0.5  # added to every count of the plain models
STRENGTHS = (20.0, 50.0, 100.0, 200.0)  # of the prior that the next lower order is, in counts


class Markov:
    """Counts of every base after every word of up to `order` bases.

    Args:
        corpus: what is counted.
        order: the longest word.
        both_strands: count the other strand as well.
    """

    def __init__(self, corpus: Corpus, order: int, both_strands: bool) -> None:
        self.order = order
        counts = np.zeros(4 ** (order + 1), np.int64)
        for stretch in corpus.train:
            bases = corpus.bases(stretch)
            for strand in (bases, reverse_complement(bases)) if both_strands else (bases,):
                codes = kmer_codes(strand, order + 1)
                counts += np.bincount(codes[codes >= 0], minlength=len(counts))
        self.counts = {order: counts}
        for k in range(order - 1, -1, -1):  # a shorter word is any longer one that ends with it
            self.counts[k] = self.counts[k + 1].reshape(4, -1).sum(0)

    def plain(self, k: int) -> np.ndarray:
        """p(base | word of k bases) = (count + PSEUDO) / (total + 4 PSEUDO), flat by the code of word and base."""
        counts = self.counts[k].reshape(-1, 4)
        return ((counts + PSEUDO) / (counts.sum(1, keepdims=True) + 4 * PSEUDO)).ravel()

    def interpolated(self, strength: float) -> Iterable[np.ndarray]:
        """p_k = (count + strength p_{k-1}) / (total + strength) for k = 0, 1, ... order: every order backs off."""
        lower = np.full(4, 0.25)
        for k in range(self.order + 1):
            counts = self.counts[k].reshape(-1, 4)
            prior = np.tile(lower.reshape(-1, 4), (len(counts) // (len(lower) // 4), 1))
            lower = ((counts + strength * prior) / (counts.sum(1, keepdims=True) + strength)).ravel()
            yield lower


def bits_per_base(p: np.ndarray, k: int, windows: np.ndarray, first: int) -> float:
    """Mean -log2 p of the bases from `first` on, each given the k before it; words with an N are left out."""
    codes = kmer_codes(windows[:, first - k :], k + 1)
    return float(-np.log2(p[codes[codes >= 0]]).mean())


def table(corpus: Corpus, windows: np.ndarray, first: int, order: int = 11) -> dict[str, float]:
    """Bits per base of `windows` under every plain order, counted on one strand and on both, and the best mixture."""
    found: dict[str, float] = {}
    for strands in (1, 2):
        markov = Markov(corpus, order, strands == 2)
        for k in range(order + 1):
            found[f"order {k}, {strands} strand"] = round(bits_per_base(markov.plain(k), k, windows, first), 4)
        for strength in STRENGTHS:
            for k, p in enumerate(markov.interpolated(strength)):
                if k >= 8:
                    name = f"interpolated {k}, strength {strength:g}, {strands} strand"
                    found[name] = round(bits_per_base(p, k, windows, first), 4)
    return found
