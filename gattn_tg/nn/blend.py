"""Models that answer as one: a weighted sum of what each says."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from tinygrad import Tensor

from gattn_tg.nn.initial import filled
from gattn_tg.ops.host import write
from gattn_tg.types import Float

# What a classifier may be made of: its network, the linear models on words and motifs, and the one on words at their
# places. The last has weights of its own kind: of few rows words and motifs would drown it in one sum.
NETWORK, LINEAR, PLACED = "network", "linear", "placed"
# Of what a model says alone: a linear model speaks all too softly after a few steps, a network all too loudly when it
# knows its rows by heart.
SCALES = tuple(2.0 ** (i / 2) for i in range(-8, 17))
STEPS = (0.0, 0.125, 0.25, 0.375, 0.5, 0.75, 1.0)


def choices(n: int) -> list[tuple[float, ...]]:
    """Weights of `n` models, each on its scale; finer ones some hundred sequences cannot tell apart."""
    return [weights for weights in product(STEPS, repeat=n) if sum(weights) >= 0.5]


class Blend:
    """y = sum of w[m] * what model m says; at first all weigh the same, together 1.

    The weights are not learnt with the rest: of models that have learnt their sequences by heart the best would be that
    which knows them best by heart. They are chosen on others (`choose`).

    Args:
        n: Models.
    """

    def __init__(self, n: int) -> None:
        self.weight: Float[Tensor, "n"] = filled(1 / n, n)

    def choose(self, *weights: float) -> None:
        """Take other weights, in place: captured calls go on with them."""
        write([self.weight.realize()], [np.array(weights, np.float32)])

    def __call__(self, said: Sequence[Float[Tensor, "b o"]]) -> Float[Tensor, "b o"]:
        """The answers of all as one."""
        weighed: Tensor = sum(self.weight[m] * one for m, one in enumerate(said))
        return weighed
