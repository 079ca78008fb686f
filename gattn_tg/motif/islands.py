"""CpG islands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from gattn_tg.errors import ConfigError
from gattn_tg.motif.cpg_counts import CpgCounts, CpgIsland
from gattn_tg.motif.spans import runs
from gattn_tg.seq.alphabet import N
from gattn_tg.types import Bool, UInt8


@dataclass(frozen=True)
class CpgCriteria:
    """What a stretch of sequence must have to be a CpG island.

    Args:
        min_length_bp: shortest island.
        min_gc: least fraction of C and G.
        min_observed_expected: least `n_CpG * length / (n_C * n_G)`.
        window_bp: length of the sliding window that finds candidates.
        max_gap_bp: candidates closer than this are joined when they meet the criteria together.
    """

    min_length_bp: int
    min_gc: float
    min_observed_expected: float
    window_bp: int
    max_gap_bp: int


CRITERIA: Final[dict[str, CpgCriteria]] = {
    "gardiner-garden": CpgCriteria(200, 0.50, 0.60, window_bp=100, max_gap_bp=0),
    "takai-jones": CpgCriteria(500, 0.55, 0.65, window_bp=200, max_gap_bp=100),
}
"""Gardiner-Garden and Frommer (1987) J Mol Biol 196:261; Takai and Jones (2002) PNAS 99:3740."""


def cpg_islands(
    ids: UInt8[np.ndarray, "n"], criteria: str | CpgCriteria = "gardiner-garden"
) -> list[CpgIsland]:
    """Return the CpG islands of a sequence, left to right.

    1. Every window of `window_bp` that meets the composition criteria is kept; overlapping ones form a candidate.
    2. A candidate that as a whole falls short loses one base at both ends until it meets them.
    3. Neighbours less than `max_gap_bp` apart that meet them together are joined, and step 2 is repeated.
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
        Gardiner-Garden and Frommer (1987) J Mol Biol 196:261; Takai and Jones (2002) PNAS 99:3740. Both slide one
        window at a time; here all windows are evaluated at once from prefix sums, in O(n).
    """
    rule = _resolve(criteria)
    known_from, known_to = runs(ids != N)
    if not known_from.size or (known_to - known_from).max() < max(rule.min_length_bp, rule.window_bp):
        return []
    counts = CpgCounts(ids)
    first = np.arange(len(ids) - rule.window_bp + 1)
    starts, ends = runs(_meet(counts, first, first + rule.window_bp, rule))
    candidates = _union(starts, ends + rule.window_bp - 1)
    if not rule.max_gap_bp:  # nothing can be joined, so what is too short now stays too short
        candidates = [(start, end) for start, end in candidates if end - start >= rule.min_length_bp]
    trimmed = [span for start, end in candidates if (span := _trim(counts, start, end, rule))]
    islands = [
        (start, end) for start, end in _join(counts, trimmed, rule) if end - start >= rule.min_length_bp
    ]
    start, end = np.array(islands, dtype=np.int64).reshape(-1, 2).T
    return counts.islands(start, end)


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
            f"cpg_islands: criteria {' or '.join(map(repr, CRITERIA))} are required, but came {criteria!r}; "
            "pass a CpgCriteria for limits of your own"
        )
    return CRITERIA[criteria]


def _union(starts: np.ndarray, ends: np.ndarray) -> list[tuple[int, int]]:
    """Merge spans, sorted by start, that overlap or touch."""
    merged: list[tuple[int, int]] = []
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _trim(counts: CpgCounts, start: int, end: int, rule: CpgCriteria) -> tuple[int, int] | None:
    """Return the largest centred part of a candidate that meets the criteria, or None when none is left."""
    cut = np.arange((end - start) // 2)
    meets = _meet(counts, start + cut, end - cut, rule)
    if not meets.any():
        return None
    first = int(np.argmax(meets))
    return start + first, end - first


def _join(counts: CpgCounts, spans: list[tuple[int, int]], rule: CpgCriteria) -> list[tuple[int, int]]:
    """Join chains of near neighbours; every link is judged alone, so the reading direction does not matter."""
    chains: list[list[tuple[int, int]]] = []
    for span in spans:
        near = chains and span[0] - chains[-1][-1][1] < rule.max_gap_bp
        if near and _meet(counts, np.array([chains[-1][-1][0]]), np.array([span[1]]), rule)[0]:
            chains[-1].append(span)
        else:
            chains.append([span])
    whole = [
        (chain[0][0], chain[-1][1]) if len(chain) == 1 else _trim(counts, chain[0][0], chain[-1][1], rule)
        for chain in chains
    ]
    return [span for span in whole if span]
