"""Telling classes of sequences apart: a SequenceClassifier on a table with a class for each sequence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from tinygrad import Tensor

from gattn_tg.data import LabelledSequences
from gattn_tg.data.peak_choices import PeakChoices
from gattn_tg.errors import ConfigError
from gattn_tg.io import TableColumns
from gattn_tg.metrics.weights import balanced
from gattn_tg.models.captured.inputs import Inputs
from gattn_tg.models.readouts.sequences import LABEL, ClassReadout
from gattn_tg.ops.cross_entropy import cross_entropy
from gattn_tg.strict import require
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.task import Arrays
from gattn_tg.training.tasks import remarks
from gattn_tg.training.tasks.labelled import (
    BALANCED,
    DataSettings,
    TaskName,
    Weights,
    require_as_many,
    require_weights,
)
from gattn_tg.training.tasks.peaks import peak_tables
from gattn_tg.training.tasks.sequences import SequenceTask
from gattn_tg.training.tasks.sources import Names, Source, Tables
from gattn_tg.types import Float, Int

MONITORS = {"auc": True, "accuracy": True, "mcc": True, "auprc": True, "loss": False}


@dataclass(frozen=True, kw_only=True)
class ClassData(DataSettings, PeakChoices):
    """The [data] table of classes: tables, or a genome and peaks, as `gattn dataset` reads them.

    Args:
        train: CSV or TSV with a column of sequences and one of classes, several as a list or a pattern such as
            "parts/*.csv", or a folder that `gattn preprocess` made of tables; "" with genome.
        genome: FASTA in which the peaks lie; "" for tables.
        positives: BED or narrowPeak with the peaks, whose windows have the class 1; negatives have 0.
        label_column: Column with the class of each sequence.
        class_weights: How much a sequence of each class counts in the loss: "balanced" lets all classes count alike
            however many sequences they have, a list has one weight for each class in the order in which training
            lists them; [] counts all sequences alike.
    """

    task: TaskName = "classes"
    train: Names = ""
    genome: str = ""
    positives: str = ""
    label_column: str = LABEL
    class_weights: Weights = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        PeakChoices.__post_init__(self)
        require(bool(self.genome) == bool(self.positives), "positives", "a file of peaks with genome, and none without",
                self.positives)  # fmt: skip
        require(not (self.genome and self.state_column), "state_column", "none with genome, where nothing is measured",
                self.state_column)  # fmt: skip
        for name in ("train", "valid", "test"):
            require(not (self.genome and getattr(self, name)), name, "no table beside genome; name valid_contigs and "
                    "test_contigs for the parts", getattr(self, name))  # fmt: skip
        require(bool(self.label_column), "label_column", "the name of a column", self.label_column)
        require_weights(self.class_weights)

    @classmethod
    def of(cls, label_names: tuple[str, ...]) -> Self:
        """The choices of data that is no file."""
        return cls(train="")

    def tables(self, config: TrainConfig) -> tuple[dict[str, Source], tuple[str, ...]]:
        """The tables, read from files or made of peaks."""
        if self.genome:
            tables, told = peak_tables(config, self, self.genome, self.positives, self.split_seed)
            return {part: Tables((table,)) for part, table in tables.items()}, told
        if "train" not in config.data:
            raise ConfigError(f"{config.path}: [data]: expected train, got none; add train = ..., or genome and "
                              "positives")
        return super().tables(config)

    def origin(self, part: str) -> str:
        """Where the sequences of a part come from."""
        return f"from {self.positives}, negatives {self.negatives}" if self.genome else super().origin(part)

    @property
    def read(self) -> TableColumns:
        """A class for each sequence."""
        return TableColumns(self.sequence_column, self.label_column, self.named, states=self.state_column or None)

    def require_learnable(self, data: LabelledSequences, where: str) -> None:
        """Refuses labels from which no classes can be learnt, see `remarks.require_classes`."""
        remarks.require_classes(data, where)

    def strata(self, data: LabelledSequences) -> Int[np.ndarray, "N"]:
        """The classes: every part gets the same mix."""
        return remarks.labels_of(data)

    def counts(self, data: LabelledSequences) -> dict[str, int]:
        """Sequences of each class."""
        return remarks.class_sizes(data)

    def warnings(self, sets: Mapping[str, LabelledSequences]) -> list[str]:
        """What makes metrics of classes mean less than they seem to."""
        return remarks.of_classes(sets, weighted=bool(self.class_weights))

    def fingerprint(self) -> bytes:
        """What a resumed run must have in common, beside the data; nothing without weights."""
        return repr(self.class_weights).encode() if self.class_weights else b""


class Classify(SequenceTask):
    """The task of a model of classes."""

    choices: ClassData
    data_table: ClassVar[type[DataSettings]] = ClassData
    judged_by: ClassVar[Mapping[str, bool]] = MONITORS

    def made_readout(self) -> ClassReadout:
        """Names of the classes, and of the columns."""
        c, names = self.choices, self.train.label_names
        self._weights = self._weights_of(len(names))
        return ClassReadout(labels=names, label_column=c.label_column, **c.columns)

    def truth(self, data: LabelledSequences) -> Int[np.ndarray, "N"]:
        """Class of each sequence."""
        return remarks.labels_of(data)

    def targets(self, data: LabelledSequences, rows: Int[np.ndarray, "r"]) -> Arrays:
        """Classes, and the weights of their rows."""
        labels = self.truth(data)[rows]
        return {"labels": labels, **({} if self._weights is None else {"weights": self._weights[labels]})}

    def loss_of(self, outputs: Float[Tensor, "b c"], inputs: Inputs) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Cross entropy, summed over the valid rows with their weights, and the sum of these."""
        labels = inputs["valid"].where(inputs["labels"], -1)
        weights = inputs["weights"] if self._weights is not None else None
        return cross_entropy(outputs, labels, self.settings.label_smoothing, weights)

    def _weights_of(self, n_classes: int) -> Float[np.ndarray, "c"] | None:
        given = self.choices.class_weights
        if not given:
            return None
        if given == BALANCED:
            return balanced(np.bincount(self.truth(self.train), minlength=n_classes))
        require_as_many(given, self.train.label_names)
        return np.array(given, np.float32)
