"""A linear model on numbers that were counted in a sequence, each by how unusual it is: beside the network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tinygrad import Tensor

from gattn_tg.nn.initial import filled
from gattn_tg.types import Float

LEAST_SD = 0.05  # nats; a motif that the sequences hardly ever have is not blown up into a large number


class Evidence:
    """y = W (f - mean) / sd / sqrt(m), of m numbers f for each sequence.

    `mean` and `sd` are those of the training sequences (`calibrate`) and are not learnt. W begins at 0. The root makes
    one rate of gradient descent right for tens and for hundreds of numbers.

    Args:
        n_numbers: m.
        n_out: answers for each sequence.
        scale: `calibrate` divides `sd` by it; less than 1 lets this model learn later than another one beside it.

    Numerics: float32.
    """

    def __init__(self, n_numbers: int, n_out: int, scale: float = 1.0) -> None:
        self.scale = scale
        self.weight: Float[Tensor, "m o"] = filled(0.0, n_numbers, n_out)
        self.mean: Float[Tensor, "m"] = filled(0.0, n_numbers)
        self.sd: Float[Tensor, "m"] = filled(1.0, n_numbers)

    def calibrate(self, found: Float[np.ndarray, "r m"]) -> Float[np.ndarray, "r m"]:
        """Take mean and spread of the numbers of some sequences as usual; gives (f - mean) / sd of them."""
        mean = found.mean(0, dtype=np.float64).astype(np.float32)
        spread = (np.maximum(found.std(0, dtype=np.float64), LEAST_SD) / self.scale).astype(np.float32)
        self.mean.replace(Tensor(mean))
        self.sd.replace(Tensor(spread))
        unusual: np.ndarray = (found - mean) / spread
        return unusual

    def reorder(self, order: Sequence[int]) -> None:
        """Put the numbers into another order: which one comes first, second, and so on."""
        for part in (self.weight, self.mean, self.sd):
            part.replace(Tensor(part.numpy()[list(order)]))

    def start_from(self, effects: Float[np.ndarray, "m o"]) -> None:
        """Begin with what one (f - mean) / sd more of each number adds to the answers."""
        self.weight.replace(Tensor((effects * np.sqrt(len(effects))).astype(np.float32)))

    def effects(self) -> Float[np.ndarray, "m o"]:
        """What one standard deviation more of each f, as `calibrate` saw it, adds to the answers."""
        weight = self.weight.numpy().astype(np.float64)
        found: np.ndarray = weight * self.scale / np.sqrt(len(weight))
        return found

    def __call__(self, numbers: Float[Tensor, "b m"]) -> Float[Tensor, "b o"]:
        """The answers, from the numbers of each sequence."""
        return ((numbers - self.mean) / self.sd).matmul(self.weight) * self.weight.shape[0] ** -0.5
