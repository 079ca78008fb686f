"""Negative examples from the genome with the same GC content as the positive ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from gattn_tg.data.occupied import Occupied
from gattn_tg.data.sampler import hashed
from gattn_tg.data.starts import Starts, is_known
from gattn_tg.errors import ConfigError
from gattn_tg.seq.codec import encode
from gattn_tg.seq.composition import gc_fraction
from gattn_tg.seq.interval import Interval

BINS = 50  # of GC content, two percent each
BLOCK = 1024  # random windows looked at together
FUTILE = 16  # blocks without a window that could be taken, after which the search ends


class Readable(Protocol):
    """What negatives are drawn from: `io.Genome`, `EncodedGenome`."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """Bases of each contig."""
        ...

    def padded(self, interval: Interval) -> bytes:
        """Return the letters of an interval, N outside its contig."""
        ...


def gc_matched(
    genome: Readable,
    positives: Sequence[Interval],
    seed: int,
    *,
    per_positive: int = 1,
    avoid: Sequence[Interval] = (),
    allowed: Callable[[Interval], bool] = lambda _: True,
    max_unknown: float = 0.1,
) -> list[Interval]:
    """Return random windows of the genome whose GC content is that of the positives, bin by bin of two percent.

    Negatives lie on the contigs of the positives, overlap neither them nor `avoid` nor each other, and hold few N.

    Args:
        genome: where to look.
        positives: windows of one width, named as the genome names its contigs.
        seed: decides all.
        per_positive: negatives for each positive.
        avoid: more places to stay away from, for example all peaks of the assay.
        allowed: whether a window may be taken, for example whether it lies in the same part as the positives.
        max_unknown: greatest fraction of N.

    Returns:
        `per_positive` windows per positive; the k-th of each positive are in the order of the positives.

    Raises:
        ConfigError: no positives, several widths, or a GC content that the rest of the genome does not have.
    """
    widths = {len(interval) for interval in positives}
    if len(widths) != 1:
        raise ConfigError(f"gc_matched: expected positives of one width, got {sorted(widths)}; resize them")
    (width,) = widths
    contigs = sorted({positive.chrom for positive in positives})
    starts = Starts([genome.sizes[chrom] for chrom in contigs], width)
    bins = np.rint(gc_fraction(_bases(genome, positives)) * BINS).astype(int)
    wanted = np.bincount(bins, minlength=BINS + 1) * per_positive
    room = sum(genome.sizes[chrom] for chrom in contigs)
    if wanted.sum() * width > room:
        raise ConfigError(f"gc_matched: expected room for {wanted.sum():,} windows of {width} bases beside each other, "
                          f"got {room:,} bases on the contigs of the positives; take fewer per positive")
    taken = Occupied([*positives, *avoid])
    pools: dict[int, list[Interval]] = {}
    keys = np.arange(BLOCK, dtype=np.uint64) + np.uint64(hashed(seed))
    block = futile = 0
    while starts.n and futile < FUTILE:
        stretches, firsts = starts.draw(keys, block)
        block, futile = block + 1, futile + 1
        candidates = [Interval(contigs[k], first, first + width)
                      for k, first in zip(stretches.tolist(), firsts.tolist(), strict=True)]  # fmt: skip
        bases = _bases(genome, candidates)
        kinds = np.rint(gc_fraction(bases) * BINS).astype(int)
        known = is_known(bases, max_unknown)
        for candidate, kind, fine in zip(candidates, kinds.tolist(), known.tolist(), strict=True):
            pool = pools.setdefault(kind, [])
            if fine and len(pool) < wanted[kind] and allowed(candidate) and not taken.overlaps(candidate):
                taken.add(candidate)
                pool.append(candidate)
                futile = 0
        if all(len(pools.get(kind, ())) >= n for kind, n in enumerate(wanted.tolist())):
            return [pools[kind].pop() for _ in range(per_positive) for kind in bins.tolist()]
    short = next(kind for kind, n in enumerate(wanted.tolist()) if len(pools.get(kind, ())) < n)
    raise ConfigError(
        f"gc_matched: expected {wanted[short]} windows of {width} bases with {short / BINS:.0%} GC beside the "
        f"positives, got {len(pools.get(short, ()))}; take fewer per positive, or more contigs"
    )


def _bases(genome: Readable, intervals: Sequence[Interval]) -> np.ndarray:
    return encode(b"".join(genome.padded(interval) for interval in intervals)).reshape(len(intervals), -1)
