"""Answers about whole sequences: classes, labels, measured values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, Self

import numpy as np

from gattn_tg.errors import ConfigError
from gattn_tg.models.readouts.readout import TASK, Readout
from gattn_tg.types import Float

SEQUENCE, NAME, LABEL = "sequence", "name", "label"  # columns of tables, unless a configuration says others


@dataclass(frozen=True, kw_only=True)
class SequenceReadout(Readout):
    """Base of the answers about a whole sequence: one number for each of some names.

    Args:
        labels: name of each answer, in the order of the outputs of the model.
        sequence_column: column with the sequences, in tables of new sequences as well.
        name_column: column with their names.
        state_column: column with what was measured at their bases; "" where the model reads letters alone.
        shortest: bases of the shortest sequence of training; 0 where it is not known.
        both_strands: training turned strands, so answers are the mean over a sequence and its reverse complement unless
            one strand is asked for.
    """

    word: ClassVar[str] = "answer"  # one of the labels, in messages
    labels: tuple[str, ...]
    sequence_column: str = SEQUENCE
    name_column: str = NAME
    state_column: str = ""
    shortest: int = 0
    both_strands: bool = False

    @classmethod
    def from_about(cls, about: Mapping[str, Any]) -> Self | None:
        """Read what `to_about` gave."""
        return super().from_about({key: value for key, value in about.items() if key != TASK})

    def to_about(self) -> dict[str, Any]:
        """The labels, and of the rest what is not as usual: checkpoints of classes stay as they always were."""
        usual = {f.name: f.default for f in fields(self)}
        told = {key: value for key, value in super().to_about().items() if usual[key] != value}
        return told if self.task == ClassReadout.task else {TASK: self.task, **told}

    def check(self, config: Any) -> None:
        """Raise ConfigError unless there are as many labels as outputs."""
        if len(self.labels) != config.n_classes or len(set(self.labels)) < len(self.labels):
            raise ConfigError(f"expected {config.n_classes} labels, one for each {self.word}, got {len(self.labels)}")


@dataclass(frozen=True, kw_only=True)
class ClassReadout(SequenceReadout):
    """One probability for each class of a sequence; they add up to 1.

    Args:
        labels: name of each class, in the order of the logits.
        label_column: column with the class, in tables of sequences whose class is known.
    """

    task: ClassVar[str] = "classes"
    word: ClassVar[str] = "class"
    label_column: str = LABEL


@dataclass(frozen=True, kw_only=True)
class LabelReadout(SequenceReadout):
    """The probability of yes for each of several labels of a sequence; any number of them can hold.

    Args:
        labels: name of each label, which is the column of its 0 and 1.
    """

    task: ClassVar[str] = "labels"
    word: ClassVar[str] = "label"


@dataclass(frozen=True, kw_only=True)
class ValueReadout(SequenceReadout):
    """Measured values of a sequence, in the units of the table.

    Args:
        labels: name of each value, which is its column.
        mean: of each column in the training data.
        sd: standard deviation of each column there.
        loss: "mse": the model says by how many sd a value lies above the mean; "poisson": by how many nats its
            logarithm lies above that of the mean.
    """

    task: ClassVar[str] = "values"
    word: ClassVar[str] = "column"
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    loss: Literal["mse", "poisson"]

    def check(self, config: Any) -> None:
        """Raise ConfigError unless there are as many labels, means and deviations as outputs, and all can be."""
        super().check(config)
        if not len(self.mean) == len(self.sd) == len(self.labels) or min(self.sd, default=1) <= 0:
            raise ConfigError(f"expected a mean and an sd above 0 for each of {len(self.labels)} columns, got "
                              f"{len(self.mean)} and {str(self.sd)[:80]}")
        if self.loss == "poisson" and min(self.mean, default=1) <= 0:
            raise ConfigError(f"expected means above 0 with loss poisson, got {str(self.mean)[:80]}")

    def learnt(self, values: Float[np.ndarray, "... k"]) -> Float[np.ndarray, "... k"]:
        """Values as the model is to learn them: (y - mean) / sd, or y / mean."""
        mean = np.array(self.mean)
        scaled: np.ndarray = values / mean if self.loss == "poisson" else (values - mean) / np.array(self.sd)
        return scaled

    def values(self, outputs: Float[np.ndarray, "... k"]) -> Float[np.ndarray, "... k"]:
        """Values that a model predicts with these outputs z: mean + sd z, or mean exp(z)."""
        z, mean = outputs.astype(np.float64), np.array(self.mean)
        with np.errstate(over="ignore"):  # infinite values are refused where answers leave a model
            found: np.ndarray = mean * np.exp(z) if self.loss == "poisson" else mean + np.array(self.sd) * z
        return found
