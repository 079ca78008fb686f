"""One attention call, checked and normalised: what every implementation receives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from tinygrad import Tensor, dtypes

from gattn_tg.errors import ConfigError, ShapeError
from gattn_tg.ops.attention.bias import MotifBias, occurrence_counts
from gattn_tg.ops.attention.rope import Rope
from gattn_tg.types import Float, Int

Pair: TypeAlias = Tensor | tuple[Tensor, Tensor]
Window: TypeAlias = int | tuple[int | None, int | None]
LARGEST_SCORE = 1e30  # where scores saturate
LARGEST_SCALE = 3.4028234663852886e38  # of float32: kernels multiply by it there


@dataclass(frozen=True)
class Problem:
    """Operands with agreeing shapes, and the static choices that decide which scores exist.

    Query i stands at key index i + m - n (bottom-right alignment); `visible` means
    causal: j <= i + m - n;  window (left, right): i + m - n - left <= j <= i + m - n + right, None = unbounded;
    lengths: j < lengths[b];  segments: segments_q[b, i] == segments_k[b, j].
    `slopes` take slopes[h] |i + m - n - j| from the scores of head h.
    `relative` adds <relative[0][b, h, i], relative[1][h, j - i + n - 1]>: r = n + m - 1 distances from 1 - m on.
    `anchors` are places of keys that are visible, and whose queries see, beside the window as well; -1 is none.

    Where queries or keys were `picked` from longer ones ("q" or "k"), `stands` are their places, by which all rules and
    distances go, and what stands at -1 neither sees nor is seen; query 0 stands at `ahead` where it is keys that were
    picked, and key j at j where it is queries. `is_beyond` then means outside of the window, and `counts` are those of
    `counted`, from the longer ones.
    """

    q: Float[Tensor, "b h n d"]
    k: Float[Tensor, "b g m d"]
    v: Float[Tensor, "b g m e"]
    scale: float
    bias: MotifBias | None = None
    rope: Rope | None = None
    positions_q: Int[Tensor, "b n"] | None = None
    positions_k: Int[Tensor, "b m"] | None = None
    is_causal: bool = False
    window: tuple[int | None, int | None] = (None, None)
    lengths: Int[Tensor, "b"] | None = None
    segments_q: Int[Tensor, "b n"] | None = None
    segments_k: Int[Tensor, "b m"] | None = None
    slopes: Float[Tensor, "h"] | None = None
    relative: tuple[Float[Tensor, "b h n c"], Float[Tensor, "h r c"]] | None = None
    anchors: Int[Tensor, "b a"] | None = None
    picked: str = ""
    stands: Int[Tensor, "b a"] | None = None
    ahead: int = 0
    is_beyond: bool = False
    counts: Mapping[str, Tensor] | None = None

    @property
    def sizes(self) -> tuple[int, int, int, int, int, int, int]:
        """b, h, g, n, m, d, e."""
        b, h, n, d = self.q.shape
        _, g, m, e = self.v.shape
        return b, h, g, n, m, d, e

    def ids(self) -> tuple[Int[Tensor, "b n"], Int[Tensor, "b m"]]:
        """Motif id of every query and key, uint8, for the kinds that look up bases (not `dense`)."""
        if self.bias is None or self.bias.ids_k is None:
            raise ConfigError("attention: expected ids per base, got none; use another kind")
        return self.bias.ids, self.bias.ids_k

    def coordinates(self) -> tuple[Int[Tensor, "b n"], Int[Tensor, "b m"]]:
        """Coordinate of every query and key, integers (1 or b, n) and (1 or b, m): the given positions, or places."""
        _, _, _, n, m, _, _ = self.sizes
        first = self.ahead if self.picked else m - n
        at_q = Tensor.arange(first, first + n, dtype=dtypes.int32).unsqueeze(0)
        at_k = Tensor.arange(m, dtype=dtypes.int32).unsqueeze(0)
        if self.stands is not None:
            at_q, at_k = (self.stands, at_k) if self.picked == "q" else (at_q, self.stands)
        return (at_q if self.positions_q is None else self.positions_q,
                at_k if self.positions_k is None else self.positions_k)

    @property
    def turns_alike(self) -> bool:
        """Whether queries and keys have the same coordinates, which then need to be looked at once only."""
        is_same = self.positions_q is self.positions_k and self.q.shape[2] == self.k.shape[2]
        return is_same and (self.positions_q is not None or not self.picked)

    def counted(self) -> Mapping[str, Tensor]:
        """How many motif occurrences begin up to (`upto_`) and before every query (`_q`) and key (`_k`)."""
        if self.counts is not None:
            return self.counts
        _, _, _, n, m, _, _ = self.sizes
        upto, before = occurrence_counts(self.ids()[1])
        return {"upto_k": upto, "before_k": before, "upto_q": upto[:, m - n :], "before_q": before[:, m - n :]}


def build(
    q: Tensor, k: Tensor, v: Tensor, *, bias: MotifBias | None, rope: Rope | None, positions: Pair | None,
    is_causal: bool, window_size: Window | None, lengths: Tensor | None, segments: Pair | None, scale: float | None,
    slopes: Tensor | None = None, relative: tuple[Tensor, Tensor] | None = None, anchors: Tensor | None = None,
) -> Problem:
    """Check an attention call and fill in its defaults.

    Raises:
        ShapeError: operands disagree.
        ConfigError: choices that cannot be combined.
    """
    for name, x in (("q", q), ("k", k), ("v", v)):
        if len(x.shape) != 4:
            raise ShapeError(f"attention: expected {name} of shape (batch, heads, positions, width), got "
                             f"{tuple(x.shape)}; add the missing axes with reshape or unsqueeze")
        if not dtypes.is_float(x.dtype):
            raise ShapeError(f"attention: expected {name} in floating point, got {x.dtype}; cast it")
        if x.dtype != q.dtype:
            raise ShapeError(f"attention: expected q, k and v of one dtype, got q of {q.dtype} and {name} of "
                             f"{x.dtype}; cast them to the same")
        if 0 in x.shape:
            raise ShapeError(f"attention: expected {name} that is not empty, got shape {tuple(x.shape)}")
    b, h, n, d = q.shape
    bk, g, m, dk = k.shape
    if dk != d:
        raise ShapeError(f"attention: expected k of head width {d} like q, got {dk}; project both to the same width")
    if bk != b or v.shape[0] != b:
        raise ShapeError(f"attention: expected q, k and v of one batch, got {b}, {bk} and {v.shape[0]}")
    if tuple(v.shape[:3]) != (bk, g, m):
        raise ShapeError(f"attention: expected v with k's heads and positions, {(g, m)}, got {tuple(v.shape[1:3])}")
    if h % g:
        raise ShapeError(f"attention: expected key heads that divide the {h} query heads (grouped-query attention), "
                         f"got {g}; change n_kv_heads")
    if bias is not None:
        bias = _fit_bias(bias, b, h, n, m)
    # rotations are exact in 64 bits; the kernels compare places and labels in 32
    is_compared = bias is not None and bias.rule.is_ordered
    positions_q, positions_k = _both(positions, "positions", b, n, m, is_compared)
    segments_q, segments_k = _both(segments, "segments", b, n, m, True)
    if rope is not None:
        rope.width(d)
    if lengths is not None:
        if not dtypes.is_int(lengths.dtype) or tuple(lengths.shape) != (b,):
            raise ShapeError(f"attention: expected lengths of integers of shape ({b},), valid keys per batch row, got "
                             f"{lengths.dtype} of shape {tuple(lengths.shape)}")
        lengths = lengths.clamp(0, m).cast(dtypes.int32)  # before the cast: a length of 2^32 must not become 0
    if scale is not None and not abs(scale) <= LARGEST_SCALE:  # nan too
        raise ConfigError(f"attention scale: expected a finite float32, got {scale}; leave it out for d**-0.5")
    window = _window(window_size)
    return Problem(q, k, v, d**-0.5 if scale is None else float(scale), bias, rope, positions_q, positions_k, is_causal,
                   window, lengths, segments_q, segments_k, _fit_slopes(slopes, h, n + m),
                   _fit_relative(relative, b, h, n, m), _fit_anchors(anchors, b, n + m, window, is_causal))


def _fit_slopes(slopes: Tensor | None, h: int, reach: int) -> Tensor | None:
    """Slopes as constants in float32, so small that what they take over the whole reach of a call is finite."""
    if slopes is None:
        return None
    if tuple(slopes.shape) != (h,) or not dtypes.is_float(slopes.dtype):
        raise ShapeError(f"attention: expected slopes of floats of shape ({h},), one per query head, got "
                         f"{slopes.dtype} of shape {tuple(slopes.shape)}")
    most, slopes = LARGEST_SCORE / reach, slopes.detach().cast(dtypes.float32)
    slopes = (slopes > most).where(most, slopes)  # nan stays
    return (slopes < -most).where(-most, slopes)


def _fit_anchors(
    anchors: Tensor | None, b: int, reach: int, window: tuple[int | None, int | None], is_causal: bool
) -> Tensor | None:
    """Anchors as int32; None where the window hides nothing, so that they change nothing."""
    if anchors is None:
        return None
    if not dtypes.is_int(anchors.dtype) or len(anchors.shape) != 2 or anchors.shape[0] != b:
        raise ShapeError(f"attention: expected anchors of integers of shape ({b}, a), places of keys, got "
                         f"{anchors.dtype} of shape {tuple(anchors.shape)}")
    left, right = hiding(window, reach)
    if anchors.shape[1] == 0 or (left is None and (right is None or is_causal)):
        return None
    if anchors.dtype.itemsize > 4:
        anchors = anchors.cast(dtypes.int64).clamp(-1, 2**31 - 1)  # before the cast: 2^32 must not become 0
    return anchors.cast(dtypes.int32)


def _fit_relative(
    relative: tuple[Tensor, Tensor] | None, b: int, h: int, n: int, m: int
) -> tuple[Tensor, Tensor] | None:
    if relative is None:
        return None
    of_q, of_k = relative
    if len(of_q.shape) != 4 or tuple(of_q.shape[:3]) != (b, h, n) or not dtypes.is_float(of_q.dtype):
        raise ShapeError(f"attention: expected relative queries of floats of shape {(b, h, n)} and a width, got "
                         f"{of_q.dtype} of shape {tuple(of_q.shape)}")
    wanted = (h, n + m - 1, of_q.shape[3])
    if tuple(of_k.shape) != wanted or not dtypes.is_float(of_k.dtype):
        raise ShapeError(f"attention: expected relative keys of floats of shape {wanted}, one for each distance from "
                         f"{1 - m} to {n - 1}, got {of_k.dtype} of shape {tuple(of_k.shape)}")
    return of_q, of_k


def _fit_bias(bias: MotifBias, b: int, h: int, n: int, m: int) -> MotifBias:
    where = f"attention: bias {bias.kind}"
    if bias.per_head and bias.table.shape[0] != h:
        raise ShapeError(f"{where}: expected {h} tables, one per head, got {bias.table.shape[0]}")
    top = 255 if bias.rule.is_counted else bias.n_motifs - 1  # occurrences are counted, their ids not looked up

    def inside(ids: Tensor) -> Tensor:
        # a look-up must stay in the table whatever the ids are; 256 entries hold every uint8
        return ids if top == 255 and ids.dtype == dtypes.uint8 else ids.clamp(0, top).cast(dtypes.uint8)

    if bias.rule.is_map:
        if tuple(bias.ids.shape) != (b, n, m):
            raise ShapeError(f"{where}: expected ids of shape {(b, n, m)}, one a pair, got {tuple(bias.ids.shape)}")
        return replace(bias, ids=inside(bias.ids))
    if tuple(bias.ids.shape) != (b, n):
        raise ShapeError(f"{where}: expected ids of shape {(b, n)}, one per query, got {tuple(bias.ids.shape)}")
    if bias.ids_k is None and n != m:
        raise ShapeError(f"{where}: expected ids_k, because queries ({n}) and keys ({m}) differ, got none; pass ids_k "
                         f"of shape {(b, m)}")
    if bias.ids_k is not None and tuple(bias.ids_k.shape) != (b, m):
        raise ShapeError(f"{where}: expected ids_k of shape {(b, m)}, one per key, got {tuple(bias.ids_k.shape)}")
    if bias.rule.is_counted and n > m:
        raise ShapeError(f"{where}: expected queries that are the last of the keys, got {n} queries and {m} keys")
    return replace(bias, ids=inside(bias.ids), ids_k=inside(bias.ids if bias.ids_k is None else bias.ids_k))


def _both(
    given: Pair | None, name: str, b: int, n: int, m: int, is_narrow: bool
) -> tuple[Tensor | None, Tensor | None]:
    if given is None:
        return None, None
    if isinstance(given, Tensor) and n != m:
        raise ShapeError(f"attention: expected a pair of {name} (of queries, of keys) for {n} queries and {m} keys, "
                         "got one Tensor")
    for_q, for_k = given if isinstance(given, tuple) else (given, given)

    def fit(x: Tensor, size: int) -> Tensor:
        if not dtypes.is_int(x.dtype):
            raise ShapeError(f"attention: expected {name} of integers, got {x.dtype}")
        if tuple(x.shape) not in ((size,), (1, size), (b, size)):
            raise ShapeError(f"attention: expected {name} of shape ({size},) or {(b, size)}, got {tuple(x.shape)}")
        if x.dtype.itemsize < 4 or x.dtype == dtypes.int32:
            x = x.cast(dtypes.int32)
        elif is_narrow:
            x = _narrowed(x, name)
        return x.reshape(-1, size).expand(b, size)

    return fit(for_q, n), fit(for_k, m)


def _narrowed(x: Int[Tensor, "..."], name: str) -> Int[Tensor, "..."]:
    """Integers of a wide type in 32 bits; their values are read, because a cast would cut them without a word."""
    low, high = int(x.min().item()), int(x.max().item())
    if low < -(2**31) or high >= 2**31:
        raise ShapeError(f"attention: expected {name} that fit 32 bits here, got {low} to {high}; "
                         + ("number the labels from 0" if name == "segments" else "subtract the smallest"))
    return x.cast(dtypes.int32)


def hiding(window: tuple[int | None, int | None], reach: int) -> tuple[int | None, int | None]:
    """The sides of a window, None for one that hides nothing of `reach` queries and keys."""
    left, right = (None if x is None or x >= reach else x for x in window)
    return left, right


def _window(window_size: Window | None) -> tuple[int | None, int | None]:
    left, right = window_size if isinstance(window_size, tuple) else (window_size, window_size)

    def side(x: int | None) -> int | None:
        if x is None or x == -1:
            return None
        if x < 0:
            raise ConfigError(f"attention window_size: expected the keys kept on each side (>= 0, or -1 for all), got "
                              f"{window_size}")
        return int(x)

    return side(left), side(right)
