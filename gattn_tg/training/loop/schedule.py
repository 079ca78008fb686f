"""Learning rate of every step: linear warm-up, then half a cosine, a line, or no change."""

from __future__ import annotations

import math

from gattn_tg.training.settings import TrainSettings


def learning_rate(
    step: int, n_steps: int, *, peak: float, floor: float, warmup_steps: int, shape: str = "cosine"
) -> float:
    """The rate of one step.

    Rises as peak (step + 1) / warmup_steps. With t from 0 at the end of the warm-up to 1 at the last step it then goes
    as floor + (peak - floor) w: w = (1 + cos(pi t)) / 2 for "cosine", 1 - t for "linear", 1 for "constant". A warm-up
    longer than a tenth of a short run is cut to that tenth.

    Args:
        step: 0-based step of optimisation.
        n_steps: Steps of the whole run.
        peak: Highest rate.
        floor: Rate of the last step.
        warmup_steps: Steps of the rise.
        shape: "cosine", "linear" or "constant".

    Source: Loshchilov & Hutter 2017, eq. 5, without restarts.
    """
    warmup = min(warmup_steps, n_steps // 10)
    if step < warmup:
        return peak * (step + 1) / warmup
    share = min((step - warmup) / max(n_steps - 1 - warmup, 1), 1.0)
    weight = {"cosine": (1 + math.cos(math.pi * share)) / 2, "linear": 1 - share, "constant": 1.0}[shape]
    return floor + (peak - floor) * weight


def scheduled(settings: TrainSettings, step: int, n_steps: int) -> float:
    """The rate of one step as the [train] table has it."""
    return learning_rate(
        step,
        n_steps,
        peak=settings.learning_rate,
        floor=settings.min_learning_rate,
        warmup_steps=settings.warmup_steps,
        shape=settings.schedule,
    )
