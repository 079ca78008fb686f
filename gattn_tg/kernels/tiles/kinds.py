"""The kinds of bias: one frozen object each, which answers what every pass and every schedule asks about it.

    key      T[id_j]            pair     T[id_i, id_j]          same   T[id_i] where id_i == id_j
    ordered  T[id_i, id_j] where at_i <= at_j, else T[id_j, id_i]
    between  T[min(count, t-1)], count of events strictly between i and j, from two prefix sums
    dense    T[ids[i, j]]

A kind is laid out by row, or looked up by element. The first four are by row: per block of keys a panel holds the bias
of every class of query, `panel[a, j]`, so that a score costs one contiguous addition and its gradient one contiguous
sum per class. The others find the place in the table for every element.

A new kind is one more class here and its name in `KINDS`, its formula in `ops/attention/lazy.py`, a constructor of
`MotifBias`, and its definition in the reference. Operands of a new name also get a line in `ops/attention/operands.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from tinygrad import UOp, dtypes

from gattn_tg.kernels.tiles.body import element

# What a softmax does not tell about a table, because it cancels: a constant over the keys of a query; the same, where
# keys and queries change places; the entry that most pairs have; nothing.
Unseen = Literal["keys", "both", "first", "nothing"]


class Elements(Protocol):
    """What a kind asks of the score function of a kernel; `tiles/score.py` says what the methods give."""

    n: int
    t: dict[str, UOp]

    @property
    def classes(self) -> int: ...

    def table_entry(self, h: UOp, *index: UOp) -> UOp: ...

    def entry_at(self, h: UOp, index: UOp) -> UOp: ...

    def laid_out(self, a: UOp | int, j: UOp) -> UOp: ...

    def row_class(self, b: UOp, row: UOp) -> UOp: ...

    def is_forth(self, b: UOp, i: UOp, first: UOp, j: UOp) -> UOp: ...

    def is_after(self, b: UOp, i: UOp, first: UOp, j: UOp) -> UOp: ...

    def lane(self, name: str, j: UOp) -> UOp: ...


Share = Callable[[UOp], UOp]  # of the gradient of an element


@dataclass(frozen=True)
class BiasKind:
    """No bias; the base of all kinds.

    In the methods i is a row, first + j a key, a a row of the panel and `key` the class of a key.

    Args:
        name: what users call it.
        operands: tensors that it reads, in the order in which kernels take them.
        is_by_row: laid out per block of keys.
        is_by_element: looked up for every element.
        is_square: the table has an axis for the class of the query and one for that of the key.
        is_by_id: indexed by the ids of the two bases, and decided by them (and where they stand) alone. Such a table
            can be tied over the strands, moved to other ids, and read by blocks of a sequence that do not see the rest.
        is_ordered: the smaller coordinate comes first, so the table is read both ways; the other strand turns it.
        is_counted: indexed by how many occurrences lie between.
        is_map: an id is given for every pair.
        unseen: what a softmax leaves open.
        as_last: the kind that a query after all its keys may use in place of this one.
    """

    name: str = "none"
    operands: tuple[str, ...] = ()
    is_by_row: bool = False
    is_by_element: bool = False
    is_square: bool = False
    is_by_id: bool = False
    is_ordered: bool = False
    is_counted: bool = False
    is_map: bool = False
    unseen: Unseen = "nothing"
    as_last: str | None = None

    @property
    def sides(self) -> int:
        """How many ways the table is read."""
        return 2 if self.is_ordered else 1

    @property
    def axes(self) -> int:
        """Axes of the table of one head."""
        return 2 if self.is_square else 1

    def entries(self, classes: int) -> int:
        """Numbers in the table of one head."""
        return classes * classes if self.is_square else classes

    def panel_rows(self, classes: int) -> int:
        """Rows of lanes that one block of keys is laid out in."""
        return 1

    def columns(self, classes: int) -> int:
        """Sums that every row of queries keeps for the gradient of the table, where threads own rows."""
        return 0

    # ---- the score

    def panel_entry(self, scores: Elements, h: UOp, a: UOp, key: UOp) -> UOp:
        """What stands in row a of the panel for a key; kinds by row."""
        raise NotImplementedError

    def added(self, scores: Elements, s: UOp, b: UOp, h: UOp, i: UOp, first: UOp, j: UOp) -> UOp:
        """The score s with the bias of an element, and what is laid out for its key."""
        return s + scores.laid_out(0, j)

    def class_of(self, scores: Elements, b: UOp, i: UOp, first: UOp, j: UOp) -> UOp:
        """The place in the table of an element; kinds by element."""
        raise NotImplementedError

    # ---- the gradient of the table

    def shares(self, scores: Elements, b: UOp, i: UOp, first: UOp, j: UOp) -> Iterator[tuple[UOp | int, Share]]:
        """The rows of the panel that the gradient of an element belongs to, each with its share; kinds by row."""
        raise NotImplementedError

    def place(self, classes: int, a: UOp, key: UOp, value: UOp) -> tuple[UOp, UOp]:
        """Where the sum of a row of the panel for one key goes in the flat table, and what goes there."""
        raise NotImplementedError

    def kept(self, scores: Elements, b: UOp, row: UOp, key: UOp, value: UOp) -> UOp:
        """A sum over the keys of one class as far as it counts for a row; kinds by row."""
        return value

    def column(
        self, scores: Elements, value: UOp, key: Callable[[], UOp], b: UOp, i: UOp, first: UOp, j: UOp
    ) -> tuple[UOp, UOp]:
        """Where the gradient of an element belongs among the `columns` of its row, and what is added there."""
        return key(), value


@dataclass(frozen=True)
class Key(BiasKind):
    """T[id_j]."""

    name: str = "key"
    operands: tuple[str, ...] = ("ids_k", "table")
    is_by_row: bool = True
    is_by_id: bool = True
    unseen: Unseen = "keys"

    def columns(self, classes: int) -> int:
        return classes

    def panel_entry(self, scores: Elements, h: UOp, a: UOp, key: UOp) -> UOp:
        return scores.table_entry(h, key)

    def shares(self, scores: Elements, b: UOp, i: UOp, first: UOp, j: UOp) -> Iterator[tuple[UOp | int, Share]]:
        yield 0, lambda value: value

    def place(self, classes: int, a: UOp, key: UOp, value: UOp) -> tuple[UOp, UOp]:
        return key, value


@dataclass(frozen=True)
class Pair(BiasKind):
    """T[id_i, id_j]: the panel has a row for every class of query."""

    name: str = "pair"
    operands: tuple[str, ...] = ("ids_q", "ids_k", "table")
    is_by_row: bool = True
    is_square: bool = True
    is_by_id: bool = True
    unseen: Unseen = "keys"

    def panel_rows(self, classes: int) -> int:
        return classes

    def columns(self, classes: int) -> int:
        return classes

    def panel_entry(self, scores: Elements, h: UOp, a: UOp, key: UOp) -> UOp:
        return scores.table_entry(h, a, key)

    def added(self, scores: Elements, s: UOp, b: UOp, h: UOp, i: UOp, first: UOp, j: UOp) -> UOp:
        return s + scores.laid_out(scores.row_class(b, i.minimum(scores.n - 1)), j)

    def shares(self, scores: Elements, b: UOp, i: UOp, first: UOp, j: UOp) -> Iterator[tuple[UOp | int, Share]]:
        yield scores.row_class(b, i.minimum(scores.n - 1)), lambda value: value

    def place(self, classes: int, a: UOp, key: UOp, value: UOp) -> tuple[UOp, UOp]:
        return a * classes + key, value


@dataclass(frozen=True)
class Same(Pair):
    """T[id_i] where id_i == id_j, else 0."""

    name: str = "same"
    is_square: bool = False
    unseen: Unseen = "nothing"

    def panel_entry(self, scores: Elements, h: UOp, a: UOp, key: UOp) -> UOp:
        return a.eq(key).where(scores.table_entry(h, a), 0.0)

    def place(self, classes: int, a: UOp, key: UOp, value: UOp) -> tuple[UOp, UOp]:
        return a, a.eq(key).where(value, 0.0)

    def kept(self, scores: Elements, b: UOp, row: UOp, key: UOp, value: UOp) -> UOp:
        return scores.row_class(b, row).eq(key).where(value, 0.0)

    def column(
        self, scores: Elements, value: UOp, key: Callable[[], UOp], b: UOp, i: UOp, first: UOp, j: UOp
    ) -> tuple[UOp, UOp]:
        return key(), self.kept(scores, b, i.minimum(scores.n - 1), key(), value)


@dataclass(frozen=True)
class Ordered(Pair):
    """T[id_i, id_j] where at_i <= at_j, else T[id_j, id_i]: the second half of the panel reads the table turned."""

    name: str = "ordered"
    is_ordered: bool = True
    unseen: Unseen = "both"
    as_last: str | None = "pair"

    def panel_rows(self, classes: int) -> int:
        return 2 * classes

    def columns(self, classes: int) -> int:
        return 2 * classes

    def panel_entry(self, scores: Elements, h: UOp, a: UOp, key: UOp) -> UOp:
        forth = a < scores.classes
        return scores.table_entry(h, forth.where(a, key), forth.where(key, a - scores.classes))

    def added(self, scores: Elements, s: UOp, b: UOp, h: UOp, i: UOp, first: UOp, j: UOp) -> UOp:
        a = scores.row_class(b, i.minimum(scores.n - 1))
        forth = scores.is_forth(b, i, first, j)
        return s + forth.where(scores.laid_out(a, j), scores.laid_out(a + scores.classes, j))

    def shares(self, scores: Elements, b: UOp, i: UOp, first: UOp, j: UOp) -> Iterator[tuple[UOp | int, Share]]:
        a = scores.row_class(b, i.minimum(scores.n - 1))
        forth = scores.is_forth(b, i, first, j)
        known = forth.simplify()  # one key: it comes after every row, and the other half would add nothing,
        if known.vmax:  # a statement that stores what it reads, which tinygrad drops with all before it
            yield a, lambda value: forth.where(value, 0.0)
        if not known.vmin:
            yield a + scores.classes, lambda value: forth.where(0.0, value)

    def place(self, classes: int, a: UOp, key: UOp, value: UOp) -> tuple[UOp, UOp]:
        return (a < classes).where(a * classes + key, key * classes + (a - classes)), value

    def column(
        self, scores: Elements, value: UOp, key: Callable[[], UOp], b: UOp, i: UOp, first: UOp, j: UOp
    ) -> tuple[UOp, UOp]:
        return scores.is_forth(b, i, first, j).where(key(), key() + scores.classes), value


@dataclass(frozen=True)
class LookedUp(BiasKind):
    """A kind by element: the table at `class_of`."""

    is_by_element: bool = True

    def columns(self, classes: int) -> int:
        return classes

    def added(self, scores: Elements, s: UOp, b: UOp, h: UOp, i: UOp, first: UOp, j: UOp) -> UOp:
        at = self.class_of(scores, b, i, first, j).cast(dtypes.weakint)
        return s + scores.laid_out(0, j) + scores.entry_at(h, at)

    def column(
        self, scores: Elements, value: UOp, key: Callable[[], UOp], b: UOp, i: UOp, first: UOp, j: UOp
    ) -> tuple[UOp, UOp]:
        return self.class_of(scores, b, i, first, j).cast(dtypes.weakint), value


@dataclass(frozen=True)
class Between(LookedUp):
    """T[min(count, t-1)], the events that begin strictly between i and j, from how many begin up to and before each."""

    name: str = "between"
    operands: tuple[str, ...] = ("upto_q", "before_q", "upto_k", "before_k", "table")
    is_counted: bool = True
    unseen: Unseen = "first"
    as_last: str | None = "dense"

    def class_of(self, scores: Elements, b: UOp, i: UOp, first: UOp, j: UOp) -> UOp:
        row = i.minimum(scores.n - 1)
        upto, before = element(scores.t["upto_q"], b, row), element(scores.t["before_q"], b, row)
        forth, back = scores.lane("before_k", j) - upto, before - scores.lane("upto_k", j)
        return scores.is_after(b, i, first, j).where(forth, back).maximum(0).minimum(scores.classes - 1)


@dataclass(frozen=True)
class Dense(LookedUp):
    """T[ids[i, j]]."""

    name: str = "dense"
    operands: tuple[str, ...] = ("ids", "table")
    is_map: bool = True

    def class_of(self, scores: Elements, b: UOp, i: UOp, first: UOp, j: UOp) -> UOp:
        return element(scores.t["ids"], b, i.minimum(scores.n - 1), first + j).cast(dtypes.int)


NONE = BiasKind()
KINDS: dict[str, BiasKind] = {kind.name: kind for kind in (Key(), Pair(), Same(), Ordered(), Between(), Dense())}
