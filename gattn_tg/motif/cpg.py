"""CpG dinucleotides: where they are, and the composition of stretches of sequence, as CpG islands need it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gattn_tg.motif.iupac import find_pattern
from gattn_tg.motif.spans import prefix
from gattn_tg.seq.alphabet import C, G, N
from gattn_tg.seq.composition import gc_of, observed_expected_of
from gattn_tg.types import Int, UInt8


def cpg_sites(ids: UInt8[np.ndarray, "n"]) -> Int[np.ndarray, "k"]:
    """Return the position of the C of every CpG dinucleotide.

    Example:
        >>> from gattn_tg.seq import encode
        >>> cpg_sites(encode("ACGTCCGG")).tolist()
        [1, 5]
    """
    return find_pattern(ids, "CG")


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

    def gc(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Return the fraction of C and G."""
        return gc_of(self.c[end] - self.c[start] + self.g[end] - self.g[start], end - start)

    def observed_expected(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Return `n_CpG * length / (n_C * n_G)`, 0 without C or G."""
        n_c, n_g = self.c[end] - self.c[start], self.g[end] - self.g[start]
        return observed_expected_of(self.n_cpg(start, end), n_c, n_g, end - start)

    def n_unknown(self, start: np.ndarray, end: np.ndarray) -> Int[np.ndarray, "k"]:
        """Return the number of N."""
        counted: np.ndarray = self.unknown[end] - self.unknown[start]
        return counted

    def islands(self, start: np.ndarray, end: np.ndarray) -> list[CpgIsland]:
        """Return the stretches with their composition."""
        values = (start, end, self.n_cpg(start, end), self.gc(start, end), self.observed_expected(start, end))
        return [CpgIsland(*row) for row in zip(*(value.tolist() for value in values), strict=True)]
