"""Whether probabilities are what they say: of what was called with 70 %, are 70 % so? And how to make them so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gattn_tg.types import Bool, Float, Int

BINS = 10
LEAST_SLOPE, PULL = 0.05, 1e-3  # of Platt scaling
STEPS, ROUNDED = 50, 1e-9  # of Newton's method; smaller steps are none


@dataclass(frozen=True)
class Reliability:
    """Predictions in bins of equal width by their probability; bins without predictions are left out.

    Args:
        probability: mean of the predictions in each bin.
        share: of them that came true.
        count: predictions.
    """

    probability: Float[np.ndarray, "b"]
    share: Float[np.ndarray, "b"]
    count: Int[np.ndarray, "b"]

    @property
    def error(self) -> float:
        """Expected calibration error: sum_b (n_b / n) |share_b - probability_b|; nan without predictions.

        Source: Naeini, Cooper and Hauskrecht 2015, "Obtaining well calibrated probabilities using Bayesian binning";
            Guo et al. 2017, "On calibration of modern neural networks", equation 3.
        """
        if not self.count.size:
            return float("nan")
        return float((self.count * np.abs(self.share - self.probability)).sum() / self.count.sum())


def reliability(true: Bool[np.ndarray, "n"], probability: Float[np.ndarray, "n"], bins: int = BINS) -> Reliability:
    """How often predictions of each height came true.

    Args:
        true: which predictions came true.
        probability: what was said of each, from 0 to 1.
        bins: of equal width; bin b holds b / bins < p <= (b + 1) / bins, and the first one 0 too.
    """
    p = probability.astype(np.float64)
    at = np.clip(np.ceil(p * bins).astype(np.int64) - 1, 0, bins - 1)
    count = np.bincount(at, minlength=bins)
    held = count > 0
    mean = np.bincount(at, p, bins)[held] / count[held]
    share = np.bincount(at, true.astype(np.float64), bins)[held] / count[held]
    return Reliability(mean, share, count[held])


def platt(
    log_odds: Float[np.ndarray, "n"], share: Float[np.ndarray, "n"], weight: Float[np.ndarray, "n"]
) -> tuple[float, float]:
    """Slope a and level b for which a z + b are the log odds that fit best what came true: Platt scaling.

    The weighted log-loss is least, with a weak pull towards a = 1 and b = 0, and a is no less than LEAST_SLOPE: scores
    that say nothing are made weak, and never turned around.

    Args:
        log_odds: z, as a model gives them.
        share: of what came true: 0 or 1, or a share between.
        weight: of each item; 0 leaves it out.

    Source: Platt 1999, "Probabilistic outputs for support vector machines".
    """
    x = np.stack([log_odds.astype(np.float64), np.ones(len(log_odds))], axis=1)
    y, w = np.where(weight > 0, share, 0.0).astype(np.float64), weight.astype(np.float64)
    found = _fitted(x, y, w, np.array([1.0, 0.0]), np.array([True, True]))
    if found[0] < LEAST_SLOPE:
        found = _fitted(x, y, w, np.array([LEAST_SLOPE, 0.0]), np.array([False, True]))
    return float(found[0]), float(found[1])


def _fitted(x: np.ndarray, y: np.ndarray, w: np.ndarray, start: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Newton's method for the free ones of slope and level, each step halved until the loss falls."""

    def loss(c: np.ndarray) -> float:
        z = x @ c
        return float((w * (np.logaddexp(0.0, z) - y * z)).sum() + 0.5 * PULL * ((c - start) ** 2).sum())

    found = start
    for _ in range(STEPS):
        p = 0.5 * (1 + np.tanh(0.5 * (x @ found)))
        slope = (x.T @ (w * (p - y)) + PULL * (found - start))[free]
        curve = ((x * (w * p * (1 - p))[:, None]).T @ x + PULL * np.eye(2))[np.ix_(free, free)]
        step = np.zeros(2)
        step[free] = np.linalg.solve(curve, slope)
        scale = 1.0
        while loss(found - scale * step) > loss(found) and scale > ROUNDED:
            scale /= 2
        if np.abs(step).max() * scale < ROUNDED or scale <= ROUNDED:
            break
        found = found - scale * step
    return found
