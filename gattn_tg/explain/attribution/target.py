"""The one number that is explained: log odds of a class or label, or a value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tinygrad import Tensor

from gattn_tg.errors import ConfigError, UnsupportedError
from gattn_tg.models.checkpoint import Checkpoint
from gattn_tg.models.readouts import ClassReadout, SequenceReadout, ValueReadout
from gattn_tg.types import Float, Int

UNITS = {ClassReadout: "nats of log odds", ValueReadout: "units of the value"}


@dataclass(frozen=True)
class Target:
    """What a model says of whole sequences, as numbers that add up: log odds in nats, or values.

    Args:
        model: a network of one output per class, label or value.
        readout: what its outputs mean.
    """

    model: Any
    readout: SequenceReadout

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Target:
        """The answers of a checkpoint.

        Raises:
            UnsupportedError: a model that says nothing of whole sequences, or that does not say what.
        """
        if not isinstance(checkpoint.readout, SequenceReadout):
            raise UnsupportedError(f"explain: expected a model of classes, labels or values of whole sequences, got a "
                                   f"{checkpoint.kind.name}; ask it for variants, or for motif_attention")
        return cls(checkpoint.model, checkpoint.readout)

    @property
    def unit(self) -> str:
        """What the numbers are."""
        return UNITS.get(type(self.readout), "nats of log odds")

    def answers(self, outputs: Float[Tensor, "b c"]) -> Float[Tensor, "b c"]:
        """The numbers of all classes, labels or values: of a class against all others, z_c - log(sum exp z others)."""
        if isinstance(self.readout, ClassReadout):
            n = outputs.shape[1]
            own = Tensor(np.eye(n, dtype=bool), device=outputs.device).unsqueeze(0)
            return outputs - own.where(-1e30, outputs.unsqueeze(1)).logsumexp(-1)
        if isinstance(self.readout, ValueReadout):
            mean, sd = (Tensor(np.array(x, np.float32), device=outputs.device)
                        for x in (self.readout.mean, self.readout.sd))  # fmt: skip
            return mean * outputs.exp() if self.readout.loss == "poisson" else mean + sd * outputs
        return outputs

    def run(self, *inputs: Tensor) -> Float[Tensor, "b c"]:
        """The numbers for base ids, motif ids and lengths, or for weights in place of ids."""
        return self.answers(self.model(*inputs).float())

    def one(self, asked: str | None) -> int:
        """Which answer is asked of all sequences.

        Args:
            asked: its name; None takes the only answer, or of two classes the second.

        Raises:
            ConfigError: no such name, or none where there are several.
        """
        labels = self.readout.labels
        if asked is None and len(labels) == 1 + isinstance(self.readout, ClassReadout):
            return len(labels) - 1
        if asked is None:
            raise ConfigError(f"explain: expected a target, one of {_listed(labels)}, got none; name it")
        return self._known(asked)

    def chosen(self, asked: str | None, answers: Callable[[], Float[np.ndarray, "n c"]]) -> Int[np.ndarray, "n"]:
        """Which answer is explained for each sequence.

        Args:
            asked: its name; None takes the class that is predicted, or the only answer.
            answers: of the sequences.

        Raises:
            ConfigError: no such name, or none where there are several labels or values.
        """
        labels, n = self.readout.labels, len(answers())
        if asked is not None:
            return np.full(n, self._known(asked))
        if isinstance(self.readout, ClassReadout):
            likeliest: np.ndarray = answers().argmax(1)
            return likeliest
        if len(labels) > 1:
            raise ConfigError(f"explain: expected a target, one of {_listed(labels)}, got none; name it")
        return np.zeros(n, np.int64)

    def _known(self, asked: str) -> int:
        labels = self.readout.labels
        if asked not in labels:
            raise ConfigError(f"explain: expected as target one of {_listed(labels)}, got {asked!r}; correct it")
        return labels.index(asked)


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(labels[:8]) + (" ..." if len(labels) > 8 else "")
