"""Labels of sequences, any number of which can hold: a SequenceClassifier on a table with a 0/1 column for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from tinygrad import Tensor

from gattn_tg.data import LabelledSequences
from gattn_tg.io import TableColumns
from gattn_tg.io.numbers import NumberColumns
from gattn_tg.models.captured.inputs import Inputs
from gattn_tg.models.readouts.sequences import LabelReadout
from gattn_tg.ops.poisson import binary_cross_entropy
from gattn_tg.training.task import Arrays
from gattn_tg.training.tasks import remarks
from gattn_tg.training.tasks.labelled import (
    BALANCED,
    DataSettings,
    TaskName,
    Weights,
    require_as_many,
    require_columns,
    require_weights,
)
from gattn_tg.training.tasks.sequences import SequenceTask
from gattn_tg.types import Float, Int

MONITORS = {"auprc": True, "auc": True, "loss": False}


@dataclass(frozen=True, kw_only=True)
class LabelData(DataSettings):
    """The [data] table of labels.

    Args:
        label_columns: Columns with 1 where a label holds and 0 where it does not; an empty cell, NA or nan is not known
            and does not count.
        class_weights: How much a 1 counts in the loss against a 0: "balanced" lets the 0 and 1 of every label count
            alike, a list has one weight for each label; [] counts all cells alike.
    """

    task: TaskName = "labels"
    label_columns: tuple[str, ...]
    class_weights: Weights = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        require_columns(self.label_columns)
        require_weights(self.class_weights)
        if self.class_weights and self.class_weights != BALANCED:
            require_as_many(self.class_weights, self.label_columns)

    @classmethod
    def of(cls, label_names: tuple[str, ...]) -> Self:
        """The choices of data that is no file."""
        return cls(train="", label_columns=label_names)

    @property
    def read(self) -> TableColumns:
        """0 and 1 for each sequence."""
        numbers = NumberColumns(self.label_columns, "yes_no")
        return TableColumns(self.sequence_column, None, self.named, numbers, self.state_column or None)

    def require_learnable(self, data: LabelledSequences, where: str) -> None:
        """Refuses columns without a 0 or without a 1, see `remarks.require_labels`."""
        remarks.require_labels(data, where)

    def strata(self, data: LabelledSequences) -> Int[np.ndarray, "N"]:
        """The rarest label that a sequence has, 0 for none: rare labels are in all parts."""
        values = remarks.values_of(data)
        rarest_first = np.argsort(np.nansum(values, 0), kind="stable")
        holds = values[:, rarest_first] == 1
        strata: np.ndarray = np.where(holds.any(1), 1 + holds.argmax(1), 0)
        return strata

    def counts(self, data: LabelledSequences) -> dict[str, int]:
        """Sequences that have each label."""
        return remarks.label_sizes(data)

    def warnings(self, sets: Mapping[str, LabelledSequences]) -> list[str]:
        """What makes metrics of labels mean less than they seem to."""
        return remarks.of_labels(sets, weighted=bool(self.class_weights))

    def fingerprint(self) -> bytes:
        """What a resumed run must have in common, beside the data."""
        return repr((self.task, self.label_columns, self.class_weights)).encode()


class Labels(SequenceTask):
    """The task of a model of labels."""

    choices: LabelData
    data_table: ClassVar[type[DataSettings]] = LabelData
    judged_by: ClassVar[Mapping[str, bool]] = MONITORS

    def made_readout(self) -> LabelReadout:
        """Names of the labels, and of the columns."""
        self._weights = self._weights_of()
        return LabelReadout(labels=self.train.label_names, **self.choices.columns)

    def truth(self, data: LabelledSequences) -> Float[np.ndarray, "N k"]:
        """1, 0, or nan where it is not known."""
        return remarks.values_of(data)

    def targets(self, data: LabelledSequences, rows: Int[np.ndarray, "r"]) -> Arrays:
        """1 and 0, and how much each counts: nothing where it is not known."""
        truth = self.truth(data)[rows]
        known, labels = ~np.isnan(truth), np.nan_to_num(truth).astype(np.float32)
        return {"labels": labels, "weights": (known * np.where(labels == 1, self._weights, 1.0)).astype(np.float32)}

    def loss_of(self, outputs: Float[Tensor, "b c"], inputs: Inputs) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Binary cross entropy, summed over the known cells of valid rows with their weights, and the sum of these."""
        weights = inputs["valid"].unsqueeze(-1).where(inputs["weights"], 0.0)
        return binary_cross_entropy(outputs, inputs["labels"], weights), weights.sum()

    def _weights_of(self) -> Float[np.ndarray, "k"]:
        """How much a 1 of each label counts against a 0."""
        given, truth = self.choices.class_weights, self.truth(self.train)
        if given == BALANCED:
            positives, negatives = (truth == 1).sum(0), (truth == 0).sum(0)
            return np.where(positives > 0, np.maximum(negatives, 1) / np.maximum(positives, 1), 1.0)
        return np.array(given, np.float64) if given else np.ones(truth.shape[1])
