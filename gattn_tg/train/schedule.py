"""Learning rate of every step: linear warm-up, then half a cosine."""

from __future__ import annotations

import math


def learning_rate(step: int, n_steps: int, *, peak: float, floor: float, warmup_steps: int) -> float:
    """The rate of one step.

    Rises as peak (step + 1) / warmup_steps, then falls as floor + (peak - floor) (1 + cos(pi t)) / 2 with t
    from 0 at the end of the warm-up to 1 at the last step. A warm-up longer than a tenth of
    a short run is cut to that tenth.

    Args:
        step: 0-based step of optimisation.
        n_steps: Steps of the whole run.
        peak: Highest rate.
        floor: Rate of the last step.
        warmup_steps: Steps of the rise.

    Source: Loshchilov & Hutter 2017, eq. 5, without restarts.
    """
    warmup = min(warmup_steps, n_steps // 10)
    if step < warmup:
        return peak * (step + 1) / warmup
    share = (step - warmup) / max(n_steps - 1 - warmup, 1)
    return floor + (peak - floor) * (1 + math.cos(math.pi * min(share, 1.0))) / 2
