"""Checkpoints: a folder with `model.safetensors` and `config.json`, equal bytes for equal models, never pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from tinygrad import Tensor
from tinygrad.nn.state import get_state_dict

from gattn_tg.errors import ConfigError, FormatError, an
from gattn_tg.io.strict_json import parse
from gattn_tg.io.whole import beside, opened, write_folder
from gattn_tg.models.kind import Kind
from gattn_tg.models.kinds import kind_of, kind_of_model
from gattn_tg.models.readouts.readout import Readout
from gattn_tg.models.readouts.sequences import ClassReadout
from gattn_tg.models.safetensors import Entry, pack, read_header, require_finite, unpack
from gattn_tg.models.trunk import Trunk
from gattn_tg.motif import MotifVocabulary
from gattn_tg.nn.initial import outline
from gattn_tg.ops.host import arrays_of, tensor_of

WEIGHTS, CONFIG = "model.safetensors", "config.json"
FORMAT = 1
CLASSIFIER = "SequenceClassifier"
FLOATS = ("F64", "F32", "F16", "BF16")  # types that weights may have; they become float32
ORIGIN = ("origin", "family", "licence", "tokens")  # of `extra`: goes on in whatever is learnt from the weights
DIGEST = "config_sha256"
NAMED = ("labels", "vocabulary")  # what the file has beside `about`, as it had before there was more than a classifier


@dataclass(frozen=True)
class Checkpoint:
    """A model and what is needed to use it on new sequences.

    Args:
        model: the network with its weights, of a class of `models.kinds`.
        vocabulary: motif classes whose ids the model was trained with; the default one where it was trained without.
        readout: what the answers of the model mean; None where its writer did not say.
        extra: whatever the writer added (step, metrics, seed), JSON values only.
    """

    model: Any
    vocabulary: MotifVocabulary
    readout: Readout | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> Kind:
        """The kind of the model."""
        return kind_of_model(self.model)

    @property
    def answers(self) -> type[Readout]:
        """What kind of answers the model gives; the first of its kind where its writer did not say."""
        return self.kind.readout if self.readout is None else type(self.readout)

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in the order of the logits; none where the model does not classify."""
        return self.readout.labels if isinstance(self.readout, ClassReadout) else ()

    @property
    def config(self) -> Any:
        """The configuration of the model."""
        return self.model.config


