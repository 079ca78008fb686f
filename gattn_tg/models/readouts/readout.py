"""What all readouts have: how they are written and read, and the words of a checkpoint beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

from gattn_tg.models.config import Config

LONGEST_BP = 1 << 28  # of a window: longer than any chromosome of a human
TASK = "task"
VOCABULARY = "vocabulary"  # stands beside the readout in a checkpoint; every kind of model has one


@dataclass(frozen=True, kw_only=True)
class Readout(Config):
    """Base of the readouts: frozen, and strict when it is read."""

    task: ClassVar[str] = ""  # the word of [data] and of checkpoints, where a kind of model has several readouts

    @classmethod
    def from_about(cls, about: Mapping[str, Any]) -> Self | None:
        """Read what `to_about` gave; None where a checkpoint says nothing.

        Raises:
            ConfigError: an unknown or missing field, or a value of the wrong type.
        """
        told = {key: value for key, value in about.items() if key != VOCABULARY}
        return cls.from_dict(told) if told else None

    def to_about(self) -> dict[str, Any]:
        """The readout as JSON values, as config.json holds it."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    def check(self, config: Any) -> None:
        """Raise ConfigError where the readout does not fit the configuration of its model."""
