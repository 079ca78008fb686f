"""Windows of unusual base composition."""

from __future__ import annotations

import numpy as np

from gattn_tg.motif.spans import Spans, prefix, runs
from gattn_tg.seq.alphabet import A, N, T
from gattn_tg.types import Bool, UInt8


def at_rich(ids: UInt8[np.ndarray, "n"], window_bp: int, min_fraction: float) -> Spans:
    """Return the stretches made of windows in which A and T are frequent.

    Every window of `window_bp` bases with `(n_A + n_T) / window_bp >= min_fraction` and no N counts; windows that
    overlap form one span, scored by its own fraction of A and T.

    Example:
        >>> from gattn_tg.seq import encode
        >>> spans = at_rich(encode("GGGATATATGGG"), window_bp=6, min_fraction=1.0)
        >>> spans.starts.tolist(), spans.ends.tolist()
        ([3], [9])
    """
    if len(ids) < window_bp:
        return Spans.empty()
    weak = prefix((ids == A) | (ids == T))
    first, after = runs(rich_windows(ids, window_bp, min_fraction))
    inside = Spans(first, after + window_bp - 1, np.zeros(len(first))).covered(len(ids))
    starts, ends = runs(inside)
    return Spans(starts, ends, (weak[ends] - weak[starts]) / np.maximum(ends - starts, 1))


def rich_windows(ids: UInt8[np.ndarray, "n"], window_bp: int, min_fraction: float) -> Bool[np.ndarray, "n-window+1"]:
    """Return for every window, by its first base, whether A and T are frequent enough in it and none is N."""
    if len(ids) < window_bp:
        return np.zeros(0, dtype=bool)
    weak = prefix((ids == A) | (ids == T))
    unknown = prefix(ids == N)
    # Compared as counts: fraction * window is rounded once, so no window is lost to floating point.
    needed = round(min_fraction * window_bp, 6)
    good: np.ndarray = (weak[window_bp:] - weak[:-window_bp] >= needed) & (unknown[window_bp:] == unknown[:-window_bp])
    return good
