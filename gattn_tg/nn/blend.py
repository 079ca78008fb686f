"""Two models that answer as one: a weighted sum of what both say."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor

from gattn_tg.nn.initial import filled
from gattn_tg.ops.host import write
from gattn_tg.types import Float

# Of what a model says alone: a linear model speaks all too softly after a few steps, a network all too loudly when it
# knows its rows by heart.
SCALES = tuple(2.0 ** (i / 2) for i in range(-8, 17))
STEPS = (0.0, 0.125, 0.25, 0.375, 0.5, 0.75, 1.0)
# Of a network and of a linear model, each on its scale; finer ones some hundred sequences cannot tell apart.
CHOICES = tuple((network, linear) for network in STEPS for linear in STEPS if network + linear >= 0.5)


class Blend:
    """y = w[0] * network + w[1] * linear; both weights begin at a half.

    They are not learnt with the rest: on sequences that both models have learnt by heart the better one would be that
    which knows them better by heart. They are chosen on others (`choose`).
    """

    def __init__(self) -> None:
        self.weight: Float[Tensor, "2"] = filled(0.5, 2)

    def choose(self, network: float, linear: float) -> None:
        """Take other weights, in place: captured calls go on with them."""
        write([self.weight.realize()], [np.array([network, linear], np.float32)])

    def __call__(self, network: Float[Tensor, "b o"], linear: Float[Tensor, "b o"]) -> Float[Tensor, "b o"]:
        """The answers of both as one."""
        return self.weight[0] * network + self.weight[1] * linear
