"""Parts of a model that learn apart: each keeps the weights with which it was best by itself."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
from tinygrad import Tensor

from gattn_tg.nn.blend import LINEAR, NETWORK, PLACED
from gattn_tg.training.keep.state import restore, snapshot
from gattn_tg.training.loop.parameters import is_linear
from gattn_tg.types import Float

BLEND = "blend.weight"
Weights = dict[str, Float[np.ndarray, "..."]]


@contextmanager
def at_their_best(parameters: Mapping[str, Tensor], best: Weights | None, better: Collection[str]) -> Iterator[Weights]:
    """While it is entered, each part has its best weights, which it gives.

    Args:
        parameters: All of the model by name, with the weights of now.
        best: The best weights before; None where there are none.
        better: Parts whose weights of now are better than these.
    """
    now = snapshot(parameters)
    kept = {name: now[name] if best is None or part_of(name) in better else best[name] for name in now}
    restore(parameters, kept)
    try:
        yield kept
    finally:
        restore(parameters, now)


def part_of(name: str) -> str:
    """The part that a parameter belongs to."""
    if name.startswith(f"{PLACED}."):
        return PLACED
    return LINEAR if is_linear(name) else NETWORK
