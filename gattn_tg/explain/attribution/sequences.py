"""The sequences that are explained: base ids, motif ids, lengths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gattn_tg.seq import N
from gattn_tg.types import Float, Int, UInt8


@dataclass(frozen=True)
class Asked:
    """Sequences of one padded width, with what the network reads for them.

    Args:
        bases: base ids, padded behind with N.
        motif_ids: motif id of every base.
        lengths: bases of each.
        places: the base that is asked for, which has an N; None where no base is hidden.
    """

    bases: UInt8[np.ndarray, "s n"]
    motif_ids: UInt8[np.ndarray, "s n"]
    lengths: Int[np.ndarray, "s"]
    places: Int[np.ndarray, "s"] | None = None

    @classmethod
    def of(
        cls, rows: Sequence[UInt8[np.ndarray, "n"]], width: int, annotated: Callable[[np.ndarray], np.ndarray],
        places: Int[np.ndarray, "s"] | None = None,
    ) -> Asked:
        """The sequences, padded behind.

        Args:
            rows: base ids of each.
            width: bases that they are padded to.
            annotated: what gives the motif ids of the padded rows.
            places: base of each that is asked for, and has an N.
        """
        bases = np.full((len(rows), width), N, np.uint8)
        for held, row in zip(bases, rows, strict=True):
            held[: len(row)] = row
        return cls(bases, annotated(bases), np.array([len(row) for row in rows], np.int32), places)

    @property
    def inputs(self) -> tuple[np.ndarray, ...]:
        """What the network reads."""
        return (self.bases, self.motif_ids, *self.told)

    @property
    def told(self) -> tuple[Int[np.ndarray, "s"], ...]:
        """What the network is told of each sequence beside its bases and motif ids."""
        return (self.lengths,) if self.places is None else (self.lengths, self.places)

    def one(self, i: int) -> UInt8[np.ndarray, "n"]:
        """The bases of a sequence."""
        return self.bases[i, : self.lengths[i]]


@dataclass(frozen=True)
class Attribution:
    """What the bases of one sequence give to an answer.

    Args:
        answer: what the model says of the sequence.
        hypothetical: for A C G T at every base, what it gives or would give.
        contributions: of the base that is there, 0 for N.
        by_motif: of the motif id of every base, counted beside it; 0 where a changed base changes its motifs.
        residual: |answer - reference - sum of all contributions| as a share of |answer - reference|; nan where a
            method promises no sum.
    """

    answer: float
    hypothetical: Float[np.ndarray, "n 4"]
    contributions: Float[np.ndarray, "n"]
    by_motif: Float[np.ndarray, "n"]
    residual: float = float("nan")


def there(ids: UInt8[np.ndarray, "n"], table: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n"]:
    """The entry of the base that is there; 0 for N."""
    picked = np.take_along_axis(table, np.minimum(ids, 3)[:, None].astype(np.int64), axis=1)[:, 0]
    found: np.ndarray = np.where(ids < N, picked, 0.0)
    return found
