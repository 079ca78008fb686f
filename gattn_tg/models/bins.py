"""One motif id per bin of bases."""

from __future__ import annotations

from collections.abc import Sequence

from tinygrad import Tensor, dtypes

from gattn_tg.types import UInt8

DEFAULT_RANKS = (4, 5, 6, 10, 9, 7, 2, 1, 11, 12, 13, 14, 15, 8, 3)
"""Ids of the default vocabulary, the most telling first: TATA and GC box, ETS, bZIP and CCAAT sites (rare, near starts
of transcription), CpG island, CpG; then splice sites, polyadenylation signal, E box, AT-rich (by chance in many bins).
"""


def bin_ids(motif_ids: UInt8[Tensor, "b n"], bin_bp: int, ranks: Sequence[int]) -> UInt8[Tensor, "b n/bin"]:
    """The most telling id that occurs in each bin, 0 where there is none.

    Attention over bins needs one id per bin, but a bin of 32 bases often holds several. The one that says most about
    what the stretch does is taken; how many CpG a bin has still reaches the model, through the motif embedding of its
    bases. The id does not depend on the order of the bases.

    Args:
        motif_ids: id of every base.
        bin_bp: bases of a bin; divides n.
        ranks: ids, the most telling first; an id that is not named counts as 0.
    """
    b, n = motif_ids.shape
    ids = motif_ids.cast(dtypes.int32)
    weight = ids * 0
    for rank, motif in enumerate(reversed(tuple(ranks)), start=1):
        weight = (ids == motif).where(rank, weight)
    best = weight.reshape(b, n // bin_bp, bin_bp).max(2)
    found = best * 0
    for rank, motif in enumerate(reversed(tuple(ranks)), start=1):
        found = (best == rank).where(motif, found)
    return found.cast(dtypes.uint8)
