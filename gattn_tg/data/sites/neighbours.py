"""Rows of neighbouring sites: what a network reads of them, on either strand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from gattn_tg.data.augment import complement_of, other_strand
from gattn_tg.data.genomes.stretches import Windowed
from gattn_tg.data.sites.listed import SiteList
from gattn_tg.seq.alphabet import N
from gattn_tg.seq.interval import Interval
from gattn_tg.types import Bool, Float, Int, UInt8


class SiteBatch(NamedTuple):
    """Rows of sites in reading direction, padded at the right; what the network reads, and where it comes from.

    `bases` and `motif_ids` stand around every site; `lengths` are the sites of each row; `positions` count bases from
    the first site of the row; `facts` are those of `surroundings`; `at` is the number of every site, -1 for padding.
    """

    bases: UInt8[np.ndarray, "b s w"]
    motif_ids: UInt8[np.ndarray, "b s w"]
    lengths: Int[np.ndarray, "b"]
    positions: Int[np.ndarray, "b s"]
    facts: Float[np.ndarray, "b s f"]
    at: Int[np.ndarray, "b s"]

    @property
    def read(self) -> tuple[np.ndarray, ...]:
        """The arrays that the network reads, in its order."""
        return self[:-1]


class Window(NamedTuple):
    """Sites first..end-1 stand in a row, which answers for those from `low` to `high` - 1."""

    first: int
    end: int
    low: int
    high: int


@dataclass(frozen=True)
class SiteRows:
    """Sites of several stretches, numbered one after the other; a row never reaches from one stretch into the next.

    Args:
        genome: bases and motif ids.
        lists: the sites, stretch by stretch.
        facts: what is told of every site, the distances to its neighbours last.
        site_bp: bases of a site.
        around_bp: bases around a site that are read, the site in their middle.
        n_sites: sites of a row.
    """

    genome: Windowed
    lists: Sequence[SiteList]
    facts: Float[np.ndarray, "S f"]
    site_bp: int
    around_bp: int
    n_sites: int

    def __len__(self) -> int:
        return len(self.facts)

    @cached_property
    def bounds(self) -> Int[np.ndarray, "l+1"]:
        """The number of the first site of every stretch, and the number of all sites."""
        return np.cumsum([0, *(len(sites.starts) for sites in self.lists)])

    @cached_property
    def starts(self) -> Int[np.ndarray, "S"]:
        """First base of every site."""
        return np.concatenate([sites.starts for sites in self.lists] or [np.zeros(0, np.int64)])

    def tiles(self) -> list[Window]:
        """Rows side by side, so that every site stands in one of them at least; the last ones of a stretch overlap."""
        found, n = [], self.n_sites
        for low, high in zip(self.bounds[:-1].tolist(), self.bounds[1:].tolist(), strict=True):
            firsts = [*range(low, high - n, n), max(high - n, low)]
            found += [Window(first, min(first + n, high), low, high) for first in firsts]
        return found

    def answering(self, wanted: Bool[np.ndarray, "S"]) -> list[Window]:
        """The rows that answer for wanted sites, stretch by stretch; see `answering`."""
        ends = zip(self.bounds[:-1].tolist(), self.bounds[1:].tolist(), strict=True)
        return [window for low, high in ends for window in answering(low, high, self.n_sites, wanted)]

    def batch(self, windows: Sequence[Window], turned: Bool[np.ndarray, "b"]) -> SiteBatch:
        """What the network reads of rows; those that are `turned`, on the other strand."""
        at = np.full((len(windows), self.n_sites), -1, np.int64)
        for row, window in enumerate(windows):
            places = np.arange(window.first, window.end)
            at[row, : len(places)] = places[::-1] if turned[row] else places
        known, starts, bounds = at >= 0, self.starts, self.bounds
        flank = (self.around_bp - self.site_bp) // 2  # in front of the site, in reading direction
        back = np.broadcast_to(turned[:, None], at.shape)[known]
        firsts = starts[at[known]] - np.where(back, self.around_bp - self.site_bp - flank, flank)
        on = np.searchsorted(bounds, at[known], side="right") - 1
        chroms = [sites.chrom for sites in self.lists]
        here = [Interval(chroms[k], first, first + self.around_bp)
                for k, first in zip(on.tolist(), firsts.tolist(), strict=True)]  # fmt: skip
        read, ids = self.genome.windows(here, self.around_bp)
        read, ids = other_strand(read, ids, complement_of(self.genome.vocabulary), back)
        bases = np.full((*at.shape, self.around_bp), N, np.uint8)
        motif_ids = np.zeros_like(bases)
        bases[known], motif_ids[known] = read, ids
        facts = np.where(known[..., None], self.facts[at], np.float32(0))
        facts[turned, :, -2:] = facts[turned][..., [-1, -2]]
        positions = np.where(known, np.abs(starts[at] - starts[at[:, :1]]), 0).astype(np.int32)
        return SiteBatch(bases, motif_ids, known.sum(1).astype(np.int32), positions, facts.astype(np.float32), at)


def answering(low: int, high: int, n: int, wanted: Bool[np.ndarray, "S"]) -> list[Window]:
    """Rows of n sites that overlap by half, each of which answers for its inner sites, so that every wanted site has
    neighbours on both sides and one answer.

    Which row answers for a site depends on its place among all sites of the stretch, and not on what else is wanted.

    Args:
        low, high: numbers of the sites of a stretch, low to high - 1.
        n: sites of a row.
        wanted: which of all sites are; rows without one are left out.
    """
    found = []
    before = np.concatenate([[0], np.cumsum(wanted)])
    firsts = [*range(low, high - n, max(n // 2, 1)), max(high - n, low)]
    edges = [low, *(first + n // 4 for first in firsts[1:]), high]
    for k, first in enumerate(firsts):
        if before[edges[k + 1]] > before[edges[k]]:
            found.append(Window(first, min(first + n, high), edges[k], edges[k + 1]))
    return found
