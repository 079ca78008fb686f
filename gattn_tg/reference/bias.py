"""Motif bias as one index per (query, key) into a table, so that all kinds share bias and gradient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gattn_tg.errors import ConfigError, ShapeError
from gattn_tg.types import Float, Int

PER_KEY_KINDS = ("key", "same", "between", "dense")
PER_PAIR_KINDS = ("pair", "ordered")
TIED_KINDS = ("key", "pair", "same", "ordered")
NO_BIAS = -1
MOST_IDS = 256  # an id is one byte


@dataclass(frozen=True, eq=False)
class Bias:
    """Names a bias kind, its table and the motif ids it is looked up with.

    Args:
        kind: key, pair, same, ordered, between or dense.
        table: (t,) or (h, t) for key, same, between and dense; (t, t) or (h, t, t) for pair and ordered.
        ids: Motif ids of the queries (b, n); for dense, table indices (b, n, m).
        ids_k: Motif ids of the keys (b, m); None when they are the ids of the queries.
        complement: Id of each motif on the other strand; ties the table over the strands before use.

    Raises:
        ConfigError: The kind is unknown, or the complement map does not fit it.
    """

    kind: str
    table: Float[np.ndarray, "*shape"]
    ids: Int[np.ndarray, "*shape"]
    ids_k: Int[np.ndarray, "b m"] | None = None
    complement: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.kind not in PER_KEY_KINDS + PER_PAIR_KINDS:
            known = ", ".join(PER_KEY_KINDS + PER_PAIR_KINDS)
            raise ConfigError(f"reference.Bias kind: expected one of {known}, got {self.kind!r}; name one of them")
        if self.complement is not None:
            check_complement(self.kind, self.complement, np.shape(self.table)[-1])

    @classmethod
    def key(
        cls,
        table: Float[np.ndarray, "*shape"],
        ids: Int[np.ndarray, "b n"],
        ids_k: Int[np.ndarray, "b m"] | None = None,
        tie_strands: tuple[int, ...] | None = None,
    ) -> Bias:
        """Adds `T[id_j]`."""
        return cls("key", table, ids, ids_k, tie_strands)

    @classmethod
    def pair(
        cls,
        table: Float[np.ndarray, "*shape"],
        ids: Int[np.ndarray, "b n"],
        ids_k: Int[np.ndarray, "b m"] | None = None,
        tie_strands: tuple[int, ...] | None = None,
    ) -> Bias:
        """Adds `T[id_i, id_j]`."""
        return cls("pair", table, ids, ids_k, tie_strands)

    @classmethod
    def same(
        cls,
        table: Float[np.ndarray, "*shape"],
        ids: Int[np.ndarray, "b n"],
        ids_k: Int[np.ndarray, "b m"] | None = None,
        tie_strands: tuple[int, ...] | None = None,
    ) -> Bias:
        """Adds `T[id_i]` where `id_i == id_j`, else 0."""
        return cls("same", table, ids, ids_k, tie_strands)

    @classmethod
    def ordered(
        cls,
        table: Float[np.ndarray, "*shape"],
        ids: Int[np.ndarray, "b n"],
        ids_k: Int[np.ndarray, "b m"] | None = None,
        tie_strands: tuple[int, ...] | None = None,
    ) -> Bias:
        """Adds `T[id_left, id_right]`, the motif at the smaller coordinate first."""
        return cls("ordered", table, ids, ids_k, tie_strands)

    @classmethod
    def between(
        cls,
        table: Float[np.ndarray, "*shape"],
        ids: Int[np.ndarray, "b n"],
        ids_k: Int[np.ndarray, "b m"] | None = None,
    ) -> Bias:
        """Adds `T[min(count, t-1)]`, count = motif occurrences that start strictly between i and j."""
        return cls("between", table, ids, ids_k)

    @classmethod
    def dense(cls, table: Float[np.ndarray, "*shape"], ids: Int[np.ndarray, "b n m"]) -> Bias:
        """Adds `T[ids[b,i,j]]`, the table indices being given for every pair."""
        return cls("dense", table, ids)


def check_complement(kind: str, complement: tuple[int, ...], n_motifs: int) -> None:
    """Refuses a map over the strands that is no involution of the t ids, or a kind which it cannot tie."""
    if kind not in TIED_KINDS:
        raise ConfigError(
            f"reference.Bias: expected tie_strands for {', '.join(TIED_KINDS)} only, got kind {kind}; "
            "leave tie_strands out"
        )
    c = tuple(complement)
    if len(c) != n_motifs or any(not 0 <= a < n_motifs or c[a] != i for i, a in enumerate(c)):
        raise ConfigError(
            f"reference.Bias: expected tie_strands that map the {n_motifs} ids to each other with c(c(a)) = a, "
            f"got {c}; give the complement of every id"
        )


def tie(
    kind: str, table: Float[np.ndarray, "*shape"], complement: tuple[int, ...] | None
) -> Float[np.ndarray, "*shape"]:
    """Averages the table with its image on the other strand.

    The image is `T[c(a)]` for key and same, `T[c(a), c(b)]` for pair, `T[c(b), c(a)]` for ordered. The average
    is a symmetric linear map (c is an involution), so the same function takes a gradient of the tied table to
    the gradient of the untied one.
    """
    if complement is None:
        return table
    c = np.asarray(complement)
    if kind in PER_KEY_KINDS:
        image = table[..., c]
    else:
        image = table[..., c[:, None], c[None, :]]
        if kind == "ordered":
            image = image.swapaxes(-1, -2)
    return np.asarray((table + image) / 2)


def table_index(
    bias: Bias,
    size: tuple[int, int, int],
    positions_q: Int[np.ndarray, "b n"],
    positions_k: Int[np.ndarray, "b m"],
) -> Int[np.ndarray, "b n m"]:
    """Gives for every pair the index into the flattened table of one head, or NO_BIAS where nothing is added.

    Raises:
        ShapeError: Ids have the wrong shape.
        ConfigError: Ids lie outside the table; they are never wrapped.
    """
    b, n, m = size
    t = np.shape(bias.table)[-1]
    if bias.kind == "dense":
        return checked_ids("ids", bias.ids, (b, n, m), t)
    # `between` looks counts up, not ids, so its ids may be larger than its table.
    n_ids = MOST_IDS if bias.kind == "between" else t
    of_key = checked_ids("ids_k", bias.ids if bias.ids_k is None else bias.ids_k, (b, m), n_ids)
    if bias.kind == "key":
        return np.broadcast_to(of_key[:, None, :], (b, n, m))
    if bias.kind == "between":
        return np.asarray(np.minimum(occurrences_between(of_key, n), t - 1))
    a = checked_ids("ids", bias.ids, (b, n), t)[:, :, None]
    c = of_key[:, None, :]
    if bias.kind == "same":
        return np.where(a == c, a, NO_BIAS)
    if bias.kind == "pair":
        return np.asarray(a * t + c)
    query_is_left = positions_q[:, :, None] <= positions_k[:, None, :]
    return np.asarray(np.where(query_is_left, a * t + c, c * t + a))


def checked_ids(
    name: str, ids: Int[np.ndarray, "*shape"], shape: tuple[int, ...], n_motifs: int
) -> Int[np.ndarray, "*shape"]:
    """Gives the ids as int64 after checking their shape and range."""
    wide = np.asarray(ids).astype(np.int64)
    if wide.shape != shape:
        raise ShapeError(f"reference.Bias: expected {name} of shape {shape}, got {wide.shape}; give one id each")
    if wide.size and not 0 <= wide.min() <= wide.max() < n_motifs:
        raise ConfigError(
            f"reference.Bias: expected {name} in 0..{n_motifs - 1}, "
            f"got {wide.min()}..{wide.max()}; use a larger table or other ids"
        )
    return wide


def occurrences_between(ids_k: Int[np.ndarray, "b m"], n: int) -> Int[np.ndarray, "b n m"]:
    """Counts the motif occurrences that start strictly between query `i + m - n` and key `j`.

    An occurrence is a maximal run of one non-zero id and sits at its first base.
    """
    b, m = ids_k.shape
    if n > m:
        raise ShapeError(f"reference.Bias: expected n <= m for between, got n={n} and m={m}; give a key per query")
    before = np.concatenate([np.zeros((b, 1), np.int64), ids_k[:, :-1]], axis=1)
    starts = (ids_k != 0) & (ids_k != before)
    # left_of[x] = number of starts at indices smaller than x
    left_of = np.concatenate([np.zeros((b, 1), np.int64), np.cumsum(starts, axis=1)], axis=1)
    query, key = np.arange(n)[:, None] + m - n, np.arange(m)[None, :]
    low, high = np.minimum(query, key), np.maximum(query, key)
    # Where query and key coincide high < low + 1, and nothing lies between.
    return np.where(low < high, left_of[:, high] - left_of[:, low + 1], 0)
