"""The one number that is explained: log odds of a class, label or base, a value, or counts of bins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from tinygrad import Tensor

from gattn_tg.errors import ConfigError, UnsupportedError
from gattn_tg.models.checkpoint import Checkpoint
from gattn_tg.models.readouts.sequences import ClassReadout, SequenceReadout, ValueReadout
from gattn_tg.motif import MotifVocabulary, annotate
from gattn_tg.types import Float, Int, UInt8

NATS = "nats of log odds"
UNITS = {ClassReadout: NATS, ValueReadout: "units of the value"}


@dataclass(frozen=True)
class Target:
    """Base: what a model says of sequences, as numbers that add up; what is explained is a weighted sum of them.

    Args:
        model: a network.

    Attributes:
        holds_motifs: gradients keep the motif ids, which the network must have as ids.
    """

    holds_motifs: ClassVar[bool] = False

    model: Any

    @property
    def unit(self) -> str:
        """What the numbers are."""
        return NATS

    def run(self, *inputs: Tensor) -> Float[Tensor, "b c"]:
        """The numbers for base ids, motif ids, lengths and places where there are some, or for weights in place of ids.
        """
        raise NotImplementedError

    def motif_ids(
        self, bases: UInt8[np.ndarray, "b n"], vocabulary: MotifVocabulary
    ) -> UInt8[np.ndarray, "b n"]:
        """The motif ids that the network reads beside bases."""
        return annotate(bases, vocabulary)


@dataclass(frozen=True)
class SequenceTarget(Target):
    """What a model says of whole sequences: log odds in nats, or values.

    Args:
        model: a network of one output per class, label or value.
        readout: what its outputs mean.
    """

    readout: SequenceReadout

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> SequenceTarget:
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
        return UNITS.get(type(self.readout), NATS)

    def answers(self, outputs: Float[Tensor, "b c"]) -> Float[Tensor, "b c"]:
        """The numbers of all classes, labels or values."""
        if isinstance(self.readout, ClassReadout):
            return log_odds(outputs)
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
            raise ConfigError(f"target: expected one of {_listed(labels)}, got none; name the one that is asked about")
        return known(asked, labels)

    def chosen(
        self, asked: str | None, n: int, answers: Callable[[], Float[np.ndarray, "n c"]]
    ) -> Int[np.ndarray, "n"]:
        """Which answer is explained for each sequence.

        Args:
            asked: its name; None takes the class that is predicted, or the only answer.
            n: sequences.
            answers: gives what the model says of them, where that is asked.

        Raises:
            ConfigError: no such name, or none where there are several labels or values.
        """
        labels = self.readout.labels
        if asked is not None:
            return np.full(n, known(asked, labels))
        if isinstance(self.readout, ClassReadout):
            likeliest: np.ndarray = answers().argmax(1)
            return likeliest
        if len(labels) > 1:
            raise ConfigError(f"target: expected one of {_listed(labels)}, got none; name the one that is asked about")
        return np.zeros(n, np.int64)


def log_odds(outputs: Float[Tensor, "b c"]) -> Float[Tensor, "b c"]:
    """Of each class against all others, from logits z: z_c - log(sum exp z others)."""
    own = Tensor(np.eye(outputs.shape[1], dtype=bool), device=outputs.device).unsqueeze(0)
    return outputs - own.where(-1e30, outputs.unsqueeze(1)).logsumexp(-1)


def known(asked: str, labels: Sequence[str]) -> int:
    """The number of a name.

    Raises:
        ConfigError: no such name.
    """
    if asked not in labels:
        raise ConfigError(f"explain: expected as target one of {_listed(labels)}, got {asked!r}; correct it")
    return labels.index(asked)


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(labels[:8]) + (" ..." if len(labels) > 8 else "")
