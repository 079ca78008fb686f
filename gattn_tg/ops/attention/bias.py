"""The learnable motif bias: a small table added to the scores where motifs meet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinygrad import Tensor, dtypes

from gattn_tg.errors import ConfigError, ShapeError
from gattn_tg.kernels.tiles.kinds import KINDS, BiasKind
from gattn_tg.types import Float, Int


@dataclass(frozen=True)
class MotifBias:
    """A table and the motif ids that look it up; build it with `MotifBias.pair(table, ids)` and its siblings.

    | kind    | bias[i, j]                                               | table (per head: h first) |
    |---------|----------------------------------------------------------|---------------------------|
    | key     | T[id_j]                                                  | (t,)                      |
    | pair    | T[id_i, id_j]                                            | (t, t)                    |
    | same    | T[id_i] if id_i == id_j else 0                           | (t,)                      |
    | ordered | T[id_left, id_right], left = the smaller coordinate      | (t, t)                    |
    | between | T[min(count, t-1)], occurrences strictly between i and j | (t,)                      |
    | dense   | T[id_ij], ids given for every pair                       | (t,)                      |

    An occurrence (`between`) is a maximal run of one same non-zero id, and sits at the first base of the run.

    Args:
        kind: one of the above.
        table: learnable values added to the scaled scores, in nats.
        ids: motif id per query, integers 0..t-1 of shape (b, n); `dense`: per pair, (b, n, m). An id above t-1
            counts as t-1, so that no look-up leaves the table; `models.captured.inputs` refuses such ids by name.
        ids_k: motif id per key, (b, m); None where queries and keys are the same bases.
        complement: id map under reverse complement (`tie_strands`), which ties the two strands' entries.
    """

    kind: str
    table: Tensor
    ids: Int[Tensor, "b n"]
    ids_k: Int[Tensor, "b m"] | None = None
    complement: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        where = f"MotifBias.{self.kind}"
        if self.kind not in KINDS:
            raise ConfigError(f"MotifBias kind: expected one of {', '.join(KINDS)}, got {self.kind!r}")
        square = self.rule.is_square
        shape = self.table.shape
        if len(shape) not in ((2, 3) if square else (1, 2)) or (square and shape[-1] != shape[-2]):
            wanted = "(t, t) or (h, t, t)" if square else "(t,) or (h, t)"
            raise ShapeError(f"{where}: expected a table of shape {wanted}, got {tuple(shape)}")
        if not 1 <= shape[-1] <= 256:
            raise ShapeError(f"{where}: expected a table of 1 to 256 motif ids, got {shape[-1]}")
        if not dtypes.is_float(self.table.dtype):
            raise ShapeError(f"{where}: expected a table in floating point, got {self.table.dtype}")
        for name, ids, axes in (("ids", self.ids, 3 if self.rule.is_map else 2), ("ids_k", self.ids_k, 2)):
            if ids is None:
                continue
            if not dtypes.is_int(ids.dtype):
                raise ShapeError(f"{where}: expected {name} of integers, got {ids.dtype}; cast them to uint8")
            if len(ids.shape) != axes:
                wanted = "(b, n, m)" if axes == 3 else "(b, n)"
                raise ShapeError(f"{where}: expected {name} of shape {wanted}, got {tuple(ids.shape)}")
        if self.complement is not None:
            self._check_complement(self.complement)

    def _check_complement(self, complement: tuple[int, ...]) -> None:
        t = self.n_motifs
        if not self.rule.is_by_id:
            others = ", ".join(name for name, kind in KINDS.items() if kind.is_by_id)
            raise ConfigError(f"MotifBias.{self.kind}: expected for tie_strands a table indexed by motif ids, got a "
                              f"kind without one; use one of {others}")
        if len(complement) != t or sorted(complement) != list(range(t)) or any(
            complement[complement[a]] != a for a in range(t)
        ):
            raise ConfigError(f"MotifBias.{self.kind}: expected tie_strands that map the ids 0..{t - 1} onto "
                              f"themselves and back (an involution), got {complement}")

    @property
    def rule(self) -> BiasKind:
        """What the kind says of itself."""
        return KINDS[self.kind]

    @property
    def n_motifs(self) -> int:
        """Number of entries along one axis of the table (t)."""
        return int(self.table.shape[-1])

    @property
    def per_head(self) -> bool:
        """Whether every query head has a table of its own."""
        return len(self.table.shape) == self.rule.axes + 1

    def tied_table(self) -> Float[Tensor, "h t ..."]:
        """The table as the scores see it: float32, strands tied, with a head axis of size 1 or h in front."""
        table = self.table.cast(dtypes.float32)
        if not self.per_head:
            table = table.unsqueeze(0)
        if self.complement is None:
            return table
        c = self.complement
        mirror = table
        for axis in range(1, len(table.shape)):
            mirror = _permute(mirror, c, axis)
        if self.rule.is_ordered:
            mirror = mirror.transpose(-1, -2)
        return (table + mirror) * 0.5

    @classmethod
    def key(cls, table: Tensor, ids: Tensor, ids_k: Tensor | None = None,
            tie_strands: Sequence[int] | None = None) -> MotifBias:
        """T[id_j]: how much any query attends to a key of this motif; table (t,) or (h, t)."""
        return cls("key", table, ids, ids_k, _complement(tie_strands))

    @classmethod
    def pair(cls, table: Tensor, ids: Tensor, ids_k: Tensor | None = None,
             tie_strands: Sequence[int] | None = None) -> MotifBias:
        """T[id_i, id_j]: a query's motif meets a key's motif; table (t, t) or (h, t, t)."""
        return cls("pair", table, ids, ids_k, _complement(tie_strands))

    @classmethod
    def same(cls, table: Tensor, ids: Tensor, ids_k: Tensor | None = None,
             tie_strands: Sequence[int] | None = None) -> MotifBias:
        """T[id_i] where both bases carry the same motif, else 0; table (t,) or (h, t)."""
        return cls("same", table, ids, ids_k, _complement(tie_strands))

    @classmethod
    def ordered(cls, table: Tensor, ids: Tensor, ids_k: Tensor | None = None,
                tie_strands: Sequence[int] | None = None) -> MotifBias:
        """T[id_left, id_right], read 5' to 3': the motif at the smaller coordinate first; table (t, t)."""
        return cls("ordered", table, ids, ids_k, _complement(tie_strands))

    @classmethod
    def between(cls, table: Tensor, ids: Tensor, ids_k: Tensor | None = None) -> MotifBias:
        """T[min(count, t-1)], count = motif occurrences strictly between the two bases; table (t,) or (h, t)."""
        return cls("between", table, ids, ids_k)

    @classmethod
    def dense(cls, table: Tensor, ids: Tensor) -> MotifBias:
        """T[id_ij] with an id for every pair of bases, uint8 (b, n, m): the only kind with O(n m) memory."""
        return cls("dense", table, ids)


def occurrence_counts(ids_k: Int[Tensor, "b m"]) -> tuple[Int[Tensor, "b m"], Int[Tensor, "b m"]]:
    """Occurrences that start at or before each base, and strictly before it, int32."""
    ids = ids_k.cast(dtypes.int32)
    previous = ids[:, :-1].pad(((0, 0), (1, 0)))
    starts = ((ids != 0) & (ids != previous)).cast(dtypes.int32)
    upto = starts.cumsum(1)
    return upto, upto - starts


def _permute(x: Tensor, order: tuple[int, ...], axis: int) -> Tensor:
    rows = [x.shrink(tuple((a, a + 1) if i == axis else None for i in range(len(x.shape)))) for a in order]
    return rows[0].cat(*rows[1:], dim=axis)


def _complement(tie_strands: Sequence[int] | None) -> tuple[int, ...] | None:
    return None if tie_strands is None else tuple(int(c) for c in tie_strands)
