"""Who sees whom, and at which coordinate each token sits."""

from __future__ import annotations

import numpy as np

from gattn_tg.errors import ShapeError
from gattn_tg.types import Bool, Int

PerToken = Int[np.ndarray, "b n"] | tuple[Int[np.ndarray, "b n"], Int[np.ndarray, "b m"]]
Window = int | tuple[int | None, int | None] | None


def per_token(
    name: str, value: PerToken, size: tuple[int, int, int]
) -> tuple[Int[np.ndarray, "b n"], Int[np.ndarray, "b m"]]:
    """Splits what is given once for all tokens, or as a pair (queries, keys), into (b, n) and (b, m)."""
    b, n, m = size
    if not isinstance(value, (tuple, list)):
        if n != m:
            raise ShapeError(
                f"reference: expected a pair of {name} (of queries, of keys) when n differs from m, "
                f"got one array with n={n}, m={m}; give both"
            )
        value = (value, value)
    of_query, of_key = (np.asarray(x).astype(np.int64) for x in value)
    return np.broadcast_to(of_query, (b, n)), np.broadcast_to(of_key, (b, m))


def coordinates(
    positions: PerToken | None, size: tuple[int, int, int]
) -> tuple[Int[np.ndarray, "b n"], Int[np.ndarray, "b m"]]:
    """Gives the coordinate of every query and key; by default query i sits at i + m - n and key j at j."""
    _, n, m = size
    if positions is None:
        positions = (np.arange(n) + m - n, np.arange(m))
    return per_token("positions", positions, size)


def visible(
    size: tuple[int, int, int],
    is_causal: bool = False,
    window_size: Window = None,
    lengths: Int[np.ndarray, " b"] | None = None,
    segments: PerToken | None = None,
    anchors: Int[np.ndarray, "b a"] | None = None,
) -> Bool[np.ndarray, "b n m"]:
    """Tells for every query and key whether the query sees the key.

    Args:
        size: (b, n, m).
        is_causal: Keep j <= i + m - n.
        window_size: (left, right) keeps i+m-n-left <= j <= i+m-n+right; w means (w, w), -1 or None no limit.
        lengths: Number of valid keys of each row, from the left; later keys are padding nobody sees.
        segments: Segment of every token, or a pair (queries, keys); a query sees only its own segment.
        anchors: Places of keys that are seen, and that see, beside the window as well; what is no place of a valid key,
            as -1, is no anchor.
    """
    b, n, m = size
    query, key = np.arange(n)[:, None] + m - n, np.arange(m)[None, :]
    near = np.ones((b, n, m), bool)
    if window_size is not None:
        left, right = (window_size, window_size) if isinstance(window_size, int) else window_size
        if left is not None and left != -1:
            near &= key >= query - left
        if right is not None and right != -1:
            near &= key <= query + right
    valid = np.full((b, 1, 1), m) if lengths is None else np.asarray(lengths).astype(np.int64)[:, None, None]
    if anchors is not None:
        named = np.where(np.asarray(anchors) < valid[:, 0], anchors, -1)[:, :, None]
        near |= (named == key).any(1)[:, None, :] | ((named == query[:, 0]) & (query[:, 0] >= 0)).any(1)[:, :, None]
    seen = near & (key < valid)
    if is_causal:
        seen &= key <= query
    if segments is not None:
        of_query, of_key = per_token("segments", segments, size)
        seen &= of_query[:, :, None] == of_key[:, None, :]
    return seen
