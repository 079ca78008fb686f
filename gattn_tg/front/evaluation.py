"""How well a model does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from gattn_tg.errors import UnsupportedError, an
from gattn_tg.explain.drawings.answers import answers_page
from gattn_tg.io.replacing import replacing
from gattn_tg.metrics.classes import confusion
from gattn_tg.metrics.outcome import CLASSES, MEANS, Outcome
from gattn_tg.score.table import Table
from gattn_tg.types import Int

SHOWN = ("n", *(name for names in MEANS.values() for name in names))  # of several labels or columns: the means


@dataclass(frozen=True, repr=False)
class Evaluation(Table):
    """Metrics of parts of the data.

    Args:
        kind: of the model.
        metrics: name of each part ("valid", "test", or "data" for a table) -> name of each metric -> value; None for a
            part that the data does not have.
        labels: names of the classes; none where the model has none.
        confusion: sequences of each true class (rows) by predicted class (columns); None where there are no classes.
        outcomes: truth and answers of the parts, of models that answer about whole sequences.
    """

    kind: str
    metrics: Mapping[str, Mapping[str, float | None] | None]
    labels: tuple[str, ...] = ()
    confusion: Int[np.ndarray, "c c"] | None = None
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)

    @classmethod
    def of_outcomes(cls, kind: str, outcomes: Mapping[str, Outcome]) -> Evaluation:
        """The metrics of parts of which truth and answers are known; the confusion is that of the last one."""
        metrics = {name: finite_only(found.metrics()) for name, found in outcomes.items()}
        last = list(outcomes.values())[-1]
        if last.readout.task != CLASSES:
            return cls(kind, metrics, outcomes=outcomes)
        labels = last.readout.labels
        table = confusion(last.truth, last.answers.argmax(1), len(labels))
        return cls(kind, metrics, labels, table, outcomes)

    @cached_property
    def intervals(self) -> dict[str, dict[str, tuple[float, float]]]:
        """95 % intervals of the metrics of each part, see `Outcome.intervals`; of a thousand draws, so a moment."""
        return {name: found.intervals() for name, found in self.outcomes.items()}

    @property
    def columns(self) -> dict[str, Outcome]:
        """The outcomes that have several labels or columns of values, of which each is told."""
        return {name: found for name, found in self.outcomes.items() if found.readout.task != CLASSES}

    def to_html(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Draw the answers on one page, nothing of which is loaded from elsewhere; it appears when all is written.

        It shows the test set where there is one. Classes and labels: ROC, precision and recall, calibration,
        confusion. Values: predicted against measured.

        Args:
            path: the file.
            overwrite: replace an existing file.

        Raises:
            UnsupportedError: a model that does not answer about whole sequences.
            GattnError: the file exists, or cannot be written.
        """
        if not self.outcomes:
            raise UnsupportedError(f"to_html: {an(self.kind)} cannot: the page shows answers about whole sequences")
        part, found = list(self.outcomes.items())[-1]
        words = {"data": "the table that was given", "valid": "the sequences that chose the weights",
                 "test": "the sequences that were held out for the test"}  # fmt: skip
        title = f"{self.kind}: {found.readout.task} of {len(found):,} sequences"
        with replacing(path, overwrite=overwrite) as file:
            file.write(answers_page(found, title, f"Answers of the model for {words[part]}. Intervals: 95 % of what "
                                    "as many sequences, drawn again from these, give.", self.intervals[part]))

    @property
    def summary(self) -> str:
        """What was measured."""
        return f"{self.kind}, {' and '.join(name for name, found in self.metrics.items() if found)}"

    @property
    def header(self) -> list[str]:
        """Part, metric, value."""
        return ["part", "metric", "value"]

    def rows(self) -> Iterator[list[object]]:
        """One per metric."""
        for part, metrics in self.metrics.items():
            for name, value in (metrics or {}).items():
                yield [part, name, value]


def finite_only(metrics: Mapping[str, float]) -> dict[str, float | None]:
    """Metrics with None in the place of nan, which JSON has not."""
    return {name: None if value != value else value for name, value in metrics.items()}