def save(
    model: Trunk, folder: str | Path, *, readout: Readout | None = None, vocabulary: MotifVocabulary | None = None,
    extra: dict[str, Any] | None = None,
) -> Path:
    """Write a checkpoint in one piece; readers see the one before or this one, never a part of either.

    Args:
        model: of a class of `models.kinds`.
        folder: created where needed; a checkpoint that is there is replaced.
        readout: what the answers of the model mean.
        vocabulary: motif classes whose ids the model reads.
        extra: anything the writer wants to keep, JSON values only.

    Returns:
        The folder.

    Raises:
        ConfigError: something else than a checkpoint is there; it is left as it is.
    """
    folder = Path(folder)
    held = [p.name for p in folder.iterdir()] if folder.is_dir() else [folder.name] if folder.exists() else []
    if others := sorted(set(held) - {WEIGHTS, CONFIG}):
        raise ConfigError(f"{folder}: expected a new folder or one of a checkpoint, got one with {others[0]!r}; choose "
                          "another folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    write_folder(folder, lambda part: write(model, part, readout=readout, vocabulary=vocabulary, extra=extra))
    return folder


def write(
    model: Trunk, folder: Path, *, readout: Readout | None = None, vocabulary: MotifVocabulary | None = None,
    extra: dict[str, Any] | None = None,
) -> None:
    """Write the files of a checkpoint into a folder that nobody reads yet; the arguments are those of `save`."""
    tensors = get_state_dict(model)
    Tensor.realize(*tensors.values())
    data = pack(dict(zip(tensors, arrays_of(list(tensors.values())), strict=True)), {"format": "gattn_tg"})
    (folder / WEIGHTS).write_bytes(data)
    about = {} if readout is None else readout.to_about()
    if vocabulary is not None:
        about["vocabulary"] = vocabulary.to_toml()
    others = {key: value for key, value in about.items() if key not in NAMED}
    told = {
        "format": FORMAT, "model": type(model).__name__, "config": json.loads(model.config.to_json()),
        "weights_sha256": hashlib.sha256(data).hexdigest(), "extra": extra or {},
        **{key: about[key] for key in NAMED if key in about}, **({"about": others} if others else {}),
    }  # fmt: skip
    text = json.dumps(told | {DIGEST: _digest(told)}, indent=2, sort_keys=True) + "\n"
    (folder / CONFIG).write_text(text, encoding="utf-8")


def load(folder: str | Path, device: str | None = None, kind: str | None = None) -> Checkpoint:
    """Read a checkpoint and check that it is whole.

    Nothing in it is believed: what the configuration asks for is compared with the header of the weights before memory
    is taken for it.

    Args:
        folder: what `save` wrote.
        device: where the weights go; None is tinygrad's default.
        kind: the model that is required, a key of `models.kinds.KINDS`; None takes any.

    Raises:
        FormatError: a file is missing, truncated, of another format or kind, or does not belong to the other; weights
            that are not finite.
        ConfigError: a kind of model, or a field of its configuration, that this version does not know.
    """
    where = str(folder)
    with _files(Path(folder)) as (written, file, size):
        name = written["model"]
        if kind is not None and name != kind:
            raise FormatError(f"{where}: expected a checkpoint of {an(kind)}, got one of {an(name)}; give another")
        entries = read_header(file, size, f"{where}/{WEIGHTS}")
        known = kind_of(name, f"{where}/{CONFIG}")
        model: Any = _outlined(known, written["config"], entries, f"{where}/{WEIGHTS}")
        weights = _weights(file, written["weights_sha256"], f"{where}/{WEIGHTS}")
    about = {**written.get("about", {}), **{key: written[key] for key in NAMED if key in written}}
    vocabulary = vocabulary_of(written)
    try:
        readout = known.read(about, model.config)
    except ConfigError as error:
        raise FormatError(f"{where}/{CONFIG}: {error}; restore the file") from error
    if "vocabulary" in about and model.config.reads_motifs and vocabulary.n_motifs > model.config.n_motifs:
        raise FormatError(f"{where}/{CONFIG}: expected a vocabulary of at most n_motifs={model.config.n_motifs} ids, "
                          f"got {vocabulary.n_motifs}; restore the file")
    tensors = get_state_dict(model)
    for name, tensor in tensors.items():
        tensor.replace(tensor_of(weights[name], device or tensor.device))
    _require_unchanged(written, where)
    return Checkpoint(model, vocabulary, readout, dict(written.get("extra", {})))


def read(folder: str | Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What config.json says and the weights by name, as float32, of a checkpoint that is whole; no model is made.

    Raises:
        FormatError: as `load`.
    """
    where = f"{folder}/{WEIGHTS}"
    with _files(Path(folder)) as (written, file, size):
        read_header(file, size, where)
        weights = _weights(file, written["weights_sha256"], where)
        _require_unchanged(written, str(folder))
        return written, weights


def described(folder: str | Path) -> dict[str, Any]:
    """What config.json of a checkpoint says; its weights are not read.

    Raises:
        FormatError: no checkpoint there, or its config.json is damaged.
    """
    with _files(Path(folder)) as (written, _, _):
        _require_unchanged(written, str(folder))
        return written


def vocabulary_of(written: Mapping[str, Any]) -> MotifVocabulary:
    """The motif classes that the ids of a checkpoint stand for, by what `read` gives; the default ones if none is said.

    Raises:
        FormatError, ConfigError: the vocabulary is none.
    """
    toml = written.get("vocabulary", written.get("about", {}).get("vocabulary"))
    return MotifVocabulary.default() if toml is None else MotifVocabulary.from_toml(toml)


@contextmanager
def _files(folder: Path) -> Iterator[tuple[dict[str, Any], BinaryIO, int]]:
    """What config.json says, and the file of the weights that belongs to it with its size in bytes."""
    if not folder.is_dir() and not beside(folder, ".old").is_dir():
        raise FormatError(f"{folder}: expected a checkpoint, a folder with {CONFIG} and {WEIGHTS}, got no such "
                          "folder; give the folder that `gattn train` wrote")
    try:
        with opened(folder, (CONFIG, WEIGHTS)) as files:
            weights = files[WEIGHTS]
            written = _checked(parse(files[CONFIG].read(), f"{folder}/{CONFIG}"), f"{folder}/{CONFIG}")
            yield written, weights, weights.seek(0, 2) - weights.seek(0)
    except FileNotFoundError as error:
        raise FormatError(f"{folder}: expected a checkpoint, a folder with {CONFIG} and {WEIGHTS}, got one "
                          f"without {Path(error.filename).name}; give the folder that `gattn train` wrote") from error
    except OSError as error:
        raise FormatError(f"{folder}: expected a checkpoint that can be read, got: "
                          f"{(error.strerror or str(error)).lower()}; check its files and permissions") from error


def _checked(written: Any, where: str) -> dict[str, Any]:
    """The object of config.json, when every value in it is of its type."""
    if not isinstance(written, dict) or written.get("format") != FORMAT:
        found = written.get("format") if isinstance(written, dict) else type(written).__name__
        raise FormatError(f"{where}: expected checkpoint format {FORMAT}, got {str(found)[:80]}; was it "
                          "written by another version?")
    written.setdefault("model", CLASSIFIER)
    needed = {"config", "weights_sha256", *(NAMED if written["model"] == CLASSIFIER else ())}
    if missing := needed - set(written):
        raise FormatError(f"{where}: expected {', '.join(sorted(needed))}, got none of {', '.join(sorted(missing))}; "
                          "restore the file")
    about = written.get("about", {})
    kinds: dict[str, tuple[type, str]] = {
        "model": (str, "text"), "config": (dict, "an object"), "weights_sha256": (str, "text"),
        "extra": (dict, "an object"), "about": (dict, "an object"), "labels": (list, "an array of text"),
        "vocabulary": (str, "text"),
    }  # fmt: skip
    for key, value in [*written.items(), *(about.items() if isinstance(about, dict) else ())]:
        if key in kinds and not isinstance(value, kinds[key][0]):
            raise FormatError(f"{where}: expected {kinds[key][1]} for {key}, got {str(value)[:80]!r}; restore the file")
    labels = written.get("labels", about.get("labels", []))
    if not all(isinstance(label, str) for label in labels) or len(set(labels)) < len(labels):
        raise FormatError(f"{where}: expected labels of different text, got {str(labels)[:80]}; restore the file")
    return written


def _require_unchanged(written: Mapping[str, Any], where: str) -> None:
    """Raise FormatError where config.json is not as `write` left it; asked last, as other messages say more."""
    told = {key: value for key, value in written.items() if key != DIGEST}
    if DIGEST in written and written[DIGEST] != _digest(told):  # files of before have none
        raise FormatError(f"{where}/{CONFIG}: expected the file as it was written, got one that was changed since, "
                          f"which may describe another model; restore it, or remove {DIGEST} if you changed it on "
                          "purpose")


def _digest(told: Mapping[str, Any]) -> str:
    """Of what config.json says, however it is laid out: a number that was lost or changed makes another model."""
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _outlined(kind: Kind, config: Any, entries: Mapping[str, Entry], where: str) -> Trunk:
    """The model of a configuration with parameters that have no memory, when the weights are of the same shapes."""
    shape = kind.config.from_dict(config)
    if (n_layers := getattr(shape, "n_layers", 0)) > len(entries):
        raise FormatError(f"{where}: expected weights of 'blocks.{n_layers - 1}', got none; the configuration and the "
                          "weights are of different models")
    with outline():
        model: Trunk = kind.model(shape)
    wanted = get_state_dict(model)
    if odd := sorted(set(entries) ^ set(wanted)):
        name = repr(odd[0][:80])
        told = f"weights of {name}, got none" if odd[0] in wanted else f"no weights of {name}, got some"
        raise FormatError(f"{where}: expected {told}; the configuration and the weights are of different models")
    for name, tensor in wanted.items():
        if (found := entries[name].shape) != tuple(tensor.shape):
            raise FormatError(f"{where}: expected {name} of shape {tuple(tensor.shape)}, got {found}; the "
                              "configuration and the weights are of different models")
    return model


def _weights(file: BinaryIO, digest: str, where: str) -> dict[str, np.ndarray]:
    """All arrays of the file as float32, when its digest is this one and all numbers are finite."""
    file.seek(0)
    data = file.read()
    if hashlib.sha256(data).hexdigest() != digest:
        raise FormatError(f"{where}: expected the weights that {CONFIG} names, got a file of another digest; "
                          "it is truncated, changed, or from another checkpoint")
    arrays = unpack(data, where)
    if odd := next((name for name, array in arrays.items() if array.dtype.kind != "f"), None):
        raise FormatError(f"{where}: expected weights of {', '.join(FLOATS)}, got {odd[:80]!r} of {arrays[odd].dtype}; "
                          "convert them")
    with np.errstate(over="ignore"):  # a number that float32 cannot hold is refused as infinite
        weights = {name: array.astype(np.float32, copy=False) for name, array in arrays.items()}
    require_finite(weights, where)
    return weights
