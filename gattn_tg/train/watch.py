"""What a run tells while it goes on; the command line shows it, a library user may ignore it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from gattn_tg.data.metrics import Metrics


@dataclass(frozen=True)
class Epoch:
    """One line of metrics.jsonl.

    Args:
        epoch: 1-based pass over the training set.
        step: Steps done since the start of the run.
        train_loss: Mean over the steps of this pass, with smoothing, in nats.
        learning_rate: Rate of the last step.
        valid: Metrics of the validation set after this pass.
        is_best: The monitored metric has never been better.
        seconds: Since the start of the run.
        sequences_per_s: Training speed of this pass, validation excluded.
    """

    epoch: int
    step: int
    train_loss: float
    learning_rate: float
    valid: Metrics
    is_best: bool
    seconds: float
    sequences_per_s: float

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, as JSON can hold them."""
        return {**asdict(self), "valid": self.valid.to_dict()}


class Watcher:
    """Listens to a run and does nothing; override what is of interest."""

    def started(self, n_steps: int, n_sequences: int, n_parameters: int) -> None:
        """Before the first step (which also compiles the kernels)."""

    def stepped(self, step: int, loss: float, rate: float, n_sequences: int) -> None:
        """After every step; `step` counts from 1, `n_sequences` is the number of this batch."""

    def finished_epoch(self, epoch: Epoch) -> None:
        """After the validation of every pass."""

    def interrupted(self, step: int) -> None:
        """After Ctrl-C, when the state is on disk."""
