"""Numbers that are nan or infinite in q, k and v: taken out of the products, and marked where they were."""

from __future__ import annotations

import math

from tinygrad import Tensor

from gattn_tg.types import Float


def without_broken(x: Float[Tensor, "b h n d"]) -> Float[Tensor, "b h n d"]:
    """x with 0 in place of nan and infinities, so that 0 times what nobody sees is 0."""
    return x.isfinite().where(x, 0.0)


def broken(x: Float[Tensor, "b h n d"]) -> Float[Tensor, "b h n"]:
    """nan for every token that holds a nan or an infinity, which passes its gradient on; 0 for the others."""
    return x.isfinite().where(0.0, x + math.nan).sum(-1)
