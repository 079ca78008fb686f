"""The score function of `tiles/score.py` where a group of threads works on a block of keys together."""

from __future__ import annotations

from typing import Protocol

from tinygrad import UOp, dtypes
from tinygrad.dtype import DType

from gattn_tg.kernels.tiles.body import Body, element
from gattn_tg.kernels.tiles.kinds import NONE
from gattn_tg.kernels.tiles.score import LOG2E, Score, ScoreBody
from gattn_tg.kernels.tiles.score import entry as bounded_entry
from gattn_tg.kernels.tiles.tile import ceildiv

# operands with a number per key
IN_LINES = ("ids_k", "at_k", "upto_k", "before_k", "segments_k", "stands_k", "broken_k")
STAGED = 1024  # entries of a table that is copied to shared memory; larger ones are read where they are


class Cut(Protocol):
    """How a group of threads cuts its work, as far as the score asks."""

    @property
    def threads(self) -> int: ...

    @property
    def keys(self) -> int: ...


class Threads(Protocol):
    """The threads of one group inside one kernel, of whatever schedule, as far as the score needs them."""

    body: Body
    thread: UOp

    @property
    def layout(self) -> Cut: ...

    def line(self, size: int, dtype: DType = ...) -> UOp: ...

    def part(self) -> None: ...


def words(score: Score, keys: int) -> int:
    """Words of shared memory that the score takes."""
    names = [name for name in score.operands if name in IN_LINES]
    return (score.entries if score.kind is not NONE and score.entries <= STAGED else 0) + keys * len(names)


class GroupScore(ScoreBody):
    """A score function inside one kernel: the table and the numbers of a block of keys are in shared memory.

    Args:
        group: the threads.
        score: the static part.
        tensors: what `score.operands` names.
        n, m: rows and keys.
    """

    def __init__(self, group: Threads, score: Score, tensors: tuple[UOp, ...], n: int, m: int) -> None:
        self.group, self.body, self.score, self.n, self.m = group, group.body, score, n, m
        self.t = dict(zip(score.operands, tensors, strict=True))
        self.ints = {
            name: group.line(group.layout.keys, dtypes.int)
            for name in IN_LINES[:-1]
            if name in self.t
        }
        is_staged = "table" in self.t and score.entries <= STAGED
        self.table = group.line(score.entries) if is_staged else None
        self.entries = None
        self.broken = group.line(group.layout.keys) if score.has_broken else None
        self.place: tuple[UOp, UOp, UOp] | None = None

    @property
    def block_keys(self) -> int:
        """Keys at a time."""
        return self.group.layout.keys

    def load_table(self, h: UOp) -> None:
        """Copy the table of one head; a barrier must follow."""
        if self.table is None:
            return
        size, threads = self.score.entries, self.group.layout.threads
        self.group.part()
        given, classes = self.t["table"], self.score.classes
        with self.body.loop(ceildiv(size, threads)) as turn:
            entry = (turn * threads + self.group.thread).minimum(size - 1)
            index = (entry // classes, entry % classes) if len(given.shape) == 3 else (entry,)
            value = bounded_entry(element(given, h if given.shape[0] > 1 else 0, *index).cast(dtypes.float32))
            self.body.write(self.table, (entry,), value)

    def load(self, b: UOp, h: UOp, first: UOp) -> None:
        """Copy what the block of keys starting at `first` needs; a barrier must follow.

        Spare threads write the last element again, the same number. A condition would not do: tinygrad 0.14 simplifies
        every index that it reshapes together with all statements before it, and rewrites conditional ones only there.
        """
        keys, threads = self.block_keys, self.group.layout.threads
        self.place = (b, h, first)
        for name, lanes in self.ints.items():
            self.group.part()
            with self.body.loop(ceildiv(keys, threads)) as turn:
                j = (turn * threads + self.group.thread).minimum(keys - 1)
                number = element(self.t[name], b, (first + j).minimum(self.m - 1)).cast(dtypes.int)
                self.body.write(lanes, (j,), number)
        if self.broken is not None:
            self.group.part()
            with self.body.loop(ceildiv(keys, threads)) as turn:
                j = (turn * threads + self.group.thread).minimum(keys - 1)
                self.body.write(self.broken, (j,), self.broken_key(b, h // self.heads, first, j))

    @property
    def heads(self) -> int:
        """Query heads that read one key head."""
        return int(self.t["broken_q"].shape[1]) // int(self.t["broken_k"].shape[1])

    def broken_key(self, b: UOp, g: UOp, first: UOp, j: UOp) -> UOp:
        """nan where key first + j is broken, else 0."""
        return element(self.t["broken_k"], b, g, (first + j).minimum(self.m - 1))

    def broken_row(self, b: UOp, h: UOp, row: UOp) -> UOp | float:
        """nan where q of a row is broken, else 0."""
        return element(self.t["broken_q"], b, h, row) if self.score.has_broken else 0.0

    @property
    def pads_panel(self) -> bool:
        """There is no panel."""
        return False

    def is_inside(self, first: UOp, j: UOp) -> UOp:
        """Whether key j of the block that starts at `first` is no padding."""
        assert self.place is not None
        return (first + j).cast(dtypes.int) < self.keys(self.place[0])

    def entry_at(self, h: UOp, index: UOp) -> UOp:
        """An entry of the table, in units of log 2, for the kinds that are not laid out."""
        return self.table_entry(h, index) * LOG2E

    def laid_out(self, a: UOp | int, j: UOp) -> UOp:
        """Bias of class a and a key of the block; nan for a broken key."""
        assert self.place is not None
        _, h, _ = self.place
        value = UOp.const(0.0, dtypes.float32) if self.broken is None else self.body.read(self.broken, j)
        if self.score.kind.is_by_row:
            row = a if isinstance(a, UOp) else UOp.const(a, dtypes.weakint)
            value = value + self.score.kind.panel_entry(self, h, row, self.key_class(j)) * LOG2E
        return value

    def row_class(self, b: UOp, row: UOp) -> UOp:
        """Class id of a row."""
        return self._bounded(element(self.t["ids_q"], b, row).cast(dtypes.int))

    def key_class(self, j: UOp) -> UOp:
        """Class id of a key of the block."""
        return self._bounded(self.lane("ids_k", j))

    def _bounded(self, id_: UOp) -> UOp:
        # without a bound tinygrad computes the place in the table in 64 bits, which WebGPU does not have
        return (id_ & ((1 << self.score.classes.bit_length()) - 1)).cast(dtypes.weakint)

    def table_entry(self, h: UOp, *index: UOp) -> UOp:
        """An entry of the table of a head, in nats, as scores add it."""
        if self.table is None:
            return super().table_entry(h, *index)
        at = index[0] if len(index) == 1 else index[0] * self.score.classes + index[1]
        return self.body.read(self.table, at)

    def column(self, value: UOp, b: UOp, i: UOp, first: UOp, j: UOp) -> tuple[UOp, UOp]:
        """Where the gradient of one score belongs among the columns of its row, and what is added there."""
        return self.score.kind.column(self, value, lambda: self.key_class(j), b, i, first, j)
