"""The task of every kind of model: what `[model] kind = ...` of a configuration stands for."""

from __future__ import annotations

from typing import Any

from gattn_tg.errors import ConfigError
from gattn_tg.training import strict
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.task import Device, Task, TaskKind
from gattn_tg.training.tasks.bases import Bases
from gattn_tg.training.tasks.classify import Classify
from gattn_tg.training.tasks.heads import Heads
from gattn_tg.training.tasks.language import Language
from gattn_tg.training.tasks.mask import Mask

TASKS: dict[str, TaskKind[Any]] = {
    "SequenceClassifier": Classify,
    "GenomicGPT": Language,
    "MaskedEncoder": Mask,
    "TrackModel": Heads,
    "PerBaseModel": Bases,
}


def task_class(kind: str) -> TaskKind[Any]:
    """The class of the tasks of a kind of model, a name that `[model] kind` may have."""
    return TASKS[kind]


def task_of(config: TrainConfig, *, device: Device = None, n_ranks: int = 1) -> Task:
    """The task of a configuration, with its data read and its model made.

    Args:
        config: What to train on what.
        device: Where the inputs go; a tuple shares the rows out.
        n_ranks: Processes that train together.

    Raises:
        ConfigError: There is no such kind of model, or settings do not fit.
    """
    if config.kind not in TASKS:
        raise ConfigError(
            f"{config.path}: [model] kind: one of {', '.join(TASKS)} is required, but came {config.kind!r}; "
            f"{strict.nearest(config.kind, TASKS)}"
        )
    task: Task = TASKS[config.kind].from_config(config, device=device, n_ranks=n_ranks)
    return task
