"""Stretches of a genome with labelled sites, dealt out to training, validation and test."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from typing import Protocol

import numpy as np

from gattn_tg.data.order import shuffled
from gattn_tg.errors import ConfigError
from gattn_tg.seq.interval import Interval
from gattn_tg.types import Bool, Int


class SiteGroup(Protocol):
    """Sites of one contig, whatever is known of them."""

    @property
    def chrom(self) -> str:
        """The contig."""
        ...

    @property
    def starts(self) -> Int[np.ndarray, "s"]:
        """First bases, rising."""
        ...


def blocks_of(sites: Iterable[SiteGroup], block_bp: int) -> list[Interval]:
    """The stretches of `block_bp` that have a site."""
    firsts = [(group.chrom, int(b) * block_bp) for group in sites for b in np.unique(group.starts // block_bp)]
    return [Interval(chrom, first, first + block_bp) for chrom, first in firsts]


def dealt(
    blocks: Sequence[Interval], shares: Sequence[float], seed: int, fold: int = 0
) -> tuple[list[Interval], ...]:
    """Deal blocks out to parts, so that neighbouring sites stay together.

    Args:
        blocks: many times as long as the distance over which labels are alike.
        shares: of the blocks, one per part; the first part takes what is left over.
        seed: of the order in which blocks are dealt.
        fold: which stretch of the order is the last part; with a last share of 1/4, folds 0 to 3 have every block in it
            once.

    Raises:
        ConfigError: fewer blocks than parts need.
    """
    sizes = [round(share * len(blocks)) for share in shares[1:]]
    first, end = (round(k * shares[-1] * len(blocks)) for k in (fold, fold + 1))
    if sizes:
        sizes[-1] = end - first
    sizes = [len(blocks) - sum(sizes), *sizes]
    if min(sizes) < 1:
        raise ConfigError(f"blocks: expected at least one with labels for each of {len(sizes)} parts, got "
                          f"{len(blocks)}; make them shorter or the shares larger")
    order = np.roll(shuffled(len(blocks), seed), first)
    cuts = np.cumsum([0, *sizes])
    return tuple(sorted(blocks[i] for i in order[a:b]) for a, b in pairwise(cuts))


def split_blocks(
    sites: Sequence[SiteGroup], block_bp: int, shares: Sequence[float], seed: int, fold: int = 0
) -> tuple[list[Interval], ...]:
    """The blocks of labelled sites, dealt out; see `blocks_of` and `dealt`."""
    return dealt(blocks_of(sites, block_bp), shares, seed, fold)


def on_contigs(blocks: Iterable[Interval], contigs: Collection[str], key: str) -> list[Interval]:
    """The blocks that lie on contigs.

    Args:
        blocks: of all contigs.
        contigs: those that are wanted.
        key: for the message.

    Raises:
        ConfigError: a contig without a labelled site.
    """
    found = [block for block in blocks if block.chrom in contigs]
    if missing := sorted(set(contigs) - {block.chrom for block in found}):
        raise ConfigError(f"{key}: expected contigs with labelled sites, got {missing[0]!r}, which has none; correct "
                          "the name")
    return found


def without(blocks: Iterable[Interval], regions: Iterable[Interval]) -> list[Interval]:
    """What of blocks lies in none of the regions, whatever their strand."""
    left = list(blocks)
    for region in regions:
        left = [part for block in left for part in _cut(block, region)]
    return left


def inside(group: SiteGroup, part: Sequence[Interval]) -> Bool[np.ndarray, "s"]:
    """Which sites of a contig begin in a part."""
    found = np.zeros(len(group.starts), bool)
    for interval in part:
        if interval.chrom == group.chrom:
            found[slice(*np.searchsorted(group.starts, (interval.start, interval.end)))] = True
    return found


def joined(intervals: Iterable[Interval]) -> list[Interval]:
    """Intervals in order, without strands; those that touch or overlap are one."""
    found: list[Interval] = []
    for one in sorted(Interval(x.chrom, x.start, x.end) for x in intervals):
        if found and found[-1].chrom == one.chrom and one.start <= found[-1].end:
            found[-1] = Interval(one.chrom, found[-1].start, max(found[-1].end, one.end))
        else:
            found.append(one)
    return found


def _cut(block: Interval, region: Interval) -> list[Interval]:
    if not block.overlap(region):
        return [block]
    ends = [(block.start, region.start), (region.end, block.end)]
    return [Interval(block.chrom, start, end) for start, end in ends if start < end]
