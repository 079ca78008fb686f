"""How well predicted probabilities agree with labels: loss, accuracy, AUC, Matthews correlation, confusion."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from gattn_tg.errors import ShapeError
from gattn_tg.metrics.calibration import reliability
from gattn_tg.metrics.precision import average_precision
from gattn_tg.metrics.ranks import mid_ranks
from gattn_tg.types import Bool, Float, Int

TINY = 1e-12  # a probability of 0 costs -log(1e-12) = 27.6 nats instead of infinity


@dataclass(frozen=True)
class Metrics:
    """The numbers reported for one dataset; `auc` and `auprc` are nan where only one class occurs."""

    n: int
    loss: float
    accuracy: float
    auc: float
    mcc: float
    auprc: float
    ece: float

    def to_dict(self) -> dict[str, int | float | None]:
        """The fields by name, with None for nan because JSON has no nan."""
        return {k: None if v != v else v for k, v in asdict(self).items()}


def auc(positive: Bool[np.ndarray, "n"], score: Float[np.ndarray, "n"]) -> float:
    """Area under the ROC curve: the share of (positive, negative) pairs ranked rightly, a tie counting one half.

    Args:
        positive: which examples are of the class.
        score: higher means more likely of the class.

    Returns:
        (sum of mid-ranks of the positives - P (P + 1) / 2) / (P N); nan without both kinds.

    Source: Mann & Whitney 1947; Hanley & McNeil 1982.
    """
    n_positive = int(positive.sum())
    n_negative = positive.size - n_positive
    if n_positive == 0 or n_negative == 0:
        return float("nan")
    rank_sum = float(mid_ranks(score)[positive].sum())
    return (rank_sum - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative)


def roc(
    positive: Bool[np.ndarray, "n"], score: Float[np.ndarray, "n"]
) -> tuple[Float[np.ndarray, "k"], Float[np.ndarray, "k"]]:
    """The ROC curve: share of the negatives and of the positives at or above each distinct score, from the highest.

    Both begin with 0; the area under the lines between the points is `auc`. Both empty without both kinds.
    """
    n_positive = int(positive.sum())
    if n_positive in (0, positive.size):
        return np.zeros(0), np.zeros(0)
    order = np.argsort(-score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(score[order])), positive.size - 1)  # where a run of equal scores ends
    hits = np.cumsum(positive[order])[last]
    misses = last + 1 - hits
    return np.append(0.0, misses / (positive.size - n_positive)), np.append(0.0, hits / n_positive)


def confusion(
    labels: Int[np.ndarray, "n"], predicted: Int[np.ndarray, "n"], n_classes: int
) -> Int[np.ndarray, "c c"]:
    """Counts with the true class in rows and the predicted class in columns."""
    cells = labels.astype(np.int64) * n_classes + predicted
    return np.bincount(cells, minlength=n_classes * n_classes).reshape(n_classes, n_classes)


def mcc(table: Int[np.ndarray, "c c"]) -> float:
    """Matthews correlation of a confusion table, for two or more classes; 0 where it is undefined.

    (N trace(C) - t . p) / sqrt((N^2 - p . p)(N^2 - t . t)), t and p the row and column sums.

    Source: Gorodkin 2004, "Comparing two K-category assignments by a K-category correlation coefficient".
    """
    counts = table.astype(np.float64)
    total, true, predicted = counts.sum(), counts.sum(1), counts.sum(0)
    scale = np.sqrt((total**2 - predicted @ predicted) * (total**2 - true @ true))
    return float((total * np.trace(counts) - true @ predicted) / scale) if scale > 0 else 0.0


def log_loss(labels: Int[np.ndarray, "n"], probabilities: Float[np.ndarray, "n c"]) -> float:
    """Mean over the examples of -log of the probability of the true class, in nats."""
    picked = np.maximum(probabilities[np.arange(labels.size), labels].astype(np.float64), TINY)
    return float(-np.log(picked).mean())


def measure(labels: Int[np.ndarray, "n"], probabilities: Float[np.ndarray, "n c"]) -> Metrics:
    """All metrics of one set of predictions.

    Args:
        labels: true class per example.
        probabilities: one row per example, summing to 1.

    Returns:
        Mean log-loss in nats, accuracy, AUC (class 1 against 0; with more classes the mean of one-vs-rest over the
        classes that occur), Matthews correlation, average precision in the same way as AUC, and the expected
        calibration error of the most probable class.

    Raises:
        ShapeError: the two do not have the same number of rows, or there are none.
    """
    if labels.shape[0] != probabilities.shape[0] or labels.shape[0] == 0:
        raise ShapeError(
            "measure: expected labels and probabilities of as many rows, at least 1, got "
            f"{labels.shape[0]} and {probabilities.shape[0]}; predict the dataset that holds the labels"
        )
    n_classes = probabilities.shape[1]
    predicted = probabilities.argmax(1)
    table = confusion(labels, predicted, n_classes)
    # of one class alone nothing can be ranked
    kinds = np.unique(labels).tolist()
    ranked = [] if len(kinds) < 2 else [1] if n_classes == 2 else kinds
    area, precision = (
        float(np.mean([area_of(labels == c, probabilities[:, c]) for c in ranked])) if ranked else float("nan")
        for area_of in (auc, average_precision)
    )
    return Metrics(
        n=int(labels.size),
        loss=log_loss(labels, probabilities),
        accuracy=float((predicted == labels).mean()),
        auc=area,
        mcc=mcc(table),
        auprc=precision,
        ece=reliability(predicted == labels, probabilities.max(1)).error,
    )
