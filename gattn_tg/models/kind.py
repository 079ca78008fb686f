"""What a kind of model consists of, said once in the file of the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gattn_tg.errors import ConfigError, an
from gattn_tg.models.config import TrunkConfig
from gattn_tg.models.readouts.readout import TASK, Readout
from gattn_tg.strict import convert, nearest


@dataclass(frozen=True)
class Kind:
    """A kind of model: `kind.model(kind.config(...), seed=0)` makes one.

    What the model answers with decides how it is trained and asked: `training.tasks.registry` has a task for every
    class of readouts, `front.load` a loaded model. So a new model that answers as another one does needs a file with
    its configuration, its class and its `KIND`, and one line in `models.kinds`.

    Args:
        config: class of its configurations.
        model: class of its networks.
        readout: class of what a checkpoint says about the answers.
        heads: attributes of the network that answer in the classes or tracks of their own data, so that every run
            learns new ones.
        others: classes of readouts that it may have instead, each with a `task` of its own.
        inherits: class whose fields a run takes from the checkpoint that it begins with, where [model] leaves them out:
            those of a trunk that has one form only.
    """

    config: type[TrunkConfig]
    model: type[Any]
    readout: type[Readout]
    heads: tuple[str, ...] = ()
    others: tuple[type[Readout], ...] = ()
    inherits: type[TrunkConfig] | None = None

    @property
    def name(self) -> str:
        """What checkpoints and TOML files call it: the name of the class of its networks."""
        return self.model.__name__

    def readout_of(self, task: str = "") -> type[Readout]:
        """The readout of a task; the first where "".

        Raises:
            ConfigError: no model of this kind has such a task.
        """
        known = {readout.task: readout for readout in (self.readout, *self.others)}
        if task and task not in known:
            raise ConfigError(f"task: expected one of {', '.join(known)} for {an(self.name)}, got {task[:80]!r}; "
                              f"{nearest(task, known)}")
        return known[task] if task else self.readout

    def read(self, about: Mapping[str, Any], config: TrunkConfig) -> Readout | None:
        """The readout of a checkpoint; None where it says nothing about its training.

        Raises:
            ConfigError: it does not fit the configuration of the model.
        """
        readout = self.readout_of(convert(str, about.get(TASK, ""), TASK)).from_about(about)
        if readout is not None:
            readout.check(config)
        return readout
