"""Logistic regression by Newton's method, for a few numbers and many rows."""

from __future__ import annotations

import numpy as np

from gattn_tg.types import Bool, Float

STEPS, ROUNDED = 50, 1e-9  # of Newton's method; smaller steps are none


def logistic(
    x: Float[np.ndarray, "n f"], y: Float[np.ndarray, "n"], weight: Float[np.ndarray, "n"], *,
    start: Float[np.ndarray, "f"], pull: float, free: Bool[np.ndarray, "f"] | None = None,
) -> Float[np.ndarray, "f"]:
    """The c for which x c are the log odds that fit y best.

    The weighted log-loss plus pull / 2 * |c - start|^2 is least; each step is halved until it falls.

    Args:
        x: float64 rows; a column of ones gives a level.
        y: what came true of each: 0 or 1, or a share between.
        weight: of each row; 0 leaves it out.
        start: what c is pulled towards, and where it begins.
        pull: above 0; a hundred rows pull about as much as 10.
        free: which numbers are fitted; None for all. The others stay as in `start`.
    """
    free = np.ones(len(start), bool) if free is None else free

    def loss(c: np.ndarray) -> float:
        z = x @ c
        return float((weight * (np.logaddexp(0.0, z) - y * z)).sum() + 0.5 * pull * ((c - start) ** 2).sum())

    found = start
    for _ in range(STEPS):
        p = 0.5 * (1 + np.tanh(0.5 * (x @ found)))
        slope = (x.T @ (weight * (p - y)) + pull * (found - start))[free]
        curve = ((x * (weight * p * (1 - p))[:, None]).T @ x + pull * np.eye(len(start)))[np.ix_(free, free)]
        step = np.zeros(len(start))
        step[free] = np.linalg.solve(curve, slope)
        scale = 1.0
        while loss(found - scale * step) > loss(found) and scale > ROUNDED:
            scale /= 2
        if np.abs(step).max() * scale < ROUNDED or scale <= ROUNDED:
            break
        found = found - scale * step
    return found


def slopes_and_level(
    x: Float[np.ndarray, "n f"], y: Float[np.ndarray, "n"], weight: Float[np.ndarray, "n"], pull: float
) -> tuple[Float[np.ndarray, "f"], float]:
    """What each number adds to the log odds of y, and the log odds where all are 0; both pulled towards 0."""
    rows = np.c_[x.astype(np.float64), np.ones(len(x))]
    found = logistic(rows, y, weight, start=np.zeros(rows.shape[1]), pull=pull)
    return found[:-1], float(found[-1])
