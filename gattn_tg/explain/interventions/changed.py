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
from gattn_tg.types import Float, Int, UInt8

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
    """Stretches that one motif covers, sorted by row and start."""

    rows: Int[np.ndarray, "k"]
    starts: Int[np.ndarray, "k"]
    ends: Int[np.ndarray, "k"]


def places(motif: MotifClass, bases: UInt8[np.ndarray, "b n"]) -> Places:
    """Where a motif lies, on every strand that its class is looked for on.

    Sites that overlap are one stretch: `TATATATA` reads as a TATA box on both strands, and is one place all the same.
    """
    joined, _ = as_one(bases)
    width = bases.shape[1] + 1
    found = [motif.rule.find(joined, reverse=strand == "-") for strand in strands(motif)]
    starts, ends = (np.concatenate([getattr(spans, edge) for spans in found]) for edge in ("starts", "ends"))
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], np.maximum.accumulate(ends[order])
    is_first = np.append(True, starts[1:] >= ends[:-1])[: len(starts)]
    is_last = np.append(is_first[1:], True)[: len(starts)]
    starts, ends = starts[is_first], ends[is_last]
    rows = starts // width
    return Places(rows, starts - rows * width, ends - rows * width)
