"""Slopes of attention that falls with distance: ALiBi."""

from __future__ import annotations

import math

import numpy as np

from gattn_tg.ops import constants
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


alibi_slopes = constants.on_device(alibi)  # no parameter, so no checkpoint holds it
