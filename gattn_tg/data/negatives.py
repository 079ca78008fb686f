"""Negative examples from the genome with the same GC content as the positive ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gattn_tg.data.genomes.encoded import EncodedGenome
from gattn_tg.data.sampler import hashed
from gattn_tg.errors import ConfigError
from gattn_tg.seq.alphabet import C, G, N
from gattn_tg.seq.interval import Interval
from gattn_tg.types import Float, UInt8

BINS = 50  # of GC content, two percent each
BLOCK = 1024  # random windows looked at together


def gc_fraction(bases: UInt8[np.ndarray, "... n"]) -> Float[np.ndarray, "..."]:
    """Return the fraction of C and G among the known bases, 0 where none is known.

    Example:
        >>> gc_fraction(np.array([[1, 2, 0, 4]], dtype=np.uint8)).round(3).tolist()
        [0.667]
    """
    known = (bases != N).sum(axis=-1)
    fraction: np.ndarray = ((bases == C) | (bases == G)).sum(axis=-1) / np.maximum(known, 1)
    return fraction


def gc_matched(
    genome: EncodedGenome,
    positives: Sequence[Interval],
    seed: int,
    *,
    per_positive: int = 1,
    avoid: Sequence[Interval] = (),
    max_unknown: float = 0.1,
    max_tries: int = 2000,
) -> list[Interval]:
    """Return random windows of the genome whose GC content is that of the positives, bin by bin of two percent.

    Negatives lie on the contigs of the positives, overlap neither them nor `avoid` nor each other, and hold few N.

    Args:
        genome: where to look.
        positives: windows of one width.
        seed: decides all.
        per_positive: negatives for each positive.
        avoid: more places to stay away from, for example all peaks of the assay.
        max_unknown: greatest fraction of N.
        max_tries: random windows per negative before giving up.

    Returns:
        `per_positive` windows per positive; the k-th of each positive are in the order of the positives.

    Raises:
        ConfigError: no positives, several widths, or a GC content that the rest of the genome does not have.
    """
    widths = {len(interval) for interval in positives}
    if len(widths) != 1:
        raise ConfigError(
            f"gc_matched: positives of one width are required, but came {sorted(widths)}; resize them"
        )
    (width,) = widths
    positives, avoid = (
        [replace(i, chrom=genome.names.resolve(i.chrom, f"interval {i}")) for i in intervals]
        for intervals in (positives, avoid)
    )
    contigs = sorted({positive.chrom for positive in positives})
    ends = np.cumsum([max(genome.sizes[chrom] - width + 1, 0) for chrom in contigs])
    bins = _bins(genome, positives, width)
    wanted = np.bincount(bins, minlength=BINS + 1) * per_positive
    taken = _Taken([*positives, *avoid])
    pools: dict[int, list[Interval]] = {}
    for block in range(-(-max_tries * int(wanted.sum()) // BLOCK)):
        places = [hashed(seed, block, k) % int(ends[-1]) for k in range(BLOCK)] if ends[-1] else []
        candidates = []
        for place in places:
            at = int(np.searchsorted(ends, place, side="right"))
            start = place - (int(ends[at - 1]) if at else 0)
            candidates.append(Interval(contigs[at], start, start + width))
        bases, _ = genome.windows(candidates, width, motifs=False)
        known = (bases == N).sum(axis=1) <= max_unknown * width
        kinds = np.rint(gc_fraction(bases) * BINS).astype(int)
        for candidate, kind, fine in zip(candidates, kinds.tolist(), known.tolist(), strict=True):
            pool = pools.setdefault(kind, [])
            if fine and len(pool) < wanted[kind] and taken.add(candidate):
                pool.append(candidate)
        if all(len(pools.get(kind, ())) >= n for kind, n in enumerate(wanted.tolist())):
            return [pools[kind].pop() for _ in range(per_positive) for kind in bins.tolist()]
    short = next(kind for kind, n in enumerate(wanted.tolist()) if len(pools.get(kind, ())) < n)
    raise ConfigError(
        f"gc_matched: {wanted[short]} windows of {width} bases with {short / BINS:.0%} GC are required, but only "
        f"{len(pools.get(short, ()))} were found; take fewer per positive, or more contigs"
    )


class _Taken:
    """Places that are in use, by blocks of the genome so that a look-up is short."""

    def __init__(self, intervals: Sequence[Interval]) -> None:
        self.block_bp = max((len(interval) for interval in intervals), default=1) + 1
        self.by_block: dict[tuple[str, int], list[Interval]] = {}
        for interval in intervals:
            self._note(interval)

    def add(self, interval: Interval) -> bool:
        """Note an interval unless it overlaps one that is there."""
        first, last = interval.start // self.block_bp, interval.end // self.block_bp
        for block in range(first - 1, last + 1):
            if any(interval.overlap(other) for other in self.by_block.get((interval.chrom, block), ())):
                return False
        self._note(interval)
        return True

    def _note(self, interval: Interval) -> None:
        self.by_block.setdefault((interval.chrom, interval.start // self.block_bp), []).append(interval)


def _bins(genome: EncodedGenome, intervals: Sequence[Interval], width: int) -> np.ndarray:
    bases, _ = genome.windows(intervals, width, motifs=False)
    bins: np.ndarray = np.rint(gc_fraction(bases) * BINS).astype(int)
    return bins
