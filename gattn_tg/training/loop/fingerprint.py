"""What must be equal for a run to be resumed: settings, model, data, and what it began with."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping

from gattn_tg.training.settings import TrainSettings
from gattn_tg.training.task import Task

# Settings that do not change what is learnt: a run may be resumed with others.
FREE = ("checkpoint_every", "checkpoint_minutes", "keep", "log_every", "tensorboard", "shard_optimizer")


def fingerprint(
    task: Task, settings: TrainSettings, *, monitor: str, n_ranks: int, rates: Mapping[str, float], origin: str
) -> str:
    """Sixteen hexadecimal digits that differ when a resumed run would not be the same run.

    Args:
        task: Its model's configuration and its data count.
        settings: All but those of `FREE` count.
        monitor: Metric that chooses the best weights.
        n_ranks: Processes: they decide which rows a step sees.
        rates: Learning rates by name of the parameter.
        origin: Digest of weights that the model was given beforehand.
    """
    counted = {k: v for k, v in dataclasses.asdict(settings).items() if k not in FREE}
    content = hashlib.sha256(task.fingerprint())
    for part in (counted, task.model.config, monitor, n_ranks, sorted(rates.items()), origin):
        content.update(repr(part).encode())
    return content.hexdigest()[:16]
