"""Checkpoints: a folder with `model.safetensors` and `config.json`, equal bytes for equal models, never pickle."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tinygrad import Tensor
from tinygrad.nn.state import get_state_dict

from gattn_tg.errors import FormatError
from gattn_tg.models.registry import kind_of
from gattn_tg.models.safetensors import pack, unpack
from gattn_tg.models.trunk import Trunk
from gattn_tg.motif import MotifVocabulary
from gattn_tg.ops.host import arrays_of

WEIGHTS, CONFIG = "model.safetensors", "config.json"
FORMAT = 1
CLASSIFIER = "SequenceClassifier"
NAMED = ("labels", "vocabulary")  # what the file has beside `about`, as it had before there was more than a classifier


@dataclass(frozen=True)
class Checkpoint:
    """A model and what is needed to use it on new sequences.

    Args:
        model: the network with its weights, of a class of `models.registry`.
        labels: class names in the order of the logits; empty where the model does not classify.
        vocabulary: motif classes whose ids the model was trained with; the default one where it was trained without.
        extra: whatever the writer added (step, metrics, seed), JSON values only.
        about: what the task of training tells of itself, labels and vocabulary (as TOML) among it, JSON values only.
    """

    model: Any
    labels: tuple[str, ...]
    vocabulary: MotifVocabulary
    extra: dict[str, Any] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> Any:
        """The configuration of the model."""
        return self.model.config


def save(
    model: Trunk, folder: str | Path, *, labels: tuple[str, ...] = (), vocabulary: MotifVocabulary | None = None,
    extra: dict[str, Any] | None = None, about: dict[str, Any] | None = None,
) -> Path:
    """Write a checkpoint; each file appears whole or not at all, and the configuration names the weights' digest.

    Args:
        model: of a class of `models.registry`.
        folder: created where needed.
        labels: class names; the same as `about["labels"]`.
        vocabulary: motif classes; the same as `about["vocabulary"]`, which is TOML.
        extra: anything the writer wants to keep, JSON values only.
        about: what is needed to use the model, JSON values only.

    Returns:
        The folder.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    staged = folder / f".{WEIGHTS}.tmp"
    tensors = get_state_dict(model)
    Tensor.realize(*tensors.values())
    data = pack(dict(zip(tensors, arrays_of(list(tensors.values())), strict=True)), {"format": "gattn_tg"})
    staged.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    _publish(staged, folder / WEIGHTS)
    told = dict(about or {})
    if labels:
        told["labels"] = list(labels)
    if vocabulary is not None:
        told["vocabulary"] = vocabulary.to_toml()
    others = {key: value for key, value in told.items() if key not in NAMED}
    text = json.dumps({
        "format": FORMAT, "model": type(model).__name__, "config": json.loads(model.config.to_json()),
        "weights_sha256": digest, "extra": extra or {}, **{key: told[key] for key in NAMED if key in told},
        **({"about": others} if others else {}),
    }, indent=2, sort_keys=True) + "\n"
    staged = folder / f".{CONFIG}.tmp"
    staged.write_text(text, encoding="utf-8")
    _publish(staged, folder / CONFIG)
    return folder


def load(folder: str | Path, device: str | None = None, kind: str | None = None) -> Checkpoint:
    """Read a checkpoint and check that it is whole.

    Args:
        folder: what `save` wrote.
        device: where the weights go; None is tinygrad's default.
        kind: the model that is required, a key of `models.registry.KINDS`; None takes any.

    Raises:
        FormatError: a file is missing, truncated, of another format or kind, or does not belong to the other.
        ConfigError: a kind of model, or a field of its configuration, that this version does not know.
    """
    written, weights = read(folder)
    name, where = str(written.get("model", CLASSIFIER)), str(folder)
    if kind is not None and name != kind:
        raise FormatError(f"{where}: a checkpoint of a {kind} is required, but this one is of a {name}; give another")
    known = kind_of(name, f"{where}/{CONFIG}")
    model = known.model(known.config.from_dict(written["config"]))
    restore(model, weights, f"{where}/{WEIGHTS}", device)
    about = {**written.get("about", {}), **{key: written[key] for key in NAMED if key in written}}
    toml = about.get("vocabulary")
    vocabulary = MotifVocabulary.default() if toml is None else MotifVocabulary.from_toml(toml)
    return Checkpoint(model, tuple(about.get("labels", ())), vocabulary, dict(written.get("extra", {})), about)


def read(folder: str | Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What config.json says and the weights by name, of a checkpoint that is whole; no model is made.

    Raises:
        FormatError: as `load`.
    """
    folder = Path(folder)
    where = str(folder)
    for file in (CONFIG, WEIGHTS):
        if not (folder / file).is_file():
            raise FormatError(f"{where}: a checkpoint is a folder with {CONFIG} and {WEIGHTS}, but {file} is missing; "
                              "give the folder that `gattn train` wrote")
    try:
        written = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"{where}/{CONFIG}: JSON is required, but it does not parse ({error}); restore the "
                          "file") from error
    if not isinstance(written, dict) or written.get("format") != FORMAT:
        found = written.get("format") if isinstance(written, dict) else type(written).__name__
        raise FormatError(f"{where}/{CONFIG}: checkpoint format {FORMAT} is required, but found {found}; was it "
                          "written by another version?")
    name = str(written.get("model", CLASSIFIER))
    needed = {"config", "weights_sha256", *(NAMED if name == CLASSIFIER else ())}
    if missing := needed - set(written):
        raise FormatError(f"{where}/{CONFIG}: {', '.join(sorted(missing))} must be present, but is missing; restore "
                          "the file")
    data = (folder / WEIGHTS).read_bytes()
    if hashlib.sha256(data).hexdigest() != written["weights_sha256"]:
        raise FormatError(f"{where}/{WEIGHTS}: the weights named by {CONFIG} are required, but the digest differs; "
                          "the file is truncated, changed, or from another checkpoint")
    return written, unpack(data, f"{where}/{WEIGHTS}")


def restore(model: Trunk, loaded: Mapping[str, np.ndarray], where: str, device: str | None = None) -> None:
    """Put arrays into a model, by name; every name must be there, and no other."""
    wanted = get_state_dict(model)
    if set(loaded) != set(wanted):
        odd = sorted(set(loaded) ^ set(wanted))[0]
        raise FormatError(f"{where}: {'the weights lack' if odd in wanted else 'the model has no'} {odd!r}; the "
                          "configuration and the weights are of different models")
    for name, tensor in wanted.items():
        value = Tensor(loaded[name].astype(np.float32), device=device or tensor.device).realize()
        if tuple(value.shape) != tuple(tensor.shape):
            raise FormatError(f"{where}: {name} must have shape {tuple(tensor.shape)}, but has {tuple(value.shape)}; "
                              "the configuration and the weights are of different models")
        tensor.replace(value)


def _publish(staged: Path, final: Path) -> None:
    with staged.open("rb") as written:
        os.fsync(written.fileno())
    os.replace(staged, final)
