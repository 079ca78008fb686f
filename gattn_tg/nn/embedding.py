"""Look-up table of small vocabularies: bases, motif ids, positions."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor

from gattn_tg.nn.initial import normal
from gattn_tg.ops.rows import rows_of
from gattn_tg.types import Float, Int


class Embedding:
    """One learnable row of `width` channels per id, drawn from N(0, std**2).

    Its gradient is summed in a fixed order, without atomics.
    """

    def __init__(self, n_ids: int, width: int, rng: np.random.Generator, std: float = 1.0) -> None:
        self.weight: Float[Tensor, "v w"] = normal(rng, (n_ids, width), std)

    def __call__(self, ids: Int[Tensor, "..."]) -> Float[Tensor, "... w"]:
        return rows_of(self.weight, ids)
