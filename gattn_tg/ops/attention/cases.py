"""Named small calls of attention: the shapes live here once and feed tests, benches and tuning."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gattn_tg.kernels.tiles.kinds import KINDS
from gattn_tg.types import Float, Int

Pair = tuple[int | None, int | None]


@dataclass(frozen=True)
class Case:
    """Describes one call by numbers only; `inputs` draws the arrays.

    Args:
        name: Short name, used as test id.
        b, h, g, n, m, d, e: Batch, query heads, key heads, queries, keys, head width, value width.
        kind: Bias kind, None for no bias.
        t: Entries along one axis of the table.
        n_motifs: Motif ids, where they differ from t; only `between` looks up something else than ids.
        per_head: Every query head has its own table.
        complement: Ties the table over the strands.
        rope: Keywords of Rope, None for no rotation.
        positions: index (default coordinates), near (gaps), far (gaps from 900,000 on), shuffled.
        is_causal, window_size, lengths, scale: As in `attention`.
        segments: How many segments each row is cut into, 0 for no segments.
        slopes: Whether distance takes from the scores, in every head by another slope.
        anchors: Places given as anchors, in no order, some of them twice or no places of keys; 0 gives none.
    """

    name: str
    b: int = 2
    h: int = 2
    g: int = 2
    n: int = 37
    m: int = 37
    d: int = 8
    e: int = 8
    kind: str | None = None
    t: int = 5
    n_motifs: int | None = None
    per_head: bool = False
    complement: tuple[int, ...] | None = None
    rope: dict[str, Any] | None = None
    positions: str = "index"
    is_causal: bool = False
    window_size: int | Pair | None = None
    lengths: tuple[int, ...] | None = None
    segments: int = 0
    scale: float | None = None
    slopes: bool = False
    anchors: int = 0

    def __str__(self) -> str:
        return self.name

    def inputs(self, seed: int = 0) -> Inputs:
        """Draws the arrays of the call, the same for the same name and seed."""
        draw = np.random.default_rng([seed, zlib.crc32(self.name.encode())])
        q = draw.normal(size=(self.b, self.h, self.n, self.d))
        k = draw.normal(size=(self.b, self.g, self.m, self.d))
        v = draw.normal(size=(self.b, self.g, self.m, self.e))
        do = draw.normal(size=(self.b, self.h, self.n, self.e))
        dlse = draw.normal(size=(self.b, self.h, self.n))
        axes = (self.t,) * (1 if self.kind is None else KINDS[self.kind].axes)
        table = draw.normal(size=(self.h, *axes) if self.per_head else axes)
        n_motifs = self.t if self.n_motifs is None else self.n_motifs
        ids_k = runs(draw, (self.b, self.m), n_motifs)
        ids = ids_k if self.n == self.m else runs(draw, (self.b, self.n), n_motifs)
        is_map = self.kind is not None and KINDS[self.kind].is_map
        if is_map:
            ids = draw.integers(0, self.t, (self.b, self.n, self.m)).astype(np.uint8)
        return Inputs(
            case=self,
            q=q,
            k=k,
            v=v,
            do=do,
            dlse=dlse,
            table=table,
            ids=ids,
            ids_k=ids_k if self.n != self.m and not is_map else None,
            positions=self.both_sides(self.drawn_positions(draw)),
            segments=self.both_sides(self.drawn_segments(draw)),
            anchors=draw.integers(-1, self.m + 1, (self.b, self.anchors)).astype(np.int32) if self.anchors else None,
        )

    def drawn_positions(self, draw: np.random.Generator) -> Int[np.ndarray, "b x"] | None:
        """Draws coordinates for the longer side; the shorter one takes their end."""
        if self.positions == "index":
            return None
        gaps = draw.integers(0, 4, (self.b, max(self.n, self.m)))
        places = np.cumsum(gaps, axis=1) + (900_000 if self.positions == "far" else 0)
        return (draw.permuted(places, axis=1) if self.positions == "shuffled" else places).astype(np.int32)

    def drawn_segments(self, draw: np.random.Generator) -> Int[np.ndarray, "b x"] | None:
        """Cuts the longer side into segments; the shorter one takes their end."""
        if not self.segments:
            return None
        return np.sort(draw.integers(0, self.segments, (self.b, max(self.n, self.m))), axis=1).astype(np.int32)

    def both_sides(self, x: Int[np.ndarray, "b x"] | None) -> Any:
        """Gives one array for equal sides, or a pair (queries, keys) with aligned ends."""
        if x is None or self.n == self.m:
            return x
        return x[:, x.shape[1] - self.n :], x[:, x.shape[1] - self.m :]


@dataclass(frozen=True, eq=False)
class Inputs:
    """The arrays of one case, float64 and small integers."""

    case: Case
    q: Float[np.ndarray, "b h n d"]
    k: Float[np.ndarray, "b g m d"]
    v: Float[np.ndarray, "b g m e"]
    do: Float[np.ndarray, "b h n e"]
    dlse: Float[np.ndarray, "b h n"]
    table: Float[np.ndarray, "*shape"]
    ids: Int[np.ndarray, "*shape"]
    ids_k: Int[np.ndarray, "b m"] | None
    positions: Any
    segments: Any
    anchors: Int[np.ndarray, "b a"] | None

    def rounded(self, rounding: Callable[[Float[np.ndarray, "*shape"]], Float[np.ndarray, "*shape"]]) -> Inputs:
        """Gives the same call with every floating input passed through `rounding`."""
        q, k, v, do, dlse, table = map(rounding, (self.q, self.k, self.v, self.do, self.dlse, self.table))
        return replace(self, q=q, k=k, v=v, do=do, dlse=dlse, table=table)

    def keywords(
        self, bias: Callable[..., Any], rope: Callable[..., Any], array: Callable[..., Any], table: Any = None
    ) -> dict[str, Any]:
        """Gives the keywords of `attention` for the reference (NumPy) or for ops (Tensor).

        Args:
            bias: Bias or MotifBias.
            rope: The Rope of the same room.
            array: Turns an integer array into what the room takes.
            table: Replaces the table, for instance by a Tensor that wants a gradient.
        """
        case = self.case
        made = None
        if case.kind is not None:
            ids_k = None if self.ids_k is None else array(self.ids_k)
            made = bias(case.kind, self.table if table is None else table, array(self.ids), ids_k, case.complement)
        return {
            "bias": made,
            "rope": None if case.rope is None else rope(**case.rope),
            "positions": each(array, self.positions),
            "is_causal": case.is_causal,
            "window_size": case.window_size,
            "lengths": None if case.lengths is None else array(np.asarray(case.lengths, np.int32)),
            "segments": each(array, self.segments),
            "scale": case.scale,
            "slopes": array(2.0 ** -np.arange(1, case.h + 1, dtype=np.float32)) if case.slopes else None,
            "anchors": each(array, self.anchors),
        }


def each(array: Callable[..., Any], x: Any) -> Any:
    """Applies `array` to one array, to both of a pair, or to nothing."""
    if x is None:
        return None
    return tuple(array(side) for side in x) if isinstance(x, tuple) else array(x)


def runs(draw: np.random.Generator, shape: tuple[int, int], t: int) -> Int[np.ndarray, "b n"]:
    """Draws motif ids that come in runs, as motifs do, with gaps of zeros."""
    rows = []
    for _ in range(shape[0]):
        ids = draw.integers(0, t, shape[1]) * (draw.random(shape[1]) < 0.7)
        rows.append(np.repeat(ids, draw.integers(1, 4, shape[1]))[: shape[1]])
    return np.stack(rows).astype(np.uint8)


SWAP = (0, 2, 1, 3, 4)  # motifs 1 and 2 are each other's image on the other strand; the rest are palindromes

# Sizes are primes above 32: they fill no tile, and tinygrad unrolls shorter loops completely, which makes a case
# several times slower to compile.
CASES = (
    Case("plain"),
    Case("one_token", b=1, n=1, m=1),
    Case("decode", n=1, m=37, is_causal=True),
    Case("odd_widths", n=37, m=41, d=5, e=3),
    Case("grouped", h=4, g=2, d=4),
    Case("one_key_head", h=3, g=1, d=4),
    Case("scale", scale=0.7),
    Case("causal", is_causal=True),
    Case("causal_more_keys", n=37, m=41, is_causal=True),
    Case("causal_fewer_keys", n=43, m=37, is_causal=True),  # the first 6 queries see nothing
    Case("window", window_size=(3, 2)),
    Case("window_same_both", window_size=4),
    Case("window_left", window_size=(5, None), is_causal=True),
    Case("window_right", n=37, m=43, window_size=(-1, 1)),
    Case("window_self", window_size=(0, 0)),
    Case("slopes", slopes=True, n=37, m=41),
    Case("lengths", lengths=(37, 11)),
    Case("lengths_empty", b=3, lengths=(0, 1, 37), is_causal=True),
    Case("lengths_more_keys", n=37, m=41, lengths=(41, 24)),
    Case("segments", segments=3),
    Case("segments_more_keys", n=37, m=41, segments=3, is_causal=True),
    *(Case(kind, kind=kind) for kind in KINDS),
    *(Case(f"{kind}_per_head", kind=kind, per_head=True, h=4, g=2, d=4) for kind in KINDS),
    *(Case(f"{name}_tied", kind=name, complement=SWAP, per_head=kind.is_square and not kind.is_ordered)
      for name, kind in KINDS.items() if kind.is_by_id),
    *(Case(f"{kind}_more_keys", kind=kind, n=37, m=41, is_causal=True, lengths=(41, 29)) for kind in KINDS),
    Case("between_few_counts", kind="between", t=3, n_motifs=16),
    Case("pair_16", kind="pair", t=16),
    Case("ordered_shuffled", kind="ordered", positions="shuffled"),
    Case("rope", rope={}),
    Case("rope_interleaved", rope={"interleaved": True}),
    Case("rope_partial", rope={"rotary_dim": 4, "theta": 100.0}),
    Case("rope_partial_interleaved", rope={"rotary_dim": 6, "interleaved": True}, n=37, m=41, is_causal=True),
    Case("rope_linear", rope={"linear_scale": 4.0}, positions="near"),
    Case("rope_ntk", rope={"ntk_scale": 8.0}, positions="near", n=37, m=41),
    Case("rope_yarn", rope={"yarn_scale": 8.0, "yarn_context": 64}, positions="near", n=37, m=41),
    Case("rope_far", rope={}, positions="far"),
    Case(
        "all_together",
        b=3,
        h=4,
        g=2,
        n=37,
        m=41,
        e=6,
        kind="ordered",
        per_head=True,
        complement=SWAP,
        rope={"rotary_dim": 6},
        positions="far",
        is_causal=True,
        window_size=(9, None),
        lengths=(41, 18, 3),
        segments=2,
        slopes=True,
    ),
    Case("anchors_causal", n=37, m=41, window_size=(4, 0), is_causal=True, anchors=7, lengths=(41, 29), kind="key"),
    Case("anchors_fewer_keys", n=43, m=37, kind="ordered", window_size=(-1, 2), segments=2, slopes=True, anchors=5),
    Case("anchors_between", b=1, kind="between", window_size=2, anchors=6, per_head=True),
    Case("anchors_decode", n=1, m=37, is_causal=True, window_size=(5, 0), anchors=9, kind="pair"),
    Case(
        "anchors_all_together",
        b=3,
        h=4,
        g=2,
        n=37,
        m=41,
        e=6,
        kind="ordered",
        per_head=True,
        complement=SWAP,
        rope={"rotary_dim": 6},
        positions="far",
        is_causal=True,
        window_size=(5, None),
        lengths=(41, 18, 3),
        segments=2,
        slopes=True,
        anchors=9,
    ),
    Case("anchors_past_tiles", n=67, m=131, d=16, e=16, kind="pair", window_size=(20, 9), rope={}, anchors=70),
    Case("past_tiles", n=67, m=131, d=16, e=16, kind="key", is_causal=True, lengths=(131, 70), rope={}),
    Case("past_tiles_between", b=1, n=67, m=131, d=16, e=16, kind="between", window_size=(40, 20)),
)
