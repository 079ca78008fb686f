"""EMBOSS newcpgreport, an independent caller of CpG islands by the criteria of Gardiner-Garden and Frommer.

It says that it averages ten windows of 100 bases, 1 base apart. Release 6.6 adds up eleven and divides by ten, so its
limits are in truth 10/11 of those asked for: GC .4545 instead of .50, observed/expected .5455 instead of .60. It also
counts a CpG whose G is the base after the window, and does not look at the island as a whole. `rule` below is this
description in NumPy; where it gives the islands of the program base for base, nothing about them is left to explain.
`cpg_islands` with limits of 10/11 is the fair comparison of the two callers.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from gattn_tg.motif import cpg_islands
from gattn_tg.motif.cpg import CpgCounts
from gattn_tg.motif.islands import CRITERIA
from gattn_tg.motif.spans import runs
from gattn_tg.seq import decode

PROGRAM = "newcpgreport"
NEAR_BP = 50  # half a window: ends of the same island
MIN_LENGTH_BP, WINDOW_BP = 200, 100
SUMMED, DIVISOR = 11, 10
TIE = 1e-6  # the program adds in 32 bits
SHARE = DIVISOR / SUMMED
LOWERED = replace(CRITERIA["gardiner-garden"], min_gc=0.5 * SHARE, min_observed_expected=0.6 * SHARE)
AGREEMENT = ("ours", "ours_found", "theirs_found", "near", "bp_both", "bp_either")

Span = tuple[int, int]


def emboss_islands(ids: np.ndarray) -> list[Span]:
    """Return the islands that newcpgreport calls with its default criteria (200 bp, GC 50 %, observed/expected .6)."""
    with tempfile.TemporaryDirectory() as name:
        source, report = Path(name) / "x.fa", Path(name) / "x.txt"
        source.write_text(f">x\n{decode(ids)}\n")
        options = ["-window", "100", "-shift", "1", "-minlen", str(MIN_LENGTH_BP), "-minoe", "0.6", "-minpc", "50"]
        command = [PROGRAM, "-sequence", str(source), "-outfile", str(report), *options]
        subprocess.run(command, check=True, capture_output=True)
        found = re.findall(r"^FT\s+CpG island\s+(\d+)\.\.(\d+)", report.read_text(), re.MULTILINE)
    return [(int(first) - 1, int(last)) for first, last in found]


def rule(ids: np.ndarray) -> list[Span]:
    """Return what newcpgreport calls, from its description above."""
    counts = CpgCounts(ids)
    first = np.arange(len(ids) - WINDOW_BP)
    n_c, n_g = (sums[first + WINDOW_BP] - sums[first] for sums in (counts.c, counts.g))
    n_cpg = counts.cpg[first + WINDOW_BP] - counts.cpg[first]  # counted at the C
    values = np.zeros((2, len(ids)))
    values[0, first + WINDOW_BP // 2] = n_cpg * WINDOW_BP / np.maximum(n_c * n_g, 1)
    values[1, first + WINDOW_BP // 2] = (n_c + n_g) / WINDOW_BP
    ratio, gc = (np.convolve(row, np.ones(SUMMED), "valid")[:-1] / DIVISOR for row in values)
    starts, ends = runs((ratio > 0.6 + TIE) & (gc > 0.5 + TIE))
    return [(s, e) for s, e in zip(starts.tolist(), ends.tolist(), strict=True) if e - s >= MIN_LENGTH_BP]


def print_emboss(regions: list[tuple[str, np.ndarray]], *, as_json: bool) -> None:
    """Print, for each group of regions, how the callers agree."""
    if shutil.which(PROGRAM) is None:
        if not as_json:
            print(f"{PROGRAM} is absent (Debian package emboss): comparison skipped\n")
        return
    totals: dict[str, np.ndarray] = {}
    for group, ids in regions:
        theirs = emboss_islands(ids)
        exact = len(set(theirs) & set(rule(ids)))
        counts = [len(theirs), exact]
        for criteria in (CRITERIA["gardiner-garden"], LOWERED):
            counts += _agreement([island[:2] for island in cpg_islands(ids, criteria)], theirs, len(ids))
        totals[group] = totals.get(group, 0) + np.array(counts)
    totals["all"] = np.sum(list(totals.values()), axis=0)
    names = ("theirs", "explained", *(f"{key}{at}" for at in ("", "_lowered") for key in AGREEMENT))
    if not as_json:
        print(f"{PROGRAM}: its islands, and those that its description gives base for base;")
        print("`cpg_islands` with limits .50 and .60, and with 10/11 of them: ours, found there, theirs found here,")
        print(f"with ends within {NEAR_BP} bp, share of the bases in either that are in both")
        for group, row in totals.items():
            theirs, exact, *rest = row.tolist()
            parts = [f"{o:4} {s:4} {f:4} {n:4} {b / max(e, 1):6.3f}" for o, s, f, n, b, e in (rest[:6], rest[6:])]
            print(f"  {group:16} {theirs:4} {exact:4}  |  " + "  |  ".join(parts))
        print()
    for group, row in totals.items():
        values = dict(zip(names, row.tolist(), strict=True))
        print(json.dumps({"bench": "cpg_islands", "caller": PROGRAM, "region": group} | values))


def _agreement(ours: list[Span], theirs: list[Span], length: int) -> list[int]:
    """Return the six numbers of `AGREEMENT`."""
    pairs = [(span, _best(span, theirs)) for span in ours]
    found = [_best(span, ours) is not None for span in theirs]
    near = [max(abs(a[0] - b[0]), abs(a[1] - b[1])) <= NEAR_BP for a, b in pairs if b is not None]
    one, two = _cover(ours, length), _cover(theirs, length)
    return [len(ours), len(near), sum(found), sum(near), int((one & two).sum()), int((one | two).sum())]


def _best(span: Span, others: list[Span]) -> Span | None:
    """Return the one of the others that shares most bases with a span, None when none shares any."""
    shared = [(min(span[1], end) - max(span[0], start), (start, end)) for start, end in others]
    best = max(shared, default=(0, span))
    return best[1] if best[0] > 0 else None


def _cover(spans: list[Span], length: int) -> np.ndarray:
    inside = np.zeros(length, dtype=bool)
    for start, end in spans:
        inside[start:end] = True
    return inside
