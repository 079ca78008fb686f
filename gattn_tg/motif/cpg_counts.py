"""Composition of stretches of sequence, as CpG islands need it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gattn_tg.motif.cpg import cpg_sites
from gattn_tg.motif.spans import prefix
from gattn_tg.seq.alphabet import C, G, N
from gattn_tg.types import Float, Int, UInt8


class CpgIsland(NamedTuple):
    """A CpG island, 0-based and half-open; `gc` is a fraction, `observed_expected` a ratio."""

    start: int
    end: int
    n_cpg: int
    gc: float
    observed_expected: float


class CpgCounts:
    """Prefix sums of C, G, N and CpG, so the composition of any stretch costs a few subtractions.

    Every method takes arrays of starts and ends, half-open, and returns one value per stretch.
    """

    def __init__(self, ids: UInt8[np.ndarray, "n"]) -> None:
        self.c = prefix(ids == C)
        self.g = prefix(ids == G)
        self.unknown = prefix(ids == N)
        sites = np.zeros(len(ids), dtype=bool)
        sites[cpg_sites(ids)] = True
        self.cpg = prefix(sites)

    def n_cpg(self, start: np.ndarray, end: np.ndarray) -> Int[np.ndarray, "k"]:
        """Return the number of CpG dinucleotides."""
        # A site is counted at its C: one whose G lies outside belongs to no stretch that ends between the two.
        counted: np.ndarray = self.cpg[np.maximum(end - 1, start)] - self.cpg[start]
        return counted

    def gc(self, start: np.ndarray, end: np.ndarray) -> Float[np.ndarray, "k"]:
        """Return the fraction of C and G."""
        n_gc = self.c[end] - self.c[start] + self.g[end] - self.g[start]
        fraction: np.ndarray = n_gc / np.maximum(end - start, 1)
        return fraction

    def observed_expected(self, start: np.ndarray, end: np.ndarray) -> Float[np.ndarray, "k"]:
        """Return `n_CpG * length / (n_C * n_G)`, 0 without C or G."""
        pairs = (self.c[end] - self.c[start]) * (self.g[end] - self.g[start])
        ratio: np.ndarray = self.n_cpg(start, end) * (end - start) / np.maximum(pairs, 1)
        return ratio

    def n_unknown(self, start: np.ndarray, end: np.ndarray) -> Int[np.ndarray, "k"]:
        """Return the number of N."""
        counted: np.ndarray = self.unknown[end] - self.unknown[start]
        return counted

    def islands(self, start: np.ndarray, end: np.ndarray) -> list[CpgIsland]:
        """Return the stretches with their composition."""
        values = (start, end, self.n_cpg(start, end), self.gc(start, end), self.observed_expected(start, end))
        return [CpgIsland(*row) for row in zip(*(value.tolist() for value in values), strict=True)]
