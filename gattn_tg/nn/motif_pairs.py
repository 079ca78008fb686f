"""Which motifs stand at which distance, order and orientation to each other: what a linear model sees of pairs."""

from __future__ import annotations

from itertools import pairwise

from tinygrad import Tensor

from gattn_tg.types import Float

Distances = tuple[tuple[int, int], ...]
"""First distance in bases of each group, and the first one behind it."""


def distances(reach: int) -> Distances:
    """Groups of distances below `reach`, two for each doubling: 1, 2, 3, 4-5, 6-7, 8-11, 12-15, 16-23, ...

    So a group is as fine as a quarter to a half of its distances, as spacing matters near by and less far away.
    """
    edges = [1, 2, 3]
    while edges[-1] < reach:
        edges.append(edges[-2] * 2)
    return tuple((first, behind) for first, behind in pairwise(edges) if first < reach)


def n_pairs(n_motifs: int, reach: int) -> int:
    """Numbers that `pair_sums` gives for each sequence."""
    return len(distances(reach)) * (2 * n_motifs) ** 2


def pair_sums(
    strands: Float[Tensor, "b n 2m"], reach: int, merges_strands: bool = False
) -> Float[Tensor, "b p"]:
    """f[k, a, c] = log(1 + sum of strands[i, a] strands[j, c]) over all bases i and j with j - i in group k, float32.

    a and c run over the motifs on the given strand, then over the same motifs on the other one. So f tells A before B
    from B before A, and A on + before B on + from A on + before B on -.

    Args:
        strands: strengths of every motif on each strand (`MotifFilters.by_strand`), 0 in the padding; never negative.
        reach: bases; further pairs do not count (`distances`).
        merges_strands: a pair and what it is on the other strand (c before a, both turned) are one: both get the sum,
            so that both strands of a sequence have the same numbers.

    Numerics: a window of 2 L bases is the sum of two of L, so nothing is subtracted. Every window is stored once: fused
        into the products they are added up again for each pair of motifs. Memory is O(n m) numbers for each distance.
    """
    b, n, m2 = strands.shape
    s = strands.float().transpose(1, 2).contiguous()
    windows, length, later = s, 1, []
    for first, behind in distances(reach):
        while length < behind - first:
            windows, length = (windows + _later(windows, length)).contiguous(), 2 * length
        later.append(_later(windows, first))
    beyond = Tensor.stack(*later, dim=1).reshape(b, len(later) * m2, n).contiguous()
    f = beyond.matmul(s.transpose(1, 2)).contiguous().reshape(b, len(later), m2, m2).transpose(2, 3)
    if merges_strands:
        turned = f.reshape(b, len(later), 2, m2 // 2, 2, m2 // 2).flip((2, 4)).reshape(f.shape)
        f = f + turned.transpose(2, 3)
    return (1.0 + f).log().reshape(b, -1).contiguous()


def _later(x: Float[Tensor, "b m n"], by: int) -> Float[Tensor, "b m n"]:
    """x[..., i + by] at i; 0 behind the end."""
    return x[..., by:].pad((None, None, (0, min(by, x.shape[2]))))
