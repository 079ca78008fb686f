"""Checkpoints: a folder with `model.safetensors` and `config.json`, equal bytes for equal models, never pickle."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tinygrad import Tensor
from tinygrad.nn.state import get_state_dict, safe_load, safe_save

from gattn_tg.errors import FormatError
from gattn_tg.models.classifier import SequenceClassifier
from gattn_tg.models.config import ClassifierConfig
from gattn_tg.motif import MotifVocabulary

WEIGHTS, CONFIG = "model.safetensors", "config.json"
FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """A model and what is needed to use it on new sequences.

    Args:
        model: the network with its weights.
        labels: class names in the order of the logits.
        vocabulary: motif classes whose ids the model was trained with.
        extra: whatever the writer added (step, metrics, seed), JSON values only.
    """

    model: SequenceClassifier
    labels: tuple[str, ...]
    vocabulary: MotifVocabulary
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> ClassifierConfig:
        """The configuration of the model."""
        return self.model.config


def save(
    model: SequenceClassifier, folder: str | Path, *, labels: tuple[str, ...], vocabulary: MotifVocabulary,
    extra: dict[str, Any] | None = None,
) -> Path:
    """Write a checkpoint; each file appears whole or not at all, and the configuration names the weights' digest.

    Returns:
        The folder, created where needed.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    staged = folder / f".{WEIGHTS}.tmp"
    tensors = {name: _one_device(t).contiguous() for name, t in sorted(get_state_dict(model).items())}
    safe_save(tensors, str(staged), metadata={"format": "gattn_tg"})
    digest = hashlib.sha256(staged.read_bytes()).hexdigest()
    _publish(staged, folder / WEIGHTS)
    text = json.dumps({
        "format": FORMAT, "model": "SequenceClassifier", "config": json.loads(model.config.to_json()),
        "labels": list(labels), "vocabulary": vocabulary.to_toml(), "weights_sha256": digest, "extra": extra or {},
    }, indent=2, sort_keys=True) + "\n"
    staged = folder / f".{CONFIG}.tmp"
    staged.write_text(text, encoding="utf-8")
    _publish(staged, folder / CONFIG)
    return folder


def load(folder: str | Path, device: str | None = None) -> Checkpoint:
    """Read a checkpoint and check that it is whole.

    Raises:
        FormatError: a file is missing, truncated, of another format, or does not belong to the other.
    """
    folder = Path(folder)
    where = str(folder)
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise FormatError(f"{where}: a checkpoint is a folder with {CONFIG} and {WEIGHTS}, but {name} is missing; "
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
    if missing := {"config", "labels", "vocabulary", "weights_sha256"} - set(written):
        raise FormatError(f"{where}/{CONFIG}: {', '.join(sorted(missing))} must be present, but is missing; restore "
                          "the file")
    data = (folder / WEIGHTS).read_bytes()
    if hashlib.sha256(data).hexdigest() != written["weights_sha256"]:
        raise FormatError(f"{where}/{WEIGHTS}: the weights named by {CONFIG} are required, but the digest differs; "
                          "the file is truncated, changed, or from another checkpoint")
    model = SequenceClassifier(ClassifierConfig.from_dict(written["config"]))
    restore(model, data, f"{where}/{WEIGHTS}", device)
    return Checkpoint(model, tuple(written["labels"]), MotifVocabulary.from_toml(written["vocabulary"]),
                      dict(written.get("extra", {})))


def restore(model: SequenceClassifier, data: bytes, where: str, device: str | None = None) -> None:
    """Put the tensors of a safetensors file into a model, by name; every name must be there, and no other."""
    # from bytes, not from the path: tinygrad keeps a lazily read file mapped, and a later save to it would be lost
    loaded = safe_load(Tensor(data, device="CPU"))
    wanted = get_state_dict(model)
    if set(loaded) != set(wanted):
        odd = sorted(set(loaded) ^ set(wanted))[0]
        raise FormatError(f"{where}: {'the weights lack' if odd in wanted else 'the model has no'} {odd!r}; the "
                          "configuration and the weights are of different models")
    for name, tensor in wanted.items():
        # through NumPy, because kernels read whole vectors and the file's tensors start anywhere
        value = Tensor(loaded[name].float().numpy().copy(), device=device or tensor.device).realize()
        if tuple(value.shape) != tuple(tensor.shape):
            raise FormatError(f"{where}: {name} must have shape {tuple(tensor.shape)}, but has {tuple(value.shape)}; "
                              "the configuration and the weights are of different models")
        tensor.replace(value)


def _one_device(t: Tensor) -> Tensor:
    return t.to(t.device[0]) if isinstance(t.device, tuple) else t


def _publish(staged: Path, final: Path) -> None:
    with staged.open("rb") as written:
        os.fsync(written.fileno())
    os.replace(staged, final)
