"""The task of every kind of answers: how a model that `[model] kind = ...` of a configuration names is trained."""

from __future__ import annotations

from typing import Any

from gattn_tg import strict
from gattn_tg.models.kinds import KINDS
from gattn_tg.models.readouts.bases import MaskedReadout, NextBaseReadout, SiteReadout
from gattn_tg.models.readouts.readout import TASK, Readout
from gattn_tg.models.readouts.sequences import ClassReadout, LabelReadout, ValueReadout
from gattn_tg.models.readouts.tracks import TrackReadout
from gattn_tg.models.sites.readout import SparseReadout
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.task import Device, Task, TaskKind
from gattn_tg.training.tasks.bases import Bases
from gattn_tg.training.tasks.classify import Classify
from gattn_tg.training.tasks.heads import Heads
from gattn_tg.training.tasks.labels import Labels
from gattn_tg.training.tasks.language import Language
from gattn_tg.training.tasks.mask import Mask
from gattn_tg.training.tasks.sites import Sites
from gattn_tg.training.tasks.values import Values

TASKS: dict[type[Readout], TaskKind[Any]] = {
    ClassReadout: Classify,
    LabelReadout: Labels,
    ValueReadout: Values,
    NextBaseReadout: Language,
    MaskedReadout: Mask,
    TrackReadout: Heads,
    SiteReadout: Bases,
    SparseReadout: Sites,
}


def task_class(kind: str, task: str = "") -> TaskKind[Any]:
    """How models of a kind, a key of `models.kinds.KINDS`, are trained.

    Args:
        kind: The kind.
        task: Which of the tasks of the kind, `[data] task`; "" takes its first.

    Raises:
        ConfigError: The kind has no such task.
    """
    return TASKS[KINDS[kind].readout_of(task)]


def tasks_of(kind: str) -> list[str]:
    """The words that `[data] task` can be for a kind; none where it has one task only."""
    known = [readout.task for readout in (KINDS[kind].readout, *KINDS[kind].others)]
    return known if len(known) > 1 else []


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
    known = tasks_of(config.kind)
    if known and config.task:
        strict.require_one_of(config.task, known, f"{config.path}: [data] {TASK}")
    chosen: TaskKind[Any] = task_class(config.kind, config.task if known else "")
    task: Task = chosen.from_config(config, device=device, n_ranks=n_ranks)
    return task
