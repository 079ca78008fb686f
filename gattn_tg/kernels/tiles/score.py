"""Score functions: what is added to a product of two rows, which products count, and the gradient of the table.

    s[i, j] = product * scale + bias(i, j) - slope |i + m - n - j|      -inf where row i does not see j

One object serves every pass and every schedule. The bias comes from a small table, as its kind says (`tiles/kinds.py`):
laid out per block of keys as rows of lanes, `panel[a, j]` for class a of the query, or looked up for every element. A
key that nobody sees is -inf in the panel. Scores are in units of log 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tinygrad import UOp, dtypes

from gattn_tg.kernels.tiles.body import Body, element
from gattn_tg.kernels.tiles.kinds import NONE, BiasKind
from gattn_tg.kernels.tiles.tile import LANES, is_nan, saturate

LOG2E = math.log2(math.e)
LIMIT = 1e30 * LOG2E  # beyond it sums of scores overflow float32
LEAST = -1e38  # below every score, so that the maximum of an empty row is a number
NEVER = 3e38  # a maximum that makes every probability 0


@dataclass(frozen=True)
class Score:
    """The static part of a score function.

    Args:
        scale: factor on the products.
        kind: of the bias, or NONE.
        classes: entries along one axis of the table.
        is_causal: row i sees j <= i + m - n.
        left, right: row i sees i + m - n - left <= j <= i + m - n + right; None is unbounded.
        has_lengths: every batch row has its own number of keys.
        has_segments: only equal labels see each other.
        has_slopes: the distance of a key takes slopes[h] a token from its score.
        has_broken: broken numbers were taken out of q, k and v, and marked in operands broken_q and broken_k.
        has_places: `ordered` compares given coordinates at_q, at_k; otherwise the places i + m - n and j.
        picked: the side that was picked from a longer one, "q" or "k": row i stands at place stands_q[i], or key j at
            stands_k[j]; all rules go by places. What stands at -1 neither sees nor is seen.
        ahead: where keys were picked, the place of row 0.
        is_beyond: where keys were picked, rows see what is outside of the window instead of what is in it.
        relative: width of the products by distance that are added to those of q and k; 0 for none. They are no part of
            the score function: kernels that have them take their factors as its last operands.
    """

    scale: float
    kind: BiasKind = NONE
    classes: int = 1
    is_causal: bool = False
    left: int | None = None
    right: int | None = None
    has_lengths: bool = False
    has_segments: bool = False
    has_places: bool = False
    has_slopes: bool = False
    has_broken: bool = False
    picked: str = ""
    ahead: int = 0
    is_beyond: bool = False
    relative: int = 0

    @property
    def operands(self) -> tuple[str, ...]:
        """Names of the tensors the score reads, in the order in which a kernel takes them."""
        names = self.kind.operands
        names += ("at_q", "at_k") if self.has_places else ()
        names += ("lengths",) if self.has_lengths else ()
        names += ("segments_q", "segments_k") if self.has_segments else ()
        names += (f"stands_{self.picked}",) if self.picked else ()
        names += ("slopes",) if self.has_slopes else ()
        names += ("broken_q", "broken_k") if self.has_broken else ()
        return names + (("relative_q", "relative_k") if self.relative else ())

    @property
    def name(self) -> str:
        """The part of a kernel's name that tells scores apart."""
        words = [] if self.kind is NONE else [f"{self.kind.name}{self.classes}"]
        if self.reach != (None, None):
            words += ["causal" if self.reach == (None, 0) else f"window_{self.left}_{self.right}"]
        words += ["places"] * self.has_places + ["lengths"] * self.has_lengths + ["segments"] * self.has_segments
        words += ["slopes"] * self.has_slopes + [f"relative{self.relative}"] * (self.relative > 0)
        if self.picked:
            words += [f"picked_{self.picked}"] + ["causal"] * self.is_causal
            words += [f"beyond_{self.left}_{self.right}"] * self.is_beyond
        return "_".join(words) or "plain"

    @property
    def reach(self) -> tuple[int | None, int | None]:
        """How far row i sees to the left and right among the keys in their order; all, where they were picked."""
        if self.picked:
            return None, None
        return self.left, (min(0, self.right or 0) if self.is_causal else self.right)

    @property
    def entries(self) -> int:
        """Numbers in the table of one head."""
        return self.kind.entries(self.classes)

    @property
    def panel_rows(self) -> int:
        """Rows of lanes that one block of keys is laid out in."""
        return self.kind.panel_rows(self.classes)

    @property
    def columns(self) -> int:
        """Sums that every row of queries keeps for the gradient of the table, where threads own rows."""
        return self.kind.columns(self.classes)


