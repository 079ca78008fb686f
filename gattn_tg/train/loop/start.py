"""Weights of an earlier checkpoint as the beginning of a run: what `gattn finetune` takes over and what it does not."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinygrad import Tensor
from tinygrad.nn.state import get_state_dict

from gattn_tg.errors import ConfigError
from gattn_tg.models import checkpoint
from gattn_tg.train.keep.state import restore

HEADS = ("head", "heads")  # they answer in the classes or tracks of their own data, so each run learns a new one


@dataclass(frozen=True)
class Start:
    """What became of the weights of a checkpoint.

    Args:
        kind: Kind of the model that they come from.
        loaded: Parameters that were taken over.
        new: Parameters of the model that the checkpoint does not have, and heads.
        other_shape: Parameters of the same name that have another shape there; they begin anew.
        unused: What the checkpoint has and the model has not.
        digest: Of the weights.
    """

    kind: str
    loaded: tuple[str, ...]
    new: tuple[str, ...]
    other_shape: tuple[str, ...]
    unused: tuple[str, ...]
    digest: str


def take_over(model: Any, folder: Path | str) -> Start:
    """Writes the weights of a checkpoint into a model, as far as names and shapes fit; heads begin anew.

    Args:
        model: Of any kind; changed in place.
        folder: A checkpoint of any kind.

    Raises:
        FormatError: The checkpoint is damaged.
        ConfigError: Nothing in it fits.
    """
    written, weights = checkpoint.read(folder)
    parameters = get_state_dict(model)
    Tensor.realize(*parameters.values())
    shared = [name for name in parameters if name in weights and name.split(".")[0] not in HEADS]
    fits = [name for name in shared if weights[name].shape == tuple(parameters[name].shape)]
    if not fits:
        raise ConfigError(
            f"{folder}: a checkpoint with weights of the same name and shape as those of the new model is required, "
            f"but a {written.get('model')} came of which nothing fits; give width, n_layers and n_heads of the "
            "checkpoint in [model]"
        )
    restore({name: parameters[name] for name in fits}, {name: weights[name] for name in fits})
    digest = hashlib.sha256()
    for name in sorted(fits):
        digest.update(name.encode() + weights[name].tobytes())
    return Start(
        kind=str(written.get("model", checkpoint.CLASSIFIER)),
        loaded=tuple(fits),
        new=tuple(name for name in parameters if name not in shared),
        other_shape=tuple(name for name in shared if name not in fits),
        unused=tuple(name for name in weights if name not in parameters),
        digest=digest.hexdigest(),
    )
