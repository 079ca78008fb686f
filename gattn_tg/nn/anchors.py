"""Which tokens are anchors: those of some motif classes, or one in so many; of too many, as many as there may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np
from tinygrad import Tensor, dtypes

from gattn_tg.nn.pool import valid_positions
from gattn_tg.ops import constants
from gattn_tg.types import Bool, Int

EVERY = "every "
Names: TypeAlias = "str | tuple[str, ...]"


@dataclass(frozen=True)
class Wanted:
    """What the words of a configuration ask for.

    Args:
        classes: motif classes whose bases are anchors.
        step: bases from one anchor to the next; 0 where no number is given, None where classes decide.
    """

    classes: tuple[str, ...] = ()
    step: int | None = None

    @classmethod
    def of(cls, words: Names) -> Self:
        """One class or several by name, "every 64", or "" for none."""
        if not isinstance(words, str):
            return cls(words)
        if not words.startswith(EVERY):
            return cls((words,) if words else ())
        number = words.removeprefix(EVERY)
        return cls(step=int(number) if number.isdecimal() and len(number) < 10 else 0)


def of_classes(motif_ids: Int[Tensor, "b n"], classes: Sequence[int]) -> Bool[Tensor, "b n"]:
    """Tokens whose motif id is one of these; of weights over motif ids, whose heaviest is."""
    ids = motif_ids.argmax(-1) if dtypes.is_float(motif_ids.dtype) else motif_ids
    first, *others = ((ids == c) for c in classes)
    for other in others:
        first = first | other
    return first


def one_in(step: int, motif_ids: Int[Tensor, "b n"]) -> Bool[Tensor, "b n"]:
    """Tokens 0, step, 2 step, ... of every row; motif ids say how many there are, and on which devices."""
    ids = motif_ids[..., 0] if dtypes.is_float(motif_ids.dtype) else motif_ids
    # compared with what is below it, so that rows lie where those of the ids do
    return _marks(ids.device)(step, ids.shape[1]) > ids.cast(dtypes.int32)


@constants.on_device
def _marks(step: int, n: int) -> Int[np.ndarray, "1 n"]:
    """A number above all ids at every anchor, else 0: in memory, as sums over formulas are computed again and again."""
    return np.where(np.arange(n) % step == 0, 1 << 16, 0).astype(np.int32)[None]


def placed(
    candidates: Bool[Tensor, "b n"], most: int, lengths: Int[Tensor, "b"] | None = None, *, is_causal: bool = False
) -> Int[Tensor, "b a"]:
    """The places of the anchors of every row in their order, a = min(most, n), with -1 behind them.

    Of c > a candidates the r-th, from 1, is taken where floor(r a / c) grows: a of them, evenly spread. In a causal
    model it is the first a, because how many will come may not show.

    Args:
        candidates: tokens that may be anchors.
        most: anchors of a row.
        lengths: valid tokens per row; padding is no anchor.
        is_causal: whether a token must not depend on later ones.
    """
    n = candidates.shape[1]
    a = min(most, n)
    if lengths is not None:
        candidates = candidates & valid_positions(n, lengths)
    rank = candidates.cast(dtypes.int32).cumsum(1)
    if is_causal:
        taken = candidates & (rank <= a)
    else:
        wide = rank.cast(dtypes.int64 if n * a >= 2**31 else dtypes.int32)
        count = wide[:, -1:].maximum(1)
        taken = candidates & ((count <= a) | (wide * a // count > (wide - 1) * a // count))
        rank = taken.cast(dtypes.int32).cumsum(1)
    rank = taken.where(rank - 1, -1).contiguous().unsqueeze(1)
    numbers = Tensor.arange(a, dtype=dtypes.int32).reshape(1, a, 1)
    return (rank == numbers).where(Tensor.arange(n, dtype=dtypes.int32), -1).max(-1).contiguous()


class Growing:
    """The anchors of sequences that grow token by token, as `placed` gives them to a causal model.

    Args:
        rows: sequences.
        size: tokens of the longest at the end.
        most: anchors of a sequence.
        left: tokens before it that every token sees.
        classes: motif ids of anchors.
        step: one token in so many is an anchor, whatever its id; None where ids decide.
    """

    def __init__(self, rows: int, size: int, most: int, left: int, classes: Sequence[int], step: int | None) -> None:
        self.is_anchor = np.zeros((rows, size), np.bool_)
        self.most, self.left, self.classes, self.step = most, left, frozenset(classes), step

    def note(self, row: int, place: int, motif_id: int) -> None:
        """A sequence has a token at this place."""
        is_candidate = motif_id in self.classes if self.step is None else place % self.step == 0
        self.is_anchor[row, place] = is_candidate and self.is_anchor[row].sum() < self.most

    def hidden(self, places: Int[np.ndarray, "b"]) -> Bool[np.ndarray, "b n"]:
        """Which places the tokens at these places do not see."""
        own = self.is_anchor[np.arange(len(places)), places][:, None]
        far: np.ndarray = np.arange(self.is_anchor.shape[1]) < places[:, None] - self.left
        hidden: np.ndarray = far & ~self.is_anchor & ~own
        return hidden
