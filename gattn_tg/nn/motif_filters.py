"""How strongly motifs are there at every base: matrices scanned on the device, which may be learnt further."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tinygrad import Tensor, dtypes

from gattn_tg.errors import ConfigError
from gattn_tg.nn.initial import filled, normal
from gattn_tg.nn.pool import inside
from gattn_tg.ops.convolution import convolution
from gattn_tg.ops.poisson import softplus
from gattn_tg.types import Float, Int, UInt8

LN2 = float(np.log(2))
# Filters drawn at random begin weak, with a threshold within their reach. Were they as strong as matrices are, what was
# drawn would stay beside what is learnt, and no motif could be read off (bench/biology/recovery.py).
SPREAD, START = 0.3, 3.0  # bits: of a weight; below which such a filter is silent


class MotifFilters:
    """s[b, i, c] = log(1 + 2^(score - threshold)), score = sum_t weight[c, b_(i+t)][t] on the better strand.

    A score is a log odds in bits, as of a position weight matrix, of the window around base i. So s is near 0 where
    the motif is not, and grows with the logarithm of how much more likely it is there; with the score as an energy it
    is the logarithm of the weights of both states of a site, bound and free. Strands are tied: strengths of the reverse
    complement are those of the sequence, read backwards. N, and what lies beyond the ends, adds 0 bits.

    Args:
        n_filters: t.
        width: bases of a window, odd.
        rng: source of the weights, which `start_from` replaces.

    Source: sites as states, von Hippel and Berg 1986, PNAS 83:1608.
    """

    def __init__(self, n_filters: int, width: int, rng: np.random.Generator) -> None:
        if n_filters < 1 or width < 1 or width % 2 == 0:
            raise ConfigError(f"MotifFilters: expected filters of an odd width, got {n_filters} of width {width}; "
                              "change one")
        self.weight: Float[Tensor, "t 4 w"] = normal(rng, (n_filters, 4, width), SPREAD)
        self.threshold: Float[Tensor, "t"] = filled(START, n_filters)

    def start_from(self, matrices: Sequence[tuple[Float[np.ndarray, "w 4"], float]]) -> None:
        """Replace the first filters.

        Args:
            matrices: log odds in bits and threshold of each. Of one that is wider than the filters, the window with the
                largest range of scores is taken; narrower ones stand in the middle.

        Raises:
            ConfigError: more matrices than filters.
        """
        weight, threshold = self.weight.numpy().copy(), self.threshold.numpy().copy()
        width = weight.shape[2]
        if len(matrices) > len(weight):
            raise ConfigError(f"MotifFilters: expected at most {len(weight)} matrices, one for each filter, got "
                              f"{len(matrices)}; raise filters")
        for i, (bits, least) in enumerate(matrices):
            spread = np.convolve(np.ptp(bits, axis=1), np.ones(min(width, len(bits))), "valid")
            first = int(spread.argmax())
            kept = bits[first : first + width]
            lost = bits.max(1).sum() - kept.max(1).sum()  # what the best site scores outside of the window
            at = (width - len(kept)) // 2
            weight[i], threshold[i] = 0, least - lost
            weight[i, :, at : at + len(kept)] = kept.T
        self.weight.replace(Tensor(weight))
        self.threshold.replace(Tensor(threshold))

    def reorder(self, order: Sequence[int]) -> None:
        """Put the filters into another order: which one comes first, second, and so on."""
        for part in (self.weight, self.threshold):
            part.replace(Tensor(part.numpy()[list(order)]))

    def __call__(
        self, bases: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"] | None = None
    ) -> Float[Tensor, "b n t"]:
        """Strengths of every motif at every base, 0 in the padding.

        Args:
            bases: ids A C G T N = 0..4, or weights over them (b, n, 5).
            lengths: valid bases per sequence; None where all are.
        """
        t = self.weight.shape[0]
        scores = self._scores(bases, lengths, t)
        better = scores[..., :t].maximum(scores[..., t:])
        # Stored once: fused into the sums over a sequence, it is computed for each of them, down columns of the scores;
        # with 879 matrices and 64 sequences of 101 bases 1.5 s instead of .15 s.
        return _strengths(better, self.threshold, lengths).contiguous()

    def by_strand(
        self, bases: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"] | None, first: int
    ) -> Float[Tensor, "b n 2m"]:
        """Strengths of the first m motifs on the given strand, then of these on the other. Arguments as of a call."""
        threshold = self.threshold[:first]
        return _strengths(self._scores(bases, lengths, first), threshold.cat(threshold), lengths).contiguous()

    def _scores(
        self, bases: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"] | None, first: int
    ) -> Float[Tensor, "b n 2m"]:
        is_ids = dtypes.is_int(bases.dtype)
        letters = (bases.unsqueeze(-1) == Tensor.arange(4, dtype=bases.dtype)).float() if is_ids else bases[..., :4]
        weight = self.weight[:first]
        both = weight.cat(weight.flip((1, 2)))  # A C G T backwards is T G C A, and so is a complement
        return convolution(inside(letters, lengths), both)


def _strengths(
    scores: Float[Tensor, "b n t"], threshold: Float[Tensor, "t"], lengths: Int[Tensor, "b"] | None
) -> Float[Tensor, "b n t"]:
    return inside(softplus((scores - threshold) * LN2), lengths)
