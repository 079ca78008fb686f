"""Predicting tracks of several species at once: one TrackModel, a head and data of its own for each."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from tinygrad import Tensor

from gattn_tg.errors import ConfigError
from gattn_tg.models.captured.inputs import Inputs
from gattn_tg.models.kinds import kind_of
from gattn_tg.models.readouts.tracks import TrackReadout
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.task import Arrays, Device
from gattn_tg.training.tasks import trackdata
from gattn_tg.training.tasks.trackdata import TrackData, TrackSettings
from gattn_tg.training.tasks.tracks import MONITORS, Tracks
from gattn_tg.types import Float


class Heads:
    """The task of a model of tracks with several heads: every step sees batch_size pieces for each of them.

    The losses of the heads are means over their bins and tracks, and count alike whatever the number of tracks is;
    so does every head in the metrics that choose the best weights.

    Args:
        tasks: Name of each head -> its task; all with the same model and settings.

    Source: Avsec et al. 2021 (Enformer), Methods: one trunk, batches of human and mouse in turn.
    """

    data_table: ClassVar[type] = TrackSettings
    derived: ClassVar[tuple[str, ...]] = ("heads",)
    judged_by: ClassVar[Mapping[str, bool]] = MONITORS

    def __init__(self, tasks: Mapping[str, Tracks]) -> None:
        self.tasks = dict(tasks)
        self.model = next(iter(tasks.values())).model
        self.readout = TrackReadout(heads=tuple(task.head for task in tasks.values()))
        self.vocabulary = next(iter(tasks.values())).vocabulary
        self.monitors: Mapping[str, bool] = MONITORS
        self.notes = tuple(f"{name}: {note}" for name, task in tasks.items() for note in task.notes)
        self.warnings = tuple(f"{name}: {text}" for name, task in tasks.items() for text in task.warnings)
        self.steps_per_epoch = max(task.steps_per_epoch for task in tasks.values())

    @classmethod
    def from_config(cls, config: TrainConfig, *, device: Device = None, n_ranks: int = 1) -> Heads | Tracks:
        """Reads the data and makes the model: with one head from [data], with several from [data.NAME].

        Raises:
            ConfigError: Settings or data do not fit, or the heads have motif vocabularies of their own.
            FormatError: A file is malformed.
        """
        kind = kind_of(config.kind, str(config.path))
        parts: dict[str, tuple[TrackSettings, TrackData]] = {}
        for name, table in _tables(config).items():
            one = replace(config, data=table)
            choices = one.data_settings(TrackSettings)
            before: Any = one.model_settings(kind.config, {"heads": ((choices.head, 1),)})
            data = trackdata.load(one, choices, before.bin_bp, before.crop_bp, config.train.reverse_complement)
            parts[name] = choices, data
        heads = tuple((choices.head, len(data.table.names)) for choices, data in parts.values())
        shape = config.model_settings(kind.config, {"heads": heads})
        vocabularies = [data.train.genome.vocabulary for _, data in parts.values()]
        for vocabulary in vocabularies:
            shape = config.with_motifs(shape, vocabulary)
            if vocabulary != vocabularies[0]:
                raise ConfigError(
                    f"{config.path}: [data]: expected one motif vocabulary for all heads, because they share the "
                    "motif tables, got several; name the same one"
                )
        model = kind.model(shape, seed=config.train.seed)
        tasks = {
            name: Tracks(model, data, config.train, choices, device=device, n_ranks=n_ranks)
            for name, (choices, data) in parts.items()
        }
        return cls(tasks) if len(tasks) > 1 else next(iter(tasks.values()))

    def batch(self, step: int, micro: int, rank: int, n_ranks: int) -> Arrays:
        """The pieces of all heads, their arrays named HEAD.bases and so on."""
        return {
            f"{name}.{key}": array
            for name, task in self.tasks.items()
            for key, array in task.batch(step, micro, rank, n_ranks).items()
        }

    def loss(self, inputs: Inputs) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Sum of the mean losses of the heads, and their number."""
        total = Tensor(0.0)
        for name, task in self.tasks.items():
            summed, count = task.loss({key: inputs[f"{name}.{key}"] for key in ("bases", "motif_ids", "targets")})
            total = total + summed / count
        return total, total.detach() * 0 + len(self.tasks)

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Windows of each part, head by head."""
        found: dict[str, dict[str, int]] = {}
        for name, task in self.tasks.items():
            for part, counts in task.counts.items():
                found.setdefault(part, {})[f"{name} windows"] = sum(counts.values())
        return found

    def validate(self) -> dict[str, float]:
        """The metrics of every head as HEAD_metric, and the mean over the heads of those that can be monitored."""
        return joined({name: task.validate() for name, task in self.tasks.items()})

    def test(self) -> dict[str, float] | None:
        """The same of the test windows of the heads that have any; None without."""
        found = {name: task.test() for name, task in self.tasks.items()}
        measured = {name: metrics for name, metrics in found.items() if metrics is not None}
        return joined(measured) if measured else None

    def fingerprint(self) -> bytes:
        """Digest of the names and the data of all heads."""
        content = hashlib.sha256()
        for name, task in self.tasks.items():
            content.update(name.encode() + task.fingerprint())
        return content.digest()


def _tables(config: TrainConfig) -> dict[str, dict[str, Any]]:
    """Name of each head -> its [data] table."""
    tables = {name: {**x, "head": name} for name, x in config.data.items() if isinstance(x, dict)}
    if tables and len(tables) < len(config.data):
        own = next(name for name in config.data if name not in tables)
        raise ConfigError(
            f"{config.path}: [data]: expected either the settings of one head or only tables [data.NAME], one per "
            f"head, got {own!r} beside [data.{next(iter(tables))}]; move it into the tables"
        )
    return tables or {"": config.data}


def joined(of_head: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Means over heads of the metrics that can be monitored, and all metrics as HEAD_metric."""
    means = {key: float(np.mean([metrics[key] for metrics in of_head.values()])) for key in MONITORS}
    return means | {f"{name}_{key}": x for name, metrics in of_head.items() for key, x in metrics.items()}
