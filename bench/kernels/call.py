"""One call of attention with a learned pair table: its arrays, and how far answers are from float64."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gattn_tg.reference import Bias
from gattn_tg.reference import attention as reference
from gattn_tg.reference import attention_backward as reference_backward

MOTIFS = 16
GRADIENTS = ("dq", "dk", "dv", "dtable")


@dataclass(frozen=True)
class Call:
    """The arrays of one case, float32."""

    q: np.ndarray
    k: np.ndarray
    v: np.ndarray
    do: np.ndarray
    ids: np.ndarray
    table: np.ndarray

    @classmethod
    def draw(cls, h: int, n: int, d: int) -> Call:
        """One batch row of normal numbers."""
        rng = np.random.default_rng(0)
        q, k, v, do = rng.standard_normal((4, 1, h, n, d), dtype=np.float32)
        ids = rng.integers(0, MOTIFS, (1, n)).astype(np.uint8)
        return cls(q, k, v, do, ids, rng.standard_normal((MOTIFS, MOTIFS), dtype=np.float32))

    @property
    def bias(self) -> Bias:
        """The bias of the reference."""
        return Bias.pair(self.table, self.ids)

    def in_bfloat16(self) -> Call:
        """The same call with q, k, v and do at values that bfloat16 holds."""
        return Call(*(_bfloat16(x) for x in (self.q, self.k, self.v, self.do)), self.ids, self.table)

    def output_error(self, o: np.ndarray, rows: int) -> float:
        """Largest error of the last rows of the first head, relative to the largest true value."""
        last = slice(max(0, self.q.shape[2] - rows), None)
        bias = Bias.pair(self.table, self.ids[:, last], self.ids)
        true = reference(self.q[:, :1, last], self.k[:, :1], self.v[:, :1], bias)
        return relative(o[:, :1, last], true)

    def gradient_errors(self, found: Sequence[np.ndarray]) -> dict[str, float]:
        """Largest relative error of dq, dk, dv and dtable."""
        of = reference_backward(self.do, self.q, self.k, self.v, self.bias)
        true = [getattr(of, name) for name in GRADIENTS]
        return {name: relative(x, y) for name, x, y in zip(GRADIENTS, found, true, strict=True)}


def relative(found: np.ndarray, true: np.ndarray) -> float:
    """max |found - true| / max |true|."""
    return float(np.abs(found.astype(np.float64) - true).max() / np.abs(true).max())


def _bfloat16(x: np.ndarray) -> np.ndarray:
    bits = x.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)).view(np.float32)