class ScoreBody:
    """A score function inside one kernel: statements for a block of keys, an expression per element.

    Args:
        body: the kernel under construction.
        score: the static part.
        tensors: what `score.operands` names.
        n, m: rows and keys.
        broken: has nan for the broken keys of a block, else 0.
    """

    def __init__(
        self, body: Body, score: Score, tensors: tuple[UOp, ...], n: int, m: int, broken: UOp | None = None
    ) -> None:
        self.body, self.score, self.n, self.m, self.broken = body, score, n, m, broken
        self.t = dict(zip(score.operands, tensors, strict=True))
        self.panel = body.array(score.panel_rows, LANES)
        self.end = body.array(1, dtype=dtypes.int)  # keys of the block before its padding
        self.entries = body.array(score.classes) if score.kind.is_by_element else None
        self.ints: dict[str, UOp] = {
            name: body.array(LANES, dtype=dtypes.int)
            for name in ("at_k", "upto_k", "before_k", "segments_k", "stands_k")
            if name in self.t
        }

    @property
    def classes(self) -> int:
        """Entries along one axis of the table."""
        return self.score.classes

    # ---- blocks of keys

    def keys(self, b: UOp) -> UOp:
        """Number of keys of batch row b."""
        m = UOp.const(self.m, dtypes.int)
        return self.t["lengths"][b].maximum(0).minimum(m) if "lengths" in self.t else m

    def seen_keys(self, b: UOp, first: UOp, last: UOp) -> tuple[UOp, UOp]:
        """First key seen by any of the rows first..last, and the one after the last."""
        left, right = self.score.reach
        start, stop = UOp.const(0, dtypes.int), self.keys(b)
        if left is not None:
            start = (first.cast(dtypes.int) + (self.m - self.n - left)).maximum(0)
        if right is not None:
            stop = stop.minimum(last.cast(dtypes.int) + (self.m - self.n + right + 1))
        return start, stop

    def seeing_rows(self, first: UOp) -> tuple[UOp, UOp]:
        """First row that sees any key of the block starting at key `first`, and the one after the last."""
        left, right = self.score.reach
        start, stop = UOp.const(0, dtypes.int), UOp.const(self.n, dtypes.int)
        if right is not None:
            start = (first.cast(dtypes.int) - (self.m - self.n + right)).maximum(0)
        if left is not None:
            stop = stop.minimum(first.cast(dtypes.int) + (self.block_keys - self.m + self.n + left))
        return start, stop

    def load(self, b: UOp, h: UOp, first: UOp) -> None:
        """Lay out what the block of keys starting at `first` needs."""
        body, kind = self.body, self.score.kind
        body.write(self.end, (0,), self.keys(b) - first.cast(dtypes.int))
        with body.loops(self.score.panel_rows, LANES) as (a, j):
            value = UOp.const(0.0, dtypes.float32) if self.broken is None else body.read(self.broken, j)
            if kind.is_by_row:
                at = (first + j).minimum(self.m - 1)
                key = element(self.t["ids_k"], b, at).cast(dtypes.weakint)
                value = value + kind.panel_entry(self, h, a, key) * LOG2E
            body.write(self.panel, (a, j), self.is_inside(first, j).where(value, -math.inf))
        for name, lanes in self.ints.items():
            with body.loop(LANES) as j:
                body.write(lanes, (j,), element(self.t[name], b, (first + j).minimum(self.m - 1)))
        if self.entries is not None:
            with body.loop(self.score.classes) as c:
                body.write(self.entries, (c,), self.table_entry(h, c) * LOG2E)

    @property
    def pads(self) -> bool:
        """Whether a block may have keys that no row sees because they are padding."""
        return self.score.has_lengths or self.m % self.block_keys != 0

    @property
    def block_keys(self) -> int:
        """Keys at a time."""
        return LANES

    @property
    def pads_panel(self) -> bool:
        """Whether padding is -inf in the panel, and nothing that may be nan is added to it."""
        return self.entries is None and not self.score.relative

    def is_inside(self, first: UOp, j: UOp) -> UOp:
        """Whether key j of the block that starts at `first` is no padding."""
        return j.cast(dtypes.int) < self.body.read(self.end, 0)

    def table_entry(self, h: UOp, *index: UOp) -> UOp:
        """An entry of the table of a head, in nats, as scores add it."""
        table = self.t["table"]
        return entry(element(table, h if table.shape[0] > 1 else 0, *index))

    # ---- elements

    def value(
        self, s: UOp, b: UOp, h: UOp, i: UOp, first: UOp, j: UOp, top: UOp | None = None, mark: UOp | None = None
    ) -> UOp:
        """The score of row i and key first + j, from their product (in units of log 2), less top where it is given.

        A mark is nan where the pair met a broken number that neither the row nor the key holds, else 0.

        -inf where the row does not see the key, whatever the numbers are; for padding only where they are finite.
        """
        s, row = saturate(s, LIMIT), i.minimum(self.n - 1)
        s = self.score.kind.added(self, s, b, h, i, first, j)
        if self.score.has_slopes:
            apart = self.apart(b, i, first, j)
            apart = (apart < 0).where(-apart, apart).cast(dtypes.float32)
            s = s - self.t["slopes"][h].cast(dtypes.float32) * LOG2E * apart
        if mark is not None:
            s = s + mark
        if top is not None:
            s = s - top
        seen = self._seen(b, row, i, first, j)
        return s if seen is None else seen.where(s, -math.inf)

    def entry_at(self, h: UOp, index: UOp) -> UOp:
        """An entry of the table, in units of log 2, for the kinds that are not laid out."""
        assert self.entries is not None
        return self.body.read(self.entries, index)

    def class_of(self, b: UOp, i: UOp, first: UOp, j: UOp) -> UOp:
        """Table index of row i and key first + j, for the kinds that are not laid out."""
        return self.score.kind.class_of(self, b, i, first, j)

    def is_forth(self, b: UOp, i: UOp, first: UOp, j: UOp) -> UOp:
        """Whether row i does not come after key first + j."""
        if self.score.has_places:
            return element(self.t["at_q"], b, i.minimum(self.n - 1)) <= self.lane("at_k", j)
        return self.is_after(b, i, first, j)

    def apart(self, b: UOp, i: UOp, first: UOp, j: UOp) -> UOp:
        """Places from key first + j on to row i: below 0 for a key that comes after it."""
        if self.score.picked == "k":
            return (i + self.score.ahead).cast(dtypes.int) - self.lane("stands_k", j)
        # lanes are taken from one number per row in 32 bits
        if self.score.picked == "q":
            return element(self.t["stands_q"], b, i.minimum(self.n - 1)) - first.cast(dtypes.int) - j.cast(dtypes.int)
        return (i + (self.m - self.n)).cast(dtypes.int) - first.cast(dtypes.int) - j.cast(dtypes.int)

    def is_after(self, b: UOp, i: UOp, first: UOp, j: UOp) -> UOp:
        """Whether key first + j does not stand before row i."""
        if self.score.picked:
            return self.apart(b, i, first, j) <= 0
        return j.cast(dtypes.int) >= (i + (self.m - self.n)).cast(dtypes.int) - first.cast(dtypes.int)

    def _seen(self, b: UOp, row: UOp, i: UOp, first: UOp, j: UOp) -> UOp | None:
        left, right = self.score.reach
        rules = []
        # lanes are compared in 32 bits against one number per row
        place = (i + (self.m - self.n)).cast(dtypes.int) - first.cast(dtypes.int)
        if self.score.picked:
            rules += self._by_stands(b, i, first, j)
        if right is not None:
            rules.append(j.cast(dtypes.int) <= place + right)
        if left is not None:
            rules.append(j.cast(dtypes.int) >= place - left)
        if self.score.has_segments:
            rules.append(element(self.t["segments_q"], b, row).eq(self.lane("segments_k", j)))
        if self.pads and not self.pads_panel:
            rules.append(self.is_inside(first, j))
        seen = None
        for rule in rules:
            seen = rule if seen is None else seen & rule
        return seen

    def _by_stands(self, b: UOp, i: UOp, first: UOp, j: UOp) -> list[UOp]:
        """The rules of rows or keys that stand at places of their own."""
        left, right, apart = self.score.left, self.score.right, self.apart(b, i, first, j)
        is_row = self.score.picked == "q"
        rules = [(element(self.t["stands_q"], b, i.minimum(self.n - 1)) if is_row else self.lane("stands_k", j)) >= 0]
        if self.score.is_causal:
            rules.append(apart >= 0)
        if self.score.is_beyond:
            sides = [] if left is None else [apart > left]
            sides += [] if right is None else [apart < -right]
            rules.append(sides[0] if len(sides) == 1 else sides[0] | sides[1])
        return rules

    def row_class(self, b: UOp, row: UOp) -> UOp:
        """Class id of a row."""
        return element(self.t["ids_q"], b, row).cast(dtypes.weakint)

    def laid_out(self, a: UOp | int, j: UOp) -> UOp:
        """Bias of class a and a key of the block; -inf for keys that nobody sees."""
        return self.body.read(self.panel, a, j)

    def lane(self, name: str, j: UOp) -> UOp:
        """A key's number among those that `load` brought."""
        return self.body.read(self.ints[name], j)


def entry(x: UOp) -> UOp:
    """An entry of a table as scores add it: -inf hides its pairs, +inf is nan as inf - inf is, others saturate."""
    limit = LIMIT / LOG2E
    x = (x > limit).where((x < math.inf).where(limit, math.nan), x)
    return (x < -limit).where((x > -math.inf).where(-limit, x), x)


def is_broken_row(inverse: UOp, delta: UOp) -> UOp:
    """Whether a row sees something and met a broken number."""
    return inverse.ne(0.0) & is_nan(inverse + delta)


def broken_top(top: UOp, inverse: UOp, delta: UOp) -> UOp:
    """What is taken from the scores of a row: nan where the row sees something and met a broken number, else top."""
    return is_broken_row(inverse, delta).where(math.nan, top)
