"""Short words of bases counted, and a weight for each of them: what a linear model sees in a sequence."""

from __future__ import annotations

from tinygrad import Tensor, dtypes

from gattn_tg.errors import ConfigError, UnsupportedError
from gattn_tg.nn.initial import filled
from gattn_tg.nn.pool import valid_positions
from gattn_tg.ops.words import word_sums
from gattn_tg.types import Float, Int, UInt8

LONGEST = 8  # 4**8 weights for each output and gap; longer words are too rare to learn a weight of their own
UNKNOWN = 4  # the id of N, and of the padding


class Kmers:
    """y[b] = sum over the words in sequence b of weight[gap, word] / sqrt(words in sequence b).

    A word is two halves of k / 2 bases with 0 to `gaps` bases between them that may be any. Words with an N in a half,
    or that reach into the padding, do not count. So the answers are those of a linear model on counts of words, scaled
    so that chance words add noise of one size whatever the length. Weights start at 0.

    Args:
        k: bases of a word: 2, 4, 6 or 8.
        gaps: bases between the halves at most.
        n_out: answers for each sequence.
        merges_strands: a word and its reverse complement share a weight, so that both strands get equal answers.

    Numerics: sums in float32 in a fixed order, the gradient of the weights without atomics.

    Source: words with gaps as in Ghandi et al. 2014, PLoS Computational Biology 10:e1003711; here the gap is in the
        middle.
    """

    def __init__(self, k: int, gaps: int, n_out: int, merges_strands: bool = False) -> None:
        if not 2 <= k <= LONGEST or k % 2 or gaps < 0:
            raise ConfigError(f"Kmers: expected words of 2, 4, 6 or 8 bases and gaps of 0 or more, got k={k} with "
                              f"gaps={gaps}; change k")
        self.half, self.gaps, self.merges_strands = k // 2, gaps, merges_strands
        self.weight: Float[Tensor, "g v o"] = filled(0.0, gaps + 1, 4**k, n_out)

    def __call__(self, bases: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"]) -> Float[Tensor, "b o"]:
        """The answers, float32.

        Args:
            bases: ids A C G T N = 0..4.
            lengths: valid bases per sequence; what stands behind them does not count.

        Raises:
            UnsupportedError: weights over bases in place of ids.
        """
        if not dtypes.is_int(bases.dtype):
            raise UnsupportedError("kmers: expected base ids, which words are counted of, got weights over bases; "
                                   "explain by mutagenesis")
        words = self.words(bases, lengths).contiguous()
        n_words = (words >= 0).sum((1, 2)).maximum(1).float()
        return word_sums(self.weight, words) / n_words.sqrt().unsqueeze(-1)

    def words(self, bases: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"]) -> Int[Tensor, "b n g"]:
        """The word that begins at each base, for each gap: sum_t base[t] 4**(k-1-t) over its bases, -1 for none.

        With merged strands it is the smaller one of the word and its reverse complement.
        """
        n, half = bases.shape[1], self.half
        beyond = 2 * half + self.gaps - 1  # the last word begins at the last base, and is none
        known = valid_positions(n, lengths).where(bases.cast(dtypes.int32), UNKNOWN)
        known = known.pad(((0, 0), (0, beyond)), value=UNKNOWN)
        starts = n + half + self.gaps  # of halves
        letters = [known[:, t : t + starts] for t in range(half)]
        code = there = Tensor.zeros_like(letters[0])
        is_half = letters[0] < UNKNOWN
        for t, letter in enumerate(letters):
            code = code + letter * 4 ** (half - 1 - t)
            there = there + (3 - letter) * 4**t
            is_half = is_half & (letter < UNKNOWN)
        code, there = (is_half.where(x, -1).contiguous() for x in (code, there))
        first, first_there = (x[:, :n].unsqueeze(-1) for x in (code, there))
        second, second_there = (x[:, half:].unfold(1, self.gaps + 1, 1) for x in (code, there))
        word, back = first * 4**half + second, second_there * 4**half + first_there
        return ((first >= 0) & (second >= 0)).where(word.minimum(back) if self.merges_strands else word, -1)
