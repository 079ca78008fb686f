"""What surrounds a site: composition within several distances, CpG islands, how far its neighbours are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gattn_tg.data.genomes.stretches import Windowed
from gattn_tg.data.sites.listed import SiteList
from gattn_tg.motif.cpg import CpgCounts
from gattn_tg.motif.islands import cpg_islands
from gattn_tg.seq.composition import gc_of, observed_expected_of
from gattn_tg.seq.interval import Interval
from gattn_tg.types import Float, Int

CHUNK_BP = 1 << 20  # of sequence whose sites are looked at together
ISLAND_BP = 1 << 15  # islands are found as far away as this; a longer one is cut
PER_SPAN, BESIDE = 4, 4  # facts of each distance, and those beside them


def n_facts(spans_bp: Sequence[int]) -> int:
    """How many numbers are told of a site."""
    return PER_SPAN * len(spans_bp) + BESIDE


def surroundings(
    genome: Windowed, sites: SiteList, site_bp: int, spans_bp: Sequence[int]
) -> Float[np.ndarray, "s f"]:
    """Facts about every site of a list; the sequence within the largest distance counts, and N beyond its ends.

    For each distance d, from d bases before a site to d behind it: GC content, CpG per base, log(1 + CpG), CpG
    observed / expected. Then: whether the site lies in a CpG island (Gardiner-Garden and Frommer), log(1 + bases to the
    nearest island), and, as the last two, log(1 + bases) to the site before and to the site behind. All but these
    last are the same on both strands, where the two change places. No distance counts for more than the largest d.

    Args:
        genome: bases.
        sites: where.
        site_bp: bases of a site.
        spans_bp: the distances d.
    """
    most = max(spans_bp, default=ISLAND_BP)
    reach = most + ISLAND_BP
    starts = sites.starts
    found = np.zeros((len(starts), n_facts(spans_bp)), np.float32)
    first = 0
    while first < len(starts):
        end = int(np.searchsorted(starts, starts[first] + CHUNK_BP))
        low, high = int(starts[first]) - reach, int(starts[end - 1]) + site_bp + reach
        inside = Interval(sites.chrom, max(low, sites.place.start), min(high, sites.place.end))
        (bases,), _ = genome.windows([inside], len(inside))
        ids = np.pad(bases, (inside.start - low, high - inside.end), constant_values=4)
        found[first:end, :-2] = _composed(ids, starts[first:end] - low, site_bp, spans_bp, most)
        first = end
    gaps = np.log1p(np.minimum(np.diff(starts), most))
    found[:, -2:] = np.log1p(most)
    found[1:, -2], found[:-1, -1] = gaps, gaps
    return found


def scale_of(facts: Float[np.ndarray, "s f"]) -> tuple[Float[np.ndarray, "f"], Float[np.ndarray, "f"]]:
    """Mean and standard deviation of every fact, 1 where all are equal; the distances to both neighbours share theirs,
    so that scaled facts of the other strand are these with the two exchanged."""
    mean, square = facts.mean(0, np.float64), (facts.astype(np.float64) ** 2).mean(0)
    mean[-2:], square[-2:] = mean[-2:].mean(), square[-2:].mean()
    sd = np.sqrt(np.maximum(square - mean**2, 0))
    return mean, np.where(sd > 1e-6 * (1 + np.abs(mean)), sd, 1.0)


def _composed(
    ids: np.ndarray, at: Int[np.ndarray, "s"], site_bp: int, spans_bp: Sequence[int], most: int
) -> Float[np.ndarray, "s f"]:
    """All facts but the distances to neighbours, of sites at these places of a sequence that is long enough."""
    counts = CpgCounts(ids)
    found = []
    for span in spans_bp:
        low, high = at - span, at + site_bp + span
        c, g = counts.c[high] - counts.c[low], counts.g[high] - counts.g[low]
        known = high - low - counts.n_unknown(low, high)
        cpg = counts.n_cpg(low, high)
        found += [gc_of(c + g, known), cpg / np.maximum(known, 1), np.log1p(cpg),
                  observed_expected_of(cpg, c, g, known)]
    islands = cpg_islands(ids)
    firsts = np.array([island.start for island in islands], np.int64)
    lasts = np.array([island.end for island in islands], np.int64)
    behind = np.searchsorted(firsts, at, side="right")  # of the first island that begins behind the site
    to_next = np.append(firsts, len(ids) + most)[behind] - (at + site_bp)
    to_last = at - np.concatenate([[-most], lasts])[behind]
    away = np.clip(np.minimum(to_next, to_last), 0, most)
    return np.stack([*found, away == 0, np.log1p(away)], axis=1)
