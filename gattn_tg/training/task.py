"""What is trained on what: model, batches, loss and validation behind one face for the training loop."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from tinygrad import Tensor

from gattn_tg.metrics.outcome import Outcome
from gattn_tg.models.captured.inputs import Inputs
from gattn_tg.models.readouts.readout import Readout
from gattn_tg.motif import MotifVocabulary
from gattn_tg.training.config import TrainConfig
from gattn_tg.types import Float

Arrays = dict[str, np.ndarray]
Device = str | tuple[str, ...] | None
T = TypeVar("T", bound="Task", covariant=True)


class Trainable(Protocol):
    """What the loop asks of a model; its parameters are those of tinygrad's `get_state_dict`."""

    @property
    def config(self) -> Any:
        """A frozen dataclass."""
        ...

    @property
    def n_parameters(self) -> int:
        """Number of learnable values."""
        ...


class Task(Protocol):
    """One kind of learning: `Fit` trains any of them.

    Attributes:
        model: The network; its parameters are changed in place.
        steps_per_epoch: Optimiser steps of one pass over the data, with batch_size * accumulate * ranks rows each.
        monitors: Metrics of `validate` that can choose the best weights, in order of preference: name -> True where
            higher is better.
    """

    @property
    def model(self) -> Any:
        """The network, a `Trainable`."""
        ...

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps of one pass."""
        ...

    @property
    def monitors(self) -> Mapping[str, bool]:
        """Metrics that can be monitored."""
        ...

    def batch(self, step: int, micro: int, rank: int, n_ranks: int) -> Arrays:
        """One micro-batch of batch_size rows: always the same shapes; the first array is (rows, positions).

        It depends on nothing but the seed and these numbers, so that a run goes on anywhere without a replay. It is
        called in a thread of its own, so it may not touch tinygrad.

        Args:
            step: 0-based optimiser step of the whole run.
            micro: 0-based micro-batch of that step, below `accumulate`.
            rank: This process.
            n_ranks: Processes that train together, each on rows of its own.
        """
        ...

    def loss(self, inputs: Inputs) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """(sum of the losses in nats, number of items it is over) of one micro-batch; is captured by TinyJit."""
        ...

    def validate(self) -> dict[str, float]:
        """Metrics of the held-out data with the weights that the model has now; nan where one is not defined."""
        ...

    @property
    def readout(self) -> Readout:
        """What the answers of the model mean: classes, tracks, sites."""
        ...

    @property
    def vocabulary(self) -> MotifVocabulary:
        """Motif classes whose ids the model reads."""
        ...

    def fingerprint(self) -> bytes:
        """Bytes that differ when the data differs: a run is resumed only on the same."""
        ...


class Judge(Protocol):
    """Asks the parts of a model that learn apart about the validation set.

    Attributes:
        parts: their names.
    """

    parts: tuple[str, ...]

    def values(self, monitor: str) -> dict[str, float]:
        """The metric of each part alone, with the weights that the model has now; nan where it is not defined."""
        ...

    def choose(self, better: Collection[str]) -> dict[str, float]:
        """Weigh the parts as is best with what they have learnt; metrics of the whole, and PART_weight of each part.

        Args:
            better: Parts whose weights are those that `values` asked about; others have earlier ones.
        """
        ...


@runtime_checkable
class Parted(Protocol):
    """A task whose model may be made of parts that learn apart."""

    judge: Judge | None


@runtime_checkable
class Prepared(Protocol):
    """A task that computes something of its model and data once, for all steps."""

    def prepare(self) -> None:
        """Is called before the first step of a process, with the weights that a run begins or goes on with."""
        ...


@runtime_checkable
class Testable(Protocol):
    """A task that has a set to be looked at once, when the best weights are chosen."""

    def test(self) -> dict[str, float] | None:
        """Metrics of the test set; None when the run has none."""
        ...


@runtime_checkable
class Compared(Protocol):
    """A task that can show truth and answers beside each other."""

    def outcome(self, part: str) -> Outcome | None:
        """Those of the set "valid" or "test" with the weights that the model has now; None without such a set."""
        ...


@runtime_checkable
class Remarked(Protocol):
    """A task that has something to say before it begins: what it read and chose, what a user should think about."""

    notes: tuple[str, ...]
    warnings: tuple[str, ...]


@runtime_checkable
class Counted(Protocol):
    """A task that knows how much there is to learn from."""

    @property
    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """train, valid and, where there is one, test -> class or kind of row -> how many."""
        ...


class TaskKind(Protocol[T]):
    """A class of tasks, as `tasks.TASKS` lists them."""

    @property
    def data_table(self) -> type:
        """The dataclass behind its [data] table."""
        ...

    @property
    def derived(self) -> tuple[str, ...]:
        """Fields of the model that follow from the data, so that [model] may not have them."""
        ...

    @property
    def judged_by(self) -> Mapping[str, bool]:
        """Metrics that `monitor` can name, in order of preference: name -> True where higher is better."""
        ...

    def from_config(self, config: TrainConfig, *, device: Device = None, n_ranks: int = 1) -> T:
        """Reads the data and makes the model of a configuration.

        Args:
            config: The file; `config.data_settings(cls)` and `config.file(...)` read its [data] table,
                `config.model` is the rest of [model].
            device: Where the inputs of `validate` go; a tuple shares the rows out.
            n_ranks: Processes that train together.
        """
        ...
