"""Look-up table of small vocabularies: bases, motif ids, positions."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor, dtypes

from gattn_tg.nn.initial import normal
from gattn_tg.ops.lookup import rows_of
from gattn_tg.types import Float, Int


class Embedding:
    """One learnable row of `width` channels per id, drawn from N(0, std**2).

    Its gradient is summed in a fixed order, without atomics. In place of ids it takes weights over all of them, which
    are floats with one more axis: the ids are the case of one weight of 1. Questions about inputs are asked so.
    """

    def __init__(self, n_ids: int, width: int, rng: np.random.Generator, std: float = 1.0) -> None:
        self.weight: Float[Tensor, "v w"] = normal(rng, (n_ids, width), std)

    def __call__(self, ids: Int[Tensor, "..."] | Float[Tensor, "... v"]) -> Float[Tensor, "... w"]:
        if dtypes.is_float(ids.dtype):
            return ids.matmul(self.weight)
        return rows_of(self.weight, ids)
