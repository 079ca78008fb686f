"""Sequences that are changed and asked: padded rows, what answers them, and where motifs lie in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from gattn_tg.data.dinucleotides import dinucleotide_shuffle
from gattn_tg.motif import MotifClass
from gattn_tg.motif.base_ids import as_one
from gattn_tg.motif.sites import strands
from gattn_tg.seq import N
from gattn_tg.types import Bool, Float, Int, UInt8

Ask = Callable[["Rows"], Float[np.ndarray, "b"]]
"""One number for each row."""


class Rows(NamedTuple):
    """Sequences of one width, N behind the shorter ones."""

    bases: UInt8[np.ndarray, "b n"]
    lengths: Int[np.ndarray, "b"]

    @classmethod
    def of(cls, sequences: Sequence[UInt8[np.ndarray, "n"]], width: int) -> Rows:
        """Rows of sequences of at most so many bases."""
        bases = np.full((len(sequences), width), N, np.uint8)
        for held, row in zip(bases, sequences, strict=True):
            held[: len(row)] = row
        return cls(bases, np.array([len(row) for row in sequences], np.int32))

    def shuffled(self, seed: int) -> Rows:
        """Every row shuffled so that its dinucleotides stay."""
        bases = self.bases.copy()
        for i, n in enumerate(self.lengths.tolist()):
            bases[i, :n] = dinucleotide_shuffle(bases[i, :n], seed, i)
        return self._replace(bases=bases)

    def taken(self, rows: Int[np.ndarray, "k"]) -> Rows:
        """Some of the rows, copied."""
        return Rows(self.bases[rows], self.lengths[rows])


class Places(NamedTuple):
    """Sites of one motif, sorted by row and start; `reverse` where they lie on the other strand."""

    rows: Int[np.ndarray, "k"]
    starts: Int[np.ndarray, "k"]
    ends: Int[np.ndarray, "k"]
    reverse: Bool[np.ndarray, "k"]


def places(motif: MotifClass, bases: UInt8[np.ndarray, "b n"]) -> Places:
    """Where a motif lies, on every strand that its class is looked for on."""
    joined, _ = as_one(bases)
    width = bases.shape[1] + 1
    found = [(motif.rule.find(joined, reverse=strand == "-"), strand == "-") for strand in strands(motif)]
    starts = np.concatenate([spans.starts for spans, _ in found])
    ends = np.concatenate([spans.ends for spans, _ in found])
    reverse = np.concatenate([np.full(len(spans.starts), is_reverse) for spans, is_reverse in found])
    order = np.lexsort((ends, starts))
    rows = starts[order] // width
    return Places(rows, starts[order] - rows * width, ends[order] - rows * width, reverse[order])
