"""Attention as it is defined: all scores, all probabilities, one weighted sum."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from gattn_tg.reference.bias import NO_BIAS, PER_KEY_KINDS, Bias, table_index, tie
from gattn_tg.reference.rope import Rope, rotate
from gattn_tg.reference.visible import PerToken, Window, coordinates, visible
from gattn_tg.types import Bool, Float, Int

Relative: TypeAlias = tuple[Float[np.ndarray, "b h n c"], Float[np.ndarray, "h r c"]]


def attention(
    q: Float[np.ndarray, "b h n d"],
    k: Float[np.ndarray, "b g m d"],
    v: Float[np.ndarray, "b g m e"],
    bias: Bias | None = None,
    rope: Rope | None = None,
    positions: PerToken | None = None,
    is_causal: bool = False,
    window_size: Window = None,
    lengths: Int[np.ndarray, " b"] | None = None,
    segments: PerToken | None = None,
    scale: float | None = None,
    return_lse: bool = False,
    slopes: Float[np.ndarray, "h"] | None = None,
    relative: Relative | None = None,
    anchors: Int[np.ndarray, "b a"] | None = None,
) -> Float[np.ndarray, "b h n e"] | tuple[Float[np.ndarray, "b h n e"], Float[np.ndarray, "b h n"]]:
    """Computes `o = softmax(scale * R q (R k)^T + bias) v` over the visible keys, in float64.

    Args:
        q: Queries; head x reads key/value head x // (h / g).
        k: Keys.
        v: Values.
        bias: Motif bias added to the scores.
        rope: Rotation of queries and keys by their coordinates.
        positions: Coordinates (b, n) or (n,), or a pair (queries, keys); default: the index, ends aligned.
        is_causal: A query sees no key to its right (ends aligned).
        window_size: (left, right) reach in tokens; -1 or None leaves a side open.
        lengths: Number of valid keys of each row.
        segments: Segment of every token; a query sees only its own segment.
        scale: Factor of the products, d ** -0.5 unless given.
        return_lse: Also give the log of the sum of exponentials of every row.
        slopes: Of each query head: what every token between query and key takes from the score (ends aligned).
        relative: Queries (b, h, n, c) and one key (h, n + m - 1, c) for each distance j - (i + m - n) from 1 - m on,
            whose product is added to the score as it is, neither scaled nor rotated.
        anchors: Places of keys that all queries see, and that see all keys, beside the window as well; -1 is none.

    Returns:
        o, or (o, lse). A query that sees nothing, or only scores of -inf, has o = 0 and lse = -inf.
        A NaN or infinity in q, or in k or v of a key, makes o and lse of the queries that see it NaN, and no others.

    Source: Vaswani et al. 2017, equation 1.
    """
    p, lse = probabilities(q, k, bias, rope, positions, is_causal, window_size, lengths, segments, scale, v,
                           slopes, relative, anchors)
    o = p @ per_query_head(without_broken(np.asarray(v, np.float64)), p.shape[1])
    return (o, lse) if return_lse else o


def probabilities(
    q: Float[np.ndarray, "b h n d"],
    k: Float[np.ndarray, "b g m d"],
    bias: Bias | None = None,
    rope: Rope | None = None,
    positions: PerToken | None = None,
    is_causal: bool = False,
    window_size: Window = None,
    lengths: Int[np.ndarray, " b"] | None = None,
    segments: PerToken | None = None,
    scale: float | None = None,
    v: Float[np.ndarray, "b g m e"] | None = None,
    slopes: Float[np.ndarray, "h"] | None = None,
    relative: Relative | None = None,
    anchors: Int[np.ndarray, "b a"] | None = None,
) -> tuple[Float[np.ndarray, "b h n m"], Float[np.ndarray, "b h n"]]:
    """Gives the whole map `p = exp(s - lse)` and `lse = log sum exp(s)` over the visible keys.

    A score is NaN where q, k or, if given, v of its query or key, or one of both `relative`, holds a NaN or an
    infinity.
    """
    q, k = np.asarray(q, np.float64), np.asarray(k, np.float64)
    b, h, n, d = q.shape
    m = k.shape[2]
    positions_q, positions_k = coordinates(positions, (b, n, m))
    scale = d**-0.5 if scale is None else scale
    turned_q = rotate(without_broken(q), rope, positions_q)
    turned_k = rotate(without_broken(k), rope, positions_k)
    s = scale * turned_q @ per_query_head(turned_k, h).swapaxes(-1, -2)
    if slopes is not None:
        s = s - np.asarray(slopes, np.float64)[:, None, None] * distances(n, m)
    broken = is_broken(q)[..., None]
    if relative is not None:
        of_q, of_k = (np.asarray(x, np.float64) for x in relative)
        s = s + of_distances(without_broken(of_q) @ without_broken(of_k).swapaxes(-1, -2), m)
        broken = broken | of_distances(is_broken(of_q)[..., None] | is_broken(of_k)[:, None], m)
    if bias is not None:
        added = spread(bias, table_index(bias, (b, n, m), positions_q, positions_k))
        s, broken = s + added, broken & ~np.isneginf(added)
    of_key = is_broken(k) if v is None else is_broken(k) | is_broken(np.asarray(v, np.float64))
    broken = broken | np.repeat(of_key, h // k.shape[1], axis=1)[:, :, None]
    seen = visible((b, n, m), is_causal, window_size, lengths, segments, anchors)
    return softmax(np.where(broken, np.nan, s), np.broadcast_to(seen[:, None], s.shape))


def distances(n: int, m: int) -> Int[np.ndarray, "n m"]:
    """Tokens from query i to key j, |i + m - n - j|."""
    return np.asarray(np.abs(np.arange(m - n, m)[:, None] - np.arange(m)))


def of_distances(x: Float[np.ndarray, "*b n r"], m: int) -> Float[np.ndarray, "*b n m"]:
    """Takes for query i and key j the entry of their distance, x[i, j - i + n - 1]."""
    n = x.shape[-2]
    i, j = np.arange(n)[:, None], np.arange(m)
    return x[..., i, j - i + n - 1]


def softmax(
    s: Float[np.ndarray, "b h n m"], seen: Bool[np.ndarray, "b h n m"]
) -> tuple[Float[np.ndarray, "b h n m"], Float[np.ndarray, "b h n"]]:
    """Gives probabilities over the visible scores and their log-sum-exp; an empty row gives 0 and -inf."""
    s = np.where(np.isposinf(s), np.nan, s)  # inf - inf
    largest = np.max(s, axis=-1, keepdims=True, where=seen, initial=-np.inf)
    largest = np.where(np.isneginf(largest), 0.0, largest)
    weight = np.where(seen, np.exp(np.where(seen, s - largest, 0.0)), 0.0)
    total = weight.sum(-1, keepdims=True)
    empty = total == 0
    p = np.where(seen, weight / np.where(empty, 1.0, total), 0.0)
    lse = np.where(empty, -np.inf, largest + np.log(np.where(empty, 1.0, total)))
    return p, lse[..., 0]


def is_broken(x: Float[np.ndarray, "b h n d"]) -> Bool[np.ndarray, "b h n"]:
    """Tells for every token whether it holds a NaN or an infinity."""
    return np.asarray(~np.isfinite(x).all(-1))


def without_broken(x: Float[np.ndarray, "b h n d"]) -> Float[np.ndarray, "b h n d"]:
    """Puts 0 for NaN and infinities, so that 0 times what nobody sees is 0."""
    return np.where(np.isfinite(x), x, 0.0)


def per_query_head(x: Float[np.ndarray, "b g m d"], h: int) -> Float[np.ndarray, "b h m d"]:
    """Repeats every key/value head for the h / g query heads that read it."""
    return np.repeat(x, h // x.shape[1], axis=1)


def spread(bias: Bias, index: Int[np.ndarray, "b n m"]) -> Float[np.ndarray, "b h n m"]:
    """Looks the bias of every pair up in the (tied) table; a shared table gives one head that broadcasts."""
    table = tie(bias.kind, np.asarray(bias.table, np.float64), bias.complement)
    inner = 1 if bias.kind in PER_KEY_KINDS else 2
    rows = table.reshape(table.shape[0] if table.ndim > inner else 1, -1)
    return np.where(index[:, None] == NO_BIAS, 0.0, rows[:, index].swapaxes(0, 1))
