"""Whether probabilities are what they say: of what was called with 70 %, are 70 % so?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gattn_tg.types import Bool, Float, Int

BINS = 10


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
