"""The task of every kind of answers: how a model that `[model] kind = ...` of a configuration names is trained."""

from __future__ import annotations

from typing import Any

from gattn_tg import strict
from gattn_tg.models.kinds import KINDS
from gattn_tg.models.readouts import ClassReadout, MaskedReadout, NextBaseReadout, Readout, SiteReadout, TrackReadout
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.task import Device, Task, TaskKind
from gattn_tg.training.tasks.bases import Bases
from gattn_tg.training.tasks.classify import Classify
from gattn_tg.training.tasks.heads import Heads
from gattn_tg.training.tasks.language import Language
from gattn_tg.training.tasks.mask import Mask

TASKS: dict[type[Readout], TaskKind[Any]] = {
    ClassReadout: Classify,
    NextBaseReadout: Language,
    MaskedReadout: Mask,
    TrackReadout: Heads,
    SiteReadout: Bases,
}


def task_class(kind: str) -> TaskKind[Any]:
    """How models of a kind, a key of `models.kinds.KINDS`, are trained."""
    return TASKS[KINDS[kind].readout]


def task_of(config: TrainConfig, *, device: Device = None, n_ranks: int = 1) -> Task:
    """The task of a configuration, with its data read and its model made.

    Args:
        config: What to train on what.
        device: Where the inputs go; a tuple shares the rows out.
        n_ranks: Processes that train together.

    Raises:
        ConfigError: There is no such kind of model, or settings do not fit.
    """
    strict.require_one_of(config.kind, KINDS, f"{config.path}: [model] kind")
    task: Task = task_class(config.kind).from_config(config, device=device, n_ranks=n_ranks)
    return task
