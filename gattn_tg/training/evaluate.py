"""A checkpoint of any kind, measured on held-out data: that of its own run, or what another configuration names."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from tinygrad import Tensor
from tinygrad.nn.state import get_state_dict

from gattn_tg.errors import ConfigError, FormatError
from gattn_tg.metrics.outcome import Outcome
from gattn_tg.models import checkpoint
from gattn_tg.models.kinds import kind_of
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.keep.state import restore
from gattn_tg.training.task import Compared, Device, Testable
from gattn_tg.training.tasks.registry import task_of


@dataclass(frozen=True)
class HeldOut:
    """Metrics of the validation set, and of the test set where there is one.

    `outcomes` are truth and answers of both, of a model that answers about whole sequences.
    """

    kind: str
    valid: dict[str, float]
    test: dict[str, float] | None
    outcomes: dict[str, Outcome] = field(default_factory=dict)


def evaluate(folder: Path | str, config: TrainConfig, *, device: Device = None) -> HeldOut:
    """Measures the weights of a checkpoint on the validation and test data of a configuration.

    Args:
        folder: The checkpoint.
        config: Describes the same model; its [data] may be other data.
        device: Where to run; None is tinygrad's default.

    Raises:
        FormatError: The checkpoint is damaged.
        ConfigError: The configuration describes another model.
    """
    written, weights = checkpoint.read(folder)
    kind = str(written.get("model", checkpoint.CLASSIFIER))
    if kind != config.kind:
        raise ConfigError(
            f"{config.path}: [model] kind: expected {kind!r} for the checkpoint {folder}, got "
            f"{config.kind!r}; correct it, or give another checkpoint"
        )
    task = task_of(config.beginning_with(written), device=device)
    described = kind_of(kind, str(folder)).config.from_dict(written["config"])  # younger fields have their defaults
    have, want = json.loads(task.model.config.to_json()), json.loads(described.to_json())
    if have != want:
        odd = next(k for k in {**have, **want} if have.get(k) != want.get(k))
        raise ConfigError(
            f"{config.path}: [model] {odd}: expected {want.get(odd)!r} for the checkpoint {folder}, got "
            f"{have.get(odd)!r}; describe the model of the checkpoint"
        )
    parameters = get_state_dict(task.model)
    Tensor.realize(*parameters.values())
    restore(parameters, weights)
    if isinstance(task, Compared):
        outcomes = {part: found for part in ("valid", "test") if (found := task.outcome(part)) is not None}
        metrics = {part: found.metrics() for part, found in outcomes.items()}
        return HeldOut(kind, metrics["valid"], metrics.get("test"), outcomes)
    return HeldOut(kind, task.validate(), task.test() if isinstance(task, Testable) else None)


def own_config(folder: Path | str) -> TrainConfig:
    """The configuration of the run that a checkpoint lies in.

    Raises:
        ConfigError: The folder is not in one of a run.
        FormatError: run.json of the run is damaged.
    """
    folder = Path(folder).resolve()
    for home in (folder.parent, folder.parent.parent):
        if (home / "config.toml").is_file() and (home / "run.json").is_file():
            try:
                origin = Path(json.loads((home / "run.json").read_text(encoding="utf-8"))["home"])
            except (ValueError, KeyError, TypeError) as error:
                raise FormatError(f"{home}/run.json: expected JSON with home, but {error}; restore it") from error
            return TrainConfig.from_toml(home / "config.toml", home=origin)
    raise ConfigError(
        f"{folder}: expected a checkpoint in the folder of its run to find the validation data, but no config.toml "
        "and run.json are above it; name the data"
    )
