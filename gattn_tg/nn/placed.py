"""Which word stands at each place, and a weight for each of them: a linear model on sequences that are aligned."""

from __future__ import annotations

from tinygrad import Tensor, dtypes

from gattn_tg.nn.initial import filled
from gattn_tg.types import Float, UInt8

LONGEST = 3  # 4**3 weights for every place and answer


class Placed:
    """y[b] = sum over places i of weight[i, word of k bases that begins at i] / sqrt(places).

    Words with an N give nothing. With the root every sequence has the length 1 for gradient descent, however many
    places there are, so that one rate is right for all. Weights start at 0, and few steps keep them as small as a
    penalty on their squares would.

    Args:
        k: bases of a word, from 1 to 3.
        n: bases of every sequence.
        n_out: answers for each sequence.

    Numerics: products of one-hot rows, so weights over bases are taken, too, and gradients in them are exact; float32.
    """

    def __init__(self, k: int, n: int, n_out: int) -> None:
        self.k, self.places = k, n - k + 1
        self.weight: Float[Tensor, "p v o"] = filled(0.0, self.places, 4**k, n_out)

    def __call__(self, bases: UInt8[Tensor, "b n"] | Float[Tensor, "b n 5"]) -> Float[Tensor, "b o"]:
        """The answers.

        Args:
            bases: ids A C G T N = 0..4, or weights over them.
        """
        letters = bases.unsqueeze(-1) == Tensor.arange(4, dtype=dtypes.uint8) if bases.ndim == 2 else bases[..., :4]
        letters = letters.float()
        words = letters[:, : self.places]
        for t in range(1, self.k):
            following = letters[:, t : t + self.places]
            words = (words.unsqueeze(-1) * following.unsqueeze(-2)).flatten(2)
        return words.flatten(1).matmul(self.weight.flatten(0, 1)) * self.places**-0.5
