"""Measured values of sequences: a SequenceClassifier on a table with a column of numbers for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np
from tinygrad import Tensor, dtypes

from gattn_tg.data import LabelledSequences
from gattn_tg.io import TableColumns
from gattn_tg.io.numbers import NumberColumns
from gattn_tg.models.captured.inputs import Inputs
from gattn_tg.models.readouts.sequences import ValueReadout
from gattn_tg.ops.poisson import poisson_log
from gattn_tg.training.task import Arrays
from gattn_tg.training.tasks import remarks
from gattn_tg.training.tasks.labelled import DataSettings, TaskName, require_columns
from gattn_tg.training.tasks.sequences import SequenceTask
from gattn_tg.types import Float, Int

MONITORS = {"pearson": True, "spearman": True, "r2": True, "rmse": False, "loss": False}
STRATA = 10  # parts of equal size by rank, of each of which training, validation and test get their share


@dataclass(frozen=True, kw_only=True)
class ValueData(DataSettings):
    """The [data] table of values.

    Args:
        label_columns: Columns with numbers; an empty cell, NA or nan was not measured and does not count.
        loss: "mse", the mean squared error in units of the standard deviation of a column; or "poisson" for counts,
            which are 0 or more.
    """

    task: TaskName = "values"
    label_columns: tuple[str, ...]
    loss: Literal["mse", "poisson"] = "mse"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_columns(self.label_columns)

    @classmethod
    def of(cls, label_names: tuple[str, ...]) -> Self:
        """The choices of data that is no file."""
        return cls(train="", label_columns=label_names)

    @property
    def read(self) -> TableColumns:
        """Numbers for each sequence."""
        numbers = NumberColumns(self.label_columns, "count" if self.loss == "poisson" else "number")
        return TableColumns(self.sequence_column, None, self.named, numbers, self.state_column or None)

    def require_learnable(self, data: LabelledSequences, where: str) -> None:
        """Refuses columns of one value, see `remarks.require_values`."""
        remarks.require_values(data, where)

    def strata(self, data: LabelledSequences) -> Int[np.ndarray, "N"]:
        """Tenths of the rows by the rank of their first column: low and high values are in all parts."""
        values = remarks.values_of(data)
        places = np.argsort(np.argsort(values[:, 0], kind="stable"), kind="stable")
        strata: np.ndarray = places * STRATA // len(data)
        return strata

    def counts(self, data: LabelledSequences) -> dict[str, int]:
        """Sequences."""
        return {"sequences": len(data)}

    def described(self, data: LabelledSequences) -> list[str]:
        """Columns with their least and largest values."""
        return remarks.value_ranges(data)

    def warnings(self, sets: Mapping[str, LabelledSequences]) -> list[str]:
        """What makes metrics of values mean less than they seem to."""
        return remarks.of_values(sets)

    def fingerprint(self) -> bytes:
        """What a resumed run must have in common, beside the data."""
        return repr((self.task, self.label_columns, self.loss)).encode()


class Values(SequenceTask):
    """The task of a model of values."""

    choices: ValueData
    data_table: ClassVar[type[DataSettings]] = ValueData
    judged_by: ClassVar[Mapping[str, bool]] = MONITORS

    def made_readout(self) -> ValueReadout:
        """Names of the columns, and the scale on which they are learnt."""
        c, values = self.choices, self.truth(self.train)
        remarks.require_spread(self.train)
        return ValueReadout(
            labels=self.train.label_names, **c.columns, loss=c.loss,
            mean=tuple(np.nanmean(values, 0).tolist()), sd=tuple(np.nanstd(values, 0).tolist()),
        )  # fmt: skip

    def truth(self, data: LabelledSequences) -> Float[np.ndarray, "N k"]:
        """Measured values, nan where one is missing."""
        return remarks.values_of(data)

    def targets(self, data: LabelledSequences, rows: Int[np.ndarray, "r"]) -> Arrays:
        """Values on the scale on which they are learnt, and which of them are known."""
        assert isinstance(self.readout, ValueReadout)
        learnt = self.readout.learnt(self.truth(data)[rows])
        return {"values": np.nan_to_num(learnt).astype(np.float32), "known": (~np.isnan(learnt)).astype(np.float32)}

    def loss_of(self, outputs: Float[Tensor, "b c"], inputs: Inputs) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """The loss that the configuration names, summed over the known cells of valid rows, and their number."""
        z, values = outputs, inputs["values"]
        known = inputs["valid"].unsqueeze(-1).where(inputs["known"], 0.0)
        if self.choices.loss == "poisson":
            return poisson_log(z, values, known), known.sum()
        return (known * (z.cast(dtypes.float32) - values).square()).sum(), known.sum()
