"""Weights of an earlier checkpoint as the beginning of a run: what `gattn finetune` takes over and what it does not."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tinygrad.nn.state import get_state_dict

from gattn_tg.errors import ConfigError, an
from gattn_tg.models import checkpoint
from gattn_tg.models.kinds import KINDS, kind_of, kind_of_model
from gattn_tg.motif import MotifVocabulary
from gattn_tg.training.keep.state import restore, snapshot
from gattn_tg.training.loop.motif_rows import EMBEDDING, TABLE, Classes, matched, motif_axes, moved, tied


@dataclass(frozen=True)
class Start:
    """What became of the weights of a checkpoint.

    Args:
        kind: Kind of the model that they come from.
        loaded: Parameters that were taken over.
        new: Parameters of the model that the checkpoint does not have, and heads.
        other_shape: Parameters of the same name that have another shape or meaning there; they begin anew.
        unused: What the checkpoint has and the model has not.
        digest: Of the weights.
        partly: Motif embedding and tables of which only the classes that both have were taken over.
        classes: Which motif classes these are; None where none were taken over.
        origin: What the checkpoint says of an import that it comes from: its licence, its name, its tokens.
    """

    kind: str
    loaded: tuple[str, ...]
    new: tuple[str, ...]
    other_shape: tuple[str, ...]
    unused: tuple[str, ...]
    digest: str
    partly: tuple[str, ...] = ()
    classes: Classes | None = None
    origin: Mapping[str, Any] = field(default_factory=dict)


def take_over(model: Any, folder: Path | str, vocabulary: MotifVocabulary) -> Start:
    """Writes the weights of a checkpoint into a model, as far as names and shapes fit; heads begin anew.

    What was learnt about a motif goes to the id that the class of the same name has in the model.

    Args:
        model: Of any kind; changed in place.
        folder: A checkpoint of any kind.
        vocabulary: What the motif ids of the model mean.

    Raises:
        FormatError: The checkpoint is damaged.
        ConfigError: Nothing in it fits.
    """
    written, weights = checkpoint.read(folder)
    kind = written["model"]
    parameters = get_state_dict(model)
    config: Any = kind_of(kind, str(folder)).config.from_dict(written["config"])
    source = _Source(weights, config, matched(checkpoint.vocabulary_of(written), vocabulary))
    heads = kind_of_model(model).heads  # they answer in the classes or tracks of their own data
    shared = [name for name in parameters if name in weights and name.split(".")[0] not in heads]
    before = snapshot({name: parameters[name] for name in shared}) if shared else {}
    fits = {name: x for name in shared if (x := source.value(name, before[name], model)) is not None}
    if not fits:
        heirs = [k.name for k in KINDS.values() if k.inherits and isinstance(config, k.inherits)]
        cure = (f'write kind = "{heirs[-1]}" in [model]' if heirs and type(model).__name__ not in heirs else
                "give width, n_layers and n_heads of the checkpoint in [model]")  # fmt: skip
        raise ConfigError(
            f"{folder}: expected a checkpoint with weights of the same name and shape as those of the new model, "
            f"but {an(kind)} came of which nothing fits {an(type(model).__name__)}; {cure}"
        )
    restore({name: parameters[name] for name in fits}, fits)
    digest = hashlib.sha256()
    for name in sorted(fits):
        digest.update(name.encode() + fits[name].tobytes())
    of_motifs = [name for name in fits if motif_axes(name, config)]
    return Start(
        kind=kind,
        loaded=tuple(name for name in fits if not (name in of_motifs and source.classes.new)),
        new=tuple(name for name in parameters if name not in shared),
        other_shape=tuple(name for name in shared if name not in fits),
        unused=tuple(name for name in weights if name not in parameters),
        digest=digest.hexdigest(),
        partly=tuple(of_motifs) if source.classes.new else (),
        classes=source.classes if of_motifs else None,
        origin={key: value for key, value in written.get("extra", {}).items() if key in checkpoint.ORIGIN},
    )


@dataclass(frozen=True)
class _Source:
    """The weights of a checkpoint, its configuration, and its motif classes as those of the model."""

    weights: dict[str, np.ndarray]
    config: Any
    classes: Classes

    def value(self, name: str, new: np.ndarray, model: Any) -> np.ndarray | None:
        """What a parameter of the model gets; None where it has another shape or meaning.

        Args:
            name: Of the parameter.
            new: As the model begins.
            model: The model.
        """
        old = self.weights[name]
        if name.split(".")[-1] == TABLE and self.config.motif != model.config.motif:
            return None  # a table of another kind of bias says something else, whatever its shape
        axes = motif_axes(name, self.config)
        if not axes:
            return old if old.shape == new.shape else None
        is_tied = self.config.tie_strands != model.config.tie_strands and name != EMBEDDING
        if self.classes.are_equal and not is_tied and old.shape == new.shape:
            return old
        return moved(old if name == EMBEDDING else tied(old, self.config), new, axes, self.classes, name)
