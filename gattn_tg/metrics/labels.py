"""How well the probabilities of several labels agree with what is known: one judgement for each label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gattn_tg.metrics.calibration import reliability
from gattn_tg.metrics.classes import TINY, auc
from gattn_tg.metrics.precision import average_precision
from gattn_tg.types import Float


@dataclass(frozen=True)
class LabelMetrics:
    """Numbers of one label, over the sequences of which it is known.

    Args:
        n: sequences.
        positives: of them.
        loss: binary cross-entropy in nats; nan without sequences.
        auprc: average precision; nan without positives. By chance it is the share of positives.
        auc: area under the ROC curve; nan without both kinds.
        ece: expected calibration error.
    """

    n: int
    positives: int
    loss: float
    auprc: float
    auc: float
    ece: float


def log_loss(truth: Float[np.ndarray, "n"], probability: Float[np.ndarray, "n"]) -> float:
    """Mean over what is known of -log of the probability of the truth, in nats; nan where nothing is."""
    known = ~np.isnan(truth)
    positive, p = truth[known] == 1, probability[known].astype(np.float64)
    return float(-np.log(np.maximum(np.where(positive, p, 1 - p), TINY)).mean()) if p.size else float("nan")


def measure(truth: Float[np.ndarray, "n"], probability: Float[np.ndarray, "n"]) -> LabelMetrics:
    """The numbers of one label.

    Args:
        truth: 1, 0, or nan where it is not known.
        probability: of 1.
    """
    known = ~np.isnan(truth)
    positive, p = truth[known] == 1, probability[known].astype(np.float64)
    return LabelMetrics(
        n=int(known.sum()), positives=int(positive.sum()), loss=log_loss(truth, probability),
        auprc=average_precision(positive, p), auc=auc(positive, p), ece=reliability(positive, p).error,
    )  # fmt: skip
