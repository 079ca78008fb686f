"""How much GC and CpG there is around every bin, at several widths: what CpG islands and gene-rich stretches are."""

from __future__ import annotations

from collections.abc import Sequence

from tinygrad import Tensor, dtypes

from gattn_tg.types import Float, UInt8

PER_WIDTH = 3
GC_MEAN, GC_SPREAD = 0.41, 0.1  # of the human genome, over kilobases
CPG_SPREAD, MOST = 0.02, 3.0  # of CpG per base; observed / expected beyond this comes from a handful of bases


def composition(
    bases: UInt8[Tensor, "b n"] | Float[Tensor, "b n 5"], bin_bp: int, widths_bp: Sequence[int]
) -> Float[Tensor, "b n/bin f"]:
    """GC content, CpG per base and CpG observed / expected in stretches around the centre of every bin, roughly scaled.

        GC = (C + G) / n      CpG per base = CpG / n      CpG o/e = CpG n / (C G)

    Beyond the ends of the sequence there is nothing to count, so stretches there are shorter; N is not counted.

    Args:
        bases: ids A C G T N = 0..4; or weights over them, which count as parts of a base, and have a gradient.
        bin_bp: bases of a bin.
        widths_bp: bases of the stretches, rounded to an odd number of bins.

    Source: observed / expected as Gardiner-Garden and Frommer 1987, J Mol Biol 196:261.
    """
    b, n = bases.shape[:2]
    weighs = dtypes.is_float(bases.dtype)
    marks = _weighed(bases) if weighs else _counted(bases)
    counts = Tensor.stack(*(m.cast(dtypes.float32).reshape(b, n // bin_bp, bin_bp).sum(2) for m in marks), dim=2)
    counts = counts.contiguous()
    found = []
    for width in widths_bp:
        half = min(max(width // bin_bp, 1) // 2, n // bin_bp - 1)
        c, g, cpg, known = _around(counts, half).split(1, dim=2)
        known = known.maximum(1.0)
        found += [((c + g) / known - GC_MEAN) / GC_SPREAD, cpg / known / CPG_SPREAD,
                  (cpg * known / (c * g).maximum(1.0)).minimum(MOST)]
    told = found[0].cat(*found[1:], dim=2).contiguous()
    return told if weighs else told.detach()


def _counted(bases: UInt8[Tensor, "b n"]) -> list[Tensor]:
    """C, G, CpG and known bases, at every base."""
    next_base = bases[:, 1:].pad(((0, 0), (0, 1)), value=4)
    return [bases == 1, bases == 2, (bases == 1) & (next_base == 2), bases < 4]


def _weighed(weights: Float[Tensor, "b n 5"]) -> list[Tensor]:
    """The same of weights."""
    c, g = weights[:, :, 1], weights[:, :, 2]
    return [c, g, c * g[:, 1:].pad(((0, 0), (0, 1))), weights[:, :, :4].sum(2)]


def _around(counts: Tensor, half: int) -> Tensor:
    """Sums over the bins i - half ... i + half."""
    if half == 0:
        return counts
    # sums of whole numbers below 2**24, hence exact
    running = counts.pad(((0, 0), (half + 1, half), (0, 0))).cumsum(1).contiguous()
    return running[:, 2 * half + 1 :] - running[:, : counts.shape[1]]
