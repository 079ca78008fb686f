"""Slopes of attention that falls with distance: ALiBi."""

from __future__ import annotations

import functools
import math

import numpy as np
from tinygrad import Tensor

from gattn_tg.types import Float


def alibi(h: int) -> Float[np.ndarray, "h"]:
    """Slopes of h heads, float32: 2^(-8 (i + 1) / h) for a power of two; else those of the power below, and in between
    every other one of the power above.

    Source: Press, Smith and Lewis 2022, Train Short, Test Long, and the code that goes with it.
    """
    below = 2 ** int(math.log2(h))
    first = [2.0 ** (-8 * (i + 1) / below) for i in range(below)]
    between = [2.0 ** (-8 * (i + 1) / (2 * below)) for i in range(0, 2 * below, 2)]
    return np.array((first + between)[:h], np.float32)


@functools.cache
def alibi_slopes(h: int, device: str | tuple[str, ...]) -> Float[Tensor, "h"]:
    """The same on a device, or on each of several; it is no parameter, so no checkpoint holds it."""
    made = Tensor(alibi(h)) if isinstance(device, tuple) else Tensor(alibi(h), device=device)
    return (made.shard(device) if isinstance(device, tuple) else made).realize()
