"""What a run tells while it goes on; the command line shows it, a library user may ignore it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gattn_tg.training.loop.start import Start

N_COMPILING = 2  # steps of a process that tell nothing of its speed: the first compiles, the second is captured


@dataclass(frozen=True)
class Plan:
    """What lies before a run.

    Args:
        first_step: Steps done already, by an earlier process.
        n_steps: Steps of the whole run.
        steps_per_epoch: Steps of one pass over the data.
        rows_per_step: Rows that one step sees, on all ranks.
        n_parameters: Learnable values of the model.
        monitor: Metric that chooses the best weights.
        higher_is_better: Which way it goes.
    """

    first_step: int
    n_steps: int
    steps_per_epoch: int
    rows_per_step: int
    n_parameters: int
    monitor: str
    higher_is_better: bool


@dataclass(frozen=True)
class Trained:
    """A line of metrics.jsonl about training, one every `log_every` steps.

    Args:
        step: Steps done since the start of the run.
        epoch: Passes over the data done, with a fraction.
        loss: Mean over the steps since the line before, in nats per item.
        learning_rate: Rate of the last step.
        gradient_norm: Of the last step, before clipping.
        examples_per_s: Rows per second since the line before, all ranks together; validation, checkpoints and
            compiling left out. None where nothing was measured.
        positions_per_s: The same times the positions of a row: bases, tokens.
        waited: Share of the time since the line before in which the device stood still because data was not ready.
        seconds: Since the start of the run, earlier processes included.
    """

    step: int
    epoch: float
    loss: float
    learning_rate: float
    gradient_norm: float
    examples_per_s: float | None
    positions_per_s: float | None
    waited: float
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, as JSON can hold them."""
        return {"kind": "train", **_finite(asdict(self))}


@dataclass(frozen=True)
class Validated:
    """A line of metrics.jsonl about a validation.

    Args:
        step: Steps done since the start of the run.
        epoch: Passes over the data done, with a fraction.
        train_loss: Mean over the steps since the validation before, in nats per item.
        learning_rate: Rate of the last step.
        metrics: What the task measures on held-out data.
        is_best: The monitored metric has never been better.
        examples_per_s: Rows per second since the validation before; None where nothing was measured.
        seconds: Since the start of the run, earlier processes included.
    """

    step: int
    epoch: float
    train_loss: float
    learning_rate: float
    metrics: dict[str, float]
    is_best: bool
    examples_per_s: float | None
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, as JSON can hold them."""
        return {"kind": "valid", **_finite(asdict(self)), "metrics": _finite(self.metrics)}


@dataclass(frozen=True)
class Fitted:
    """What a run leaves; the model holds the best weights, or after Ctrl-C those of the last step.

    Args:
        validations: One record per validation of this process.
        best_step: Steps done at the best validation; 0 when the run was stopped before the first.
        interrupted: Ctrl-C ended the run; it can be resumed.
        step: Steps done.
        steps_per_epoch: Steps of one pass over the data.
        seconds: Duration, earlier processes of the run included.
    """

    validations: tuple[Validated, ...]
    best_step: int
    interrupted: bool
    step: int
    steps_per_epoch: int
    seconds: float

    def finished(self) -> Fitted:
        """Itself; for scripts, which would go on with half a model where Ctrl-C was meant to stop them.

        Raises:
            KeyboardInterrupt: Ctrl-C ended the run, which was saved first.
        """
        if self.interrupted:
            raise KeyboardInterrupt(f"training was stopped at step {self.step} and saved; resume it")
        return self


class Watcher:
    """Listens to a run and does nothing; override what is of interest."""

    def took_over(self, start: Start) -> None:
        """When the model has got weights of an earlier checkpoint."""

    def noted(self, text: str) -> None:
        """What the task read, and what it chose by itself: one call per line."""

    def warned(self, text: str) -> None:
        """What the user should think about: data that make metrics mean less than they seem to."""

    def started(self, plan: Plan) -> None:
        """Before the first step (which also compiles the kernels)."""

    def stepped(self, step: int, loss: float, rate: float, n_rows: int) -> None:
        """After every step; `step` counts from 1, `n_rows` is the number of rows it saw on all ranks."""

    def trained(self, record: Trained) -> None:
        """After every `log_every` steps."""

    def validated(self, record: Validated) -> None:
        """After every validation."""

    def saved(self, folder: Path, step: int) -> None:
        """After a checkpoint is whole and on disk."""

    def damaged(self, message: str) -> None:
        """When a checkpoint cannot be used and the run goes on from an older one."""

    def interrupted(self, step: int) -> None:
        """After Ctrl-C, when the state is on disk."""


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    """None for nan and infinities, which JSON does not have."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}
