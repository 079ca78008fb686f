"""How well a model does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from gattn_tg.score.table import Table
from gattn_tg.types import Int


@dataclass(frozen=True, repr=False)
class Evaluation(Table):
    """Metrics of parts of the data.

    Args:
        kind: of the model.
        metrics: name of each part ("valid", "test", or "data" for a table) -> name of each metric -> value; None for a
            part that the data does not have.
        labels: names of the classes; none where the model has none.
        confusion: sequences of each true class (rows) by predicted class (columns); None where there are no classes.
    """

    kind: str
    metrics: Mapping[str, Mapping[str, float | None] | None]
    labels: tuple[str, ...] = ()
    confusion: Int[np.ndarray, "c c"] | None = None

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
