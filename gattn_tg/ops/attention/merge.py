"""Attention over two sets of keys put together."""

from __future__ import annotations

from tinygrad import Tensor

from gattn_tg.types import Float


def merge(
    o: Float[Tensor, "b h n e"],
    lse: Float[Tensor, "b h n"],
    other: Float[Tensor, "b h n e"],
    other_lse: Float[Tensor, "b h n"],
) -> tuple[Float[Tensor, "b h n e"], Float[Tensor, "b h n"]]:
    """Attention over two sets of keys from that over each, in float32; lse is -inf where nothing is seen."""
    top = lse.maximum(other_lse).detach()
    top = (top == -float("inf")).where(0.0, top)
    weight, other_weight = (lse - top).exp(), (other_lse - top).exp()
    total = weight + other_weight
    none = total == 0  # and not what is larger than 0: nan stays nan
    safe = none.where(1.0, total)
    mixed = o * (weight / safe).unsqueeze(-1) + other * (other_weight / safe).unsqueeze(-1)
    return mixed, none.where(-float("inf"), top + safe.log())
