"""Motif ids of DNA by 255 matrices of JASPAR, beside lightmotif alone, which finds the same sites.

    python bench/biology/annotation.py [--megabases 1] [--matrices 255] [--rounds 5]

Random DNA, both strands, thresholds of p = 1e-4. Ours is `motif.annotate`: scans, exact scores of sites, one id for
every base by priority. lightmotif alone: the sequence striped once, the places of every matrix and strand, thresholds
known before. Sites are compared before anything is timed: lightmotif adds in 32 bits and is asked for .0001 bit less,
so it finds all of ours, and at most one in ten thousand more. One line goes to bench/results/annotation.jsonl.
"""

from __future__ import annotations

import argparse
import json
import math
from typing import Any

import numpy as np
from lightmotif import lib as lightmotif

from bench.biology.study_motifs import matrices
from bench.record import alternate, summary, write
from gattn_tg.motif import MotifVocabulary, annotate
from gattn_tg.motif.from_matrices import long_enough, matrices_of, vocabulary_of
from gattn_tg.motif.sites import find_all
from gattn_tg.seq import decode

PVALUE = 1e-4
SLACK_BITS = 1e-4
MOST_OTHER = 1e-4  # of the sites
Scans = list[tuple[Any, float]]  # a matrix of lightmotif and its threshold


def vocabulary(n: int) -> MotifVocabulary:
    """A class for each of the first matrices that can reach the threshold."""
    return vocabulary_of([one for one in matrices() if long_enough(one[2], PVALUE)][:n], PVALUE)


def scans(classes: MotifVocabulary) -> Scans:
    """Both strands of every matrix; a matrix that is its own reverse complement once."""
    found: Scans = []
    for (weights, threshold), motif in zip(matrices_of(classes), classes.classes, strict=True):
        both = (weights,) if motif.rule.is_symmetric else (weights, weights[::-1, ::-1])
        for one in both:
            columns = dict(zip("ACGT", one.T.tolist(), strict=True))
            matrix = lightmotif.ScoringMatrix({**columns, "N": [-math.inf] * len(one)})
            found.append((matrix, threshold - SLACK_BITS))
    return found


def alone(letters: str, wanted: Scans) -> list[list[int]]:
    """The places of all of them."""
    striped = lightmotif.stripe(letters)
    return [[hit.position for hit in lightmotif.scan(matrix, striped, threshold=threshold)]
            for matrix, threshold in wanted]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabases", type=float, default=1.0)
    parser.add_argument("--matrices", type=int, default=255)
    parser.add_argument("--rounds", type=int, default=5)
    a = parser.parse_args()
    classes = vocabulary(a.matrices)
    ids = np.random.default_rng(0).integers(0, 4, round(a.megabases * 1e6)).astype(np.uint8)
    letters, wanted = decode(ids), scans(classes)
    ours, theirs = list(find_all(ids, classes).values()), alone(letters, wanted)
    sites = sum(len(spans.starts) for spans in ours)
    missed = sum(len(set(spans.starts.tolist()) - set(places)) for spans, places in zip(ours, theirs, strict=True))
    other = sum(map(len, theirs)) - sites + missed
    if missed or other > MOST_OTHER * sites:
        raise SystemExit(f"annotation: of {sites:,} sites lightmotif misses {missed:,}, and it finds {other:,} others")
    times = alternate({"annotate": lambda: annotate(ids, classes), "lightmotif": lambda: alone(letters, wanted)},
                      a.rounds)  # fmt: skip
    told = {side: summary(taken) for side, taken in times.items()}
    line = {"case": f"{a.matrices} matrices, both strands", "bases": len(ids), "sites": sites, "other": other,
            "times": told,
            "ratio": round(told["annotate"]["median_ms"] / told["lightmotif"]["median_ms"], 3)}  # fmt: skip
    write("annotation", line)
    print(json.dumps(line))


if __name__ == "__main__":
    main()
