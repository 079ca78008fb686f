"""What was true of sequences beside what a model says of them, and how well the two agree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np

from gattn_tg.metrics import classes, labels, values
from gattn_tg.metrics.chance import edges, redrawn
from gattn_tg.types import Int

CLASSES, LABELS, VALUES = "classes", "labels", "values"
MEANS = {LABELS: ("auprc", "auc", "loss", "ece"), VALUES: ("pearson", "spearman", "r2", "rmse")}
WITH_INTERVAL = {  # not the calibration error, which draws make larger
    CLASSES: ("accuracy", "mcc", "auc", "auprc", "loss"), LABELS: ("auprc", "auc", "loss"), VALUES: MEANS[VALUES],
}  # fmt: skip
LEAST_ROWS = 20  # of fewer sequences draws say too little of others
MOST_VALUES = 20_000  # of more values of truth an interval is narrower than other doubts, and takes long
VALUES_DRAWN, DRAWS = 2_000_000, (200, 1000)  # in all draws together; how many draws at least and at most
LEAST = 1e-30  # predicted counts below count as this in logarithms


class Meaning(Protocol):
    """What an outcome asks of a readout of `models.readouts`."""

    @property
    def task(self) -> str:
        """classes, labels or values."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes, labels or columns."""
        ...


@runtime_checkable
class Scaled(Protocol):
    """A readout whose answers are learnt on a scale of their own."""

    @property
    def loss(self) -> str:
        """mse or poisson."""
        ...

    def learnt(self, values: np.ndarray) -> np.ndarray:
        """Values on that scale."""
        ...


@dataclass(frozen=True)
class Outcome:
    """Truth and answers of a set of sequences.

    Args:
        readout: what the answers mean.
        truth: class of each sequence, or one number per label or column, nan where it is not known.
        answers: one row per sequence: probabilities of the classes or labels, or values.
    """

    readout: Meaning
    truth: np.ndarray
    answers: np.ndarray

    def __len__(self) -> int:
        return len(self.answers)

    def metrics(self) -> dict[str, float]:
        """The metrics by name; nan where one is not defined.

        Of several labels or columns the means over those in which a metric is defined, then each as METRIC_LABEL.
        """
        if self.readout.task == CLASSES:
            return asdict(classes.measure(self.truth, self.answers))
        single = self.each()
        names = MEANS[self.readout.task]
        found: dict[str, float] = {"n": len(self)}
        for name in names:
            found[name] = _mean([one[name] for one in single])
        if isinstance(self.readout, Scaled):
            found["loss"] = self.loss()
        if len(single) > 1:
            found |= {f"{name}_{label}": one[name] for name in names[:2]
                      for label, one in zip(self.readout.labels, single, strict=True)}  # fmt: skip
        return found

    def intervals(self, seed: int = 0) -> dict[str, tuple[float, float]]:
        """95 % intervals of metrics: percentiles 2.5 and 97.5 over sequences drawn again, with replacement.

        They say what other sequences of the same kind would give, not what other regions or cells would: of sequences
        that lie beside each other they are too narrow. Over the draws in which a metric is defined; nan where it is
        not in most of them, and where all draws agree, as they do of answers that are all right: that is no certainty.
        None at all of fewer than `LEAST_ROWS` sequences, and of more than `MOST_VALUES` classes, labels and values.

        Source: Efron and Tibshirani 1993, "An introduction to the bootstrap", section 13.3.

        Args:
            seed: of the draws.
        """
        n, size = len(self), self.truth.size
        if n < LEAST_ROWS or size > MOST_VALUES:
            return {}
        names, times = WITH_INTERVAL[self.readout.task], min(max(VALUES_DRAWN // size, DRAWS[0]), DRAWS[1])

        def again(rows: Int[np.ndarray, "n"]) -> list[float]:
            metrics = replace(self, truth=self.truth[rows], answers=self.answers[rows]).metrics()
            return [metrics[name] for name in names]

        found = {}
        for name, each in zip(names, redrawn(again, n, times, seed).T, strict=True):
            low, high = edges(each)
            is_told = low < high and 2 * np.isnan(each).sum() < times
            found[name] = (low, high) if is_told else (math.nan, math.nan)
        return found

    def each(self) -> list[dict[str, float]]:
        """The metrics of each label or column, in their order."""
        measure = values.measure if self.readout.task == VALUES else labels.measure
        return [asdict(measure(t, p)) for t, p in zip(self.truth.T, self.answers.T, strict=True)]

    def loss(self) -> float:
        """The metric "loss" alone, which sorts nothing: what training makes small, over the answers that are known.

        Log-loss of classes in nats, the mean of it over labels; of values squares in units of sd, or nats of Poisson.
        """
        if self.readout.task == CLASSES:
            return classes.log_loss(self.truth, self.answers)
        return self._loss_of_values(self.readout) if isinstance(self.readout, Scaled) else self._loss_of_labels()

    def _loss_of_labels(self) -> float:
        return _mean([labels.log_loss(t, p) for t, p in zip(self.truth.T, self.answers.T, strict=True)])

    def _loss_of_values(self, readout: Scaled) -> float:
        known = ~np.isnan(self.truth)
        y, p = readout.learnt(self.truth)[known], readout.learnt(self.answers)[known]
        if not y.size:
            return float("nan")
        each = p - y * np.log(np.maximum(p, LEAST)) if readout.loss == "poisson" else (y - p) ** 2
        return float(each.mean())


def _mean(values: Sequence[float]) -> float:
    """Over those that are defined; nan where none is."""
    defined = np.array(values)[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")
