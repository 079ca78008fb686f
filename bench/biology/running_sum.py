"""CpG islands as the UCSC genome browser calls them: best stretches of a running sum."""

from __future__ import annotations

from typing import Final

import numpy as np

from gattn_tg.motif.cpg import CpgCounts, CpgIsland, cpg_sites
from gattn_tg.seq import encode
from gattn_tg.types import Int, UInt8

CPG_SCORE: Final = 17
"""The G of a CpG adds this, every other base takes 1 away: one CpG in 18 bases keeps the sum level."""
MIN_LENGTH_BP: Final = 200
MIN_GC: Final = 0.50
MIN_OBSERVED_EXPECTED: Final = 0.60


def ucsc_islands(ids: UInt8[np.ndarray, "n"]) -> list[CpgIsland]:
    """Return the CpG islands of a sequence, left to right, by the method of UCSC's track `cpgIslandExt`.

    From each CpG a sum runs to the right, +17 at a CpG and -1 at every other base, until it falls to zero; the
    stretch ends at its last highest value. A stretch is an island when it is longer than 200 bp, has a GC fraction
    of at least .50 and an observed/expected ratio above .60. UCSC masks repeats first: give N where it masks.

    Unlike `cpg_islands` it reads from left to right, so the other strand may differ by some bases.

    Args:
        ids: base ids; an N counts like any base that is no CpG.

    Source:
        UCSC table browser, description of the track CpG Islands; the program is by G. Micklem and L. Hillier.
    """
    starts, ends = _stretches(cpg_sites(ids))
    counts = CpgCounts(ids)
    keep = (
        (ends - starts > MIN_LENGTH_BP)
        & (counts.gc(starts, ends) >= MIN_GC)
        & (counts.observed_expected(starts, ends) > MIN_OBSERVED_EXPECTED)
    )
    return counts.islands(starts[keep], ends[keep])


def _stretches(sites: Int[np.ndarray, "k"]) -> tuple[Int[np.ndarray, "k"], Int[np.ndarray, "k"]]:
    """Return the start and end of each stretch; only CpG sites change the slope, so only they are visited."""
    at = sites.tolist()
    spans = []
    first = 0
    while first < len(at):
        total = best = CPG_SCORE
        last = first
        for site in range(first + 1, len(at)):
            # The G of a CpG earns, every base between one G and the next pays, the C included.
            total -= at[site] - at[site - 1] - 1
            if total <= 0:
                break
            total += CPG_SCORE
            if total >= best:
                best, last = total, site
        spans.append((at[first], at[last] + 2))
        first = last + 1
    starts, ends = np.array(spans, dtype=np.int64).reshape(-1, 2).T
    return starts, ends


def check(n_sequences: int = 60) -> None:
    """Ends the program unless random sequences give the islands of the definition, one base at a time."""
    rng = np.random.default_rng(0)
    shares = ([0.1, 0.4, 0.4, 0.1, 0.0], [0.3, 0.2, 0.2, 0.29, 0.01], [0.15, 0.35, 0.35, 0.15, 0.0])
    n_islands = 0
    for _ in range(n_sequences):
        pieces = ["".join(rng.choice(list("ACGTN"), size=rng.integers(0, 300), p=p)) for p in shares * 2]
        wanted = slow_running_sum("".join(pieces))
        n_islands += len(wanted)
        if [island[:2] for island in ucsc_islands(encode("".join(pieces)))] != wanted:
            raise SystemExit(f"running sum: other islands than by the definition in {''.join(pieces)}")
    if not n_islands:
        raise SystemExit("running sum: the check saw no island")


def slow_running_sum(sequence: str) -> list[tuple[int, int]]:
    """One base at a time: +17 at the G of a CpG, -1 elsewhere, from each CpG until the sum is zero."""
    spans, start = [], 0
    while (start := sequence.find("CG", start)) >= 0:
        total = best = 17
        end = at = start + 2
        while at < len(sequence):
            if sequence[at - 1 : at + 1] == "CG":
                total += 17
                if total >= best:
                    best, end = total, at + 1
            else:
                total -= 1
            at += 1
            if total <= 0:
                break
        part = sequence[start:end]
        if _is_island(part):
            spans.append((start, end))
        start = end
    return spans


def _is_island(part: str) -> bool:
    n_c, n_g = part.count("C"), part.count("G")
    return len(part) > 200 and (n_c + n_g) / len(part) >= 0.5 and part.count("CG") * len(part) > 0.6 * n_c * n_g > 0
