"""What is known of each row of a data set without its bases: whether it is a copy, and how much of it is N.

Some bytes per row: what goes over all rows (copies in other sets, parts that keep copies together, fingerprints) reads
these and not the sequences, which may be more than fits into memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np

from gattn_tg.seq.alphabet import N
from gattn_tg.seq.strand import reverse_complement
from gattn_tg.types import Int, UInt8

AT_ONCE = 1 << 24  # bytes of rows that are read together


@dataclass(frozen=True)
class RowFacts:
    """One number of each kind per row.

    Args:
        sequence: digest of the bases; equal for copies, as they stand or on the other strand (two of 10^9 different
            rows share one by chance).
        content: digest of bases and motif ids, which do not follow from bases where states were measured.
        unknown: bases that are N.
    """

    sequence: Int[np.ndarray, "N"]
    content: Int[np.ndarray, "N"]
    unknown: Int[np.ndarray, "N"]

    def subset(self, rows: Int[np.ndarray, "k"]) -> RowFacts:
        """Those of some rows, in that order."""
        return RowFacts(self.sequence[rows], self.content[rows], self.unknown[rows])


def facts_of(bases: Any, motif_ids: Any, lengths: Int[np.ndarray, "N"]) -> RowFacts:
    """The facts of rows, of which only some are in memory at a time.

    Args:
        bases: base ids (N, n), padded behind `lengths`: an array, or rows of a mapped file.
        motif_ids: motif ids of the same shape.
        lengths: bases of each row.
    """
    n = len(lengths)
    found = RowFacts(np.empty(n, np.uint64), np.empty(n, np.uint64), np.empty(n, np.int32))
    for rows in blocks(n, bases.shape[1]):
        some, ids, long = bases[rows], motif_ids[rows], lengths[rows]
        inside = np.arange(some.shape[1]) < long[:, None]
        found.unknown[rows] = ((some == N) & inside).sum(1)
        digests = [_digests(row[:end], marks[:end]) for row, marks, end in zip(some, ids, long.tolist(), strict=True)]
        found.sequence[rows], found.content[rows] = np.array(digests, np.uint64).reshape(-1, 2).T
    return found


def blocks(n: int, width: int) -> Iterator[slice]:
    """Rows 0 to n in slices that are read at once.

    Args:
        n: rows.
        width: bytes of each.
    """
    size = max(AT_ONCE // max(width, 1), 1)
    return (slice(first, min(first + size, n)) for first in range(0, n, size))


def _digests(bases: UInt8[np.ndarray, "n"], motif_ids: UInt8[np.ndarray, "n"]) -> tuple[int, int]:
    of_bases = blake2b(bases.tobytes(), digest_size=8)
    of_both = of_bases.copy()
    of_both.update(motif_ids.tobytes())
    other = blake2b(reverse_complement(bases).tobytes(), digest_size=8)
    least = min(of_bases.digest(), other.digest())
    return int.from_bytes(least, "little"), int.from_bytes(of_both.digest(), "little")
