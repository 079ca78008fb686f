"""CpG islands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from gattn_tg.errors import ConfigError
from gattn_tg.motif.cpg import CpgCounts, CpgIsland
from gattn_tg.motif.spans import runs
from gattn_tg.seq.alphabet import N
from gattn_tg.types import Bool, Int, UInt8


@dataclass(frozen=True)
class CpgCriteria:
    """What a stretch of sequence must have to be a CpG island.

    Args:
        min_length_bp: shortest island.
        min_gc: least fraction of C and G.
        min_observed_expected: least `n_CpG * length / (n_C * n_G)`.
        window_bp: length of the sliding window that finds candidates.
        whole_windows: a candidate is made of whole windows; without it, of their centres, as a moving average
            is drawn.
        max_gap_bp: candidates at most this far apart are joined.
    """

    min_length_bp: int
    min_gc: float
    min_observed_expected: float
    window_bp: int
    whole_windows: bool
    max_gap_bp: int


CRITERIA: Final[dict[str, CpgCriteria]] = {
    "gardiner-garden": CpgCriteria(200, 0.50, 0.60, window_bp=100, whole_windows=False, max_gap_bp=10),
    "takai-jones": CpgCriteria(500, 0.55, 0.65, window_bp=200, whole_windows=True, max_gap_bp=99),
}
"""Gardiner-Garden and Frommer (1987) J Mol Biol 196:261; Takai and Jones (2002) PNAS 99:3740."""


def cpg_islands(
    ids: UInt8[np.ndarray, "n"], criteria: str | CpgCriteria = "gardiner-garden"
) -> list[CpgIsland]:
    """Return the CpG islands of a sequence, left to right.

    1. Every window of `window_bp` is judged by its composition; those that meet the criteria make candidates.
    2. Candidates at most `max_gap_bp` apart are joined.
    3. A candidate that as a whole falls short loses one base at both ends until it meets them.
    4. What is shorter than `min_length_bp` is dropped.

    No step prefers a direction, so the islands of the reverse complement are the mirror image of these. An island
    never contains an N: an unknown stretch ends it.

    Args:
        ids: base ids.
        criteria: "gardiner-garden" (200 bp, GC .50, observed/expected .60), "takai-jones" (500 bp, .55, .65), or
            criteria of your own.

    Raises:
        ConfigError: the name is not one of these.

    Source:
        Gardiner-Garden and Frommer (1987) J Mol Biol 196:261: moving averages over 100 bp stay above the limits for
        200 bp; dips of 10 bp are bridged, as EMBOSS newcpgreport does by averaging 10 windows. Takai and Jones (2002)
        PNAS 99:3740: whole windows of 200 bp, candidates less than 100 bp apart joined. Both slide one window at a
        time; here all are judged at once from prefix sums, in O(n).
    """
    rule = _resolve(criteria)
    known_from, known_to = runs(ids != N)
    if not known_from.size or (known_to - known_from).max() < max(rule.min_length_bp, rule.window_bp):
        return []
    counts = CpgCounts(ids)
    first = np.arange(len(ids) - rule.window_bp + 1)
    starts, ends = runs(_meet(counts, first, first + rule.window_bp, rule))
    if rule.whole_windows:
        starts, ends = starts, ends - 1 + rule.window_bp
    else:
        # An odd window has a base in its middle, an even one the gap between two: both read the same backwards.
        starts, ends = starts + rule.window_bp // 2, ends - 1 + (rule.window_bp + 1) // 2
    candidates = _joined(counts, starts, ends, rule.max_gap_bp)
    islands = [
        span
        for start, end in candidates
        if end - start >= rule.min_length_bp
        and (span := _trimmed(counts, start, end, rule))
        and span[1] - span[0] >= rule.min_length_bp
    ]
    start, end = np.array(islands, dtype=np.int64).reshape(-1, 2).T
    return counts.islands(start, end)


def far_from_islands(ids: UInt8[np.ndarray, "n"], rule: CpgCriteria) -> Bool[np.ndarray, "n"]:
    """Return the bases at which a sequence may be cut without changing an island.

    No window that meets the criteria lies within `window_bp + max_gap_bp` bases of them, so on both sides all windows
    are whole and no candidates are joined across. Nothing is known about the ends of `ids`, so they are near.
    """
    margin = rule.window_bp + rule.max_gap_bp
    near = np.ones(len(ids), dtype=bool)
    if len(ids) > 2 * margin:
        first = np.arange(len(ids) - rule.window_bp + 1)
        steps = np.zeros(len(ids) + 2 * margin + 1, dtype=np.int64)
        for start, end in zip(*runs(_meet(CpgCounts(ids), first, first + rule.window_bp, rule)), strict=True):
            steps[start] += 1  # shifted by margin, so this is `start - margin`
            steps[end - 1 + rule.window_bp + 2 * margin] -= 1
        near = np.cumsum(steps)[margin:][: len(ids)] > 0
        near[:margin] = near[len(ids) - margin :] = True
    far: np.ndarray = ~near
    return far


def island_windows(ids: UInt8[np.ndarray, "n"], criteria: str) -> Int[np.ndarray, "k"]:
    """Return the first base of every sliding window whose composition is that of an island."""
    rule = _resolve(criteria)
    first = np.arange(max(len(ids) - rule.window_bp + 1, 0))
    good: np.ndarray = first[_meet(CpgCounts(ids), first, first + rule.window_bp, rule)]
    return good


def _meet(counts: CpgCounts, start: np.ndarray, end: np.ndarray, rule: CpgCriteria) -> Bool[np.ndarray, "k"]:
    good: np.ndarray = (
        (counts.gc(start, end) >= rule.min_gc)
        & (counts.observed_expected(start, end) >= rule.min_observed_expected)
        & (counts.n_unknown(start, end) == 0)
    )
    return good


def _resolve(criteria: str | CpgCriteria) -> CpgCriteria:
    if isinstance(criteria, CpgCriteria):
        return criteria
    if criteria not in CRITERIA:
        raise ConfigError(
            f"cpg_islands: expected criteria {' or '.join(map(repr, CRITERIA))}, got {criteria!r}; "
            "pass a CpgCriteria for limits of your own"
        )
    return CRITERIA[criteria]


def _joined(
    counts: CpgCounts, starts: np.ndarray, ends: np.ndarray, max_gap_bp: int
) -> list[tuple[int, int]]:
    """Join spans, sorted by start, that overlap or are near; never across an N."""
    joined: list[tuple[int, int]] = []
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        if joined:
            first, last = joined[-1]
            n_unknown = counts.unknown[max(start, last)] - counts.unknown[last]
            if start - last <= max_gap_bp and not n_unknown:
                joined[-1] = (first, max(end, last))
                continue
        joined.append((start, end))
    return joined


def _trimmed(counts: CpgCounts, start: int, end: int, rule: CpgCriteria) -> tuple[int, int] | None:
    """Return the largest centred part of a candidate that meets the criteria, or None when none is left."""
    cut = np.arange((end - start) // 2)
    meets = _meet(counts, start + cut, end - cut, rule)
    if not meets.any():
        return None
    first = int(np.argmax(meets))
    return start + first, end - first
