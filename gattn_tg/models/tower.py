"""From bases to bins: convolutions that see motifs, and pooling by two until a position stands for many bases."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor

from gattn_tg.nn.convolution import Convolution
from gattn_tg.nn.linear import Linear
from gattn_tg.nn.norm import LayerNorm
from gattn_tg.ops.pooling import halved
from gattn_tg.types import Float

LANES = 32  # channels come in multiples: the convolution on the CPU works on lanes of 32, 48 or 64


def widths(first: int, last: int, stages: int) -> tuple[int, ...]:
    """Channels after each stage: growing by a constant factor from `first` to `last`, in multiples of 32 in between."""
    steps = max(stages - 1, 1)
    grown = [first * (last / first) ** (s / steps) for s in range(stages)]
    inner = [max(LANES, round(w / LANES) * LANES) for w in grown[1:-1]]
    return (first, *inner, last)[:stages] if stages > 1 else (last,)


class Stage:
    """h = gelu(convolution(norm(x))), then h + gelu(linear(norm(h))), then the larger of every two positions.

    Layer norms take the place of Enformer's batch norms: they keep no statistics, so a row of a batch does not depend
    on the others, and a model sees while it is used what it saw in training.

    Source: after the convolution tower of Avsec et al. 2021 (Enformer), Extended Data Fig. 1.
    """

    def __init__(self, n_in: int, n_out: int, kernel: int, rng: np.random.Generator) -> None:
        self.convolution_norm = LayerNorm(n_in)
        self.convolution = Convolution(n_in, n_out, kernel, rng)
        self.mix_norm = LayerNorm(n_out)
        self.mix = Linear(n_out, n_out, rng)

    @property
    def halo(self) -> int:
        """Positions on each side that an output sees."""
        return self.convolution.kernel // 2

    def __call__(self, x: Float[Tensor, "b n i"]) -> Float[Tensor, "b n/2 o"]:
        h = self.convolution(self.convolution_norm(x), activation="gelu")
        return halved(self.mix(self.mix_norm(h), activation="gelu", residual=h))
