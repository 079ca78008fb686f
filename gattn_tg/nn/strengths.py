"""What the strengths of motifs in a whole sequence say for the answers: a linear model beside the network."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor

from gattn_tg.nn.initial import filled
from gattn_tg.nn.pool import valid_positions
from gattn_tg.types import Float, Int

LEAST_SD = 0.05  # nats; a motif that the sequences hardly ever have is not blown up into a large number


class Evidence:
    """y = W (f - mean) / sd / sqrt(2 t), with f the strongest site of every motif and log(1 + sum of its strengths).

    `mean` and `sd` are those of the training sequences (`calibrate`) and are not learnt. W begins at 0. The root makes
    one rate of gradient descent right for tens and for hundreds of motifs.

    Args:
        n_filters: t.
        n_out: answers for each sequence.
        scale: `calibrate` divides `sd` by it; less than 1 lets this model learn later than another one beside it.

    Numerics: float32.
    """

    def __init__(self, n_filters: int, n_out: int, scale: float = 1.0) -> None:
        self.scale = scale
        self.weight: Float[Tensor, "2t o"] = filled(0.0, 2 * n_filters, n_out)
        self.mean: Float[Tensor, "2t"] = filled(0.0, 2 * n_filters)
        self.sd: Float[Tensor, "2t"] = filled(1.0, 2 * n_filters)

    def calibrate(self, found: Float[np.ndarray, "r 2t"]) -> Float[np.ndarray, "r 2t"]:
        """Take mean and spread of what `summary` gave for some sequences as usual; gives (f - mean) / sd of them."""
        mean = found.mean(0, dtype=np.float64)
        spread = np.maximum(found.std(0, dtype=np.float64), LEAST_SD) / self.scale
        self.mean.replace(Tensor(mean.astype(np.float32)))
        self.sd.replace(Tensor(spread.astype(np.float32)))
        unusual: np.ndarray = (found - mean) / spread
        return unusual

    def start_from(self, effects: Float[np.ndarray, "2t o"]) -> None:
        """Begin with what one (f - mean) / sd more of each number adds to the answers."""
        self.weight.replace(Tensor((effects * np.sqrt(len(effects))).astype(np.float32)))

    def effects(self) -> Float[np.ndarray, "2t o"]:
        """What one standard deviation more of each f, as `calibrate` saw it, adds to the answers."""
        weight = self.weight.numpy().astype(np.float64)
        found: np.ndarray = weight * self.scale / np.sqrt(len(weight))
        return found

    def __call__(self, strengths: Float[Tensor, "b n t"], lengths: Int[Tensor, "b"]) -> Float[Tensor, "b o"]:
        """The answers, from strengths of every motif at every base."""
        f = (summary(strengths, lengths) - self.mean) / self.sd
        return f.matmul(self.weight) * self.weight.shape[0] ** -0.5


def summary(strengths: Float[Tensor, "b n t"], lengths: Int[Tensor, "b"]) -> Float[Tensor, "b 2t"]:
    """The strongest site of every motif, and log(1 + sum of its strengths), in float32."""
    valid = valid_positions(strengths.shape[1], lengths).unsqueeze(-1)
    s = valid.where(strengths.float(), 0.0)  # strengths are never negative
    return s.max(1).cat((1.0 + s.sum(1)).log(), dim=-1)
