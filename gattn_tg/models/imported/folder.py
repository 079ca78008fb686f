"""A folder as `save_pretrained` of transformers leaves it: configuration, vocabulary, weights by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from gattn_tg.errors import FormatError
from gattn_tg.io.strict_json import parse
from gattn_tg.models.imported.pickled import unpickle
from gattn_tg.models.safetensors import require_finite, unpack

CONFIG, README = "config.json", "README.md"
WEIGHTS: dict[str, Callable[[bytes, str], dict[str, np.ndarray]]] = {
    "model.safetensors": unpack, "pytorch_model.bin": unpickle}  # fmt: skip
INDEX = ".index.json"  # behind the name of a file of weights that is cut into several
VOCABULARIES = ("vocab.txt", "tokenizer.json")
LARGEST_INDEX = 64 << 20  # bytes of JSON


@dataclass(frozen=True)
class Folder:
    """What a folder holds.

    Args:
        path: of the folder.
        config: config.json.
        weights: arrays by the names that their file has, numbers with a point as float32.
        readme: README.md, "" where there is none.
    """

    path: Path
    config: dict[str, Any]
    weights: dict[str, np.ndarray]
    readme: str

    @property
    def vocabulary(self) -> dict[str, int]:
        """Token -> its row in the table of words.

        Raises:
            FormatError: there is none, or it is damaged.
        """
        return self._words[0]

    @property
    def merges(self) -> tuple[str, ...] | None:
        """Pairs of tokens that are joined, of byte-pair encoding; None where words are whole."""
        return self._words[1]

    @cached_property
    def _words(self) -> tuple[dict[str, int], tuple[str, ...] | None]:
        return _vocabulary(self.path)


def read_folder(path: Path) -> Folder:
    """Everything that an import needs; the vocabulary when it is asked for, as models of tracks have none.

    Raises:
        FormatError: a file is missing, or damaged, or has more in it than tensors.
    """
    if not path.is_dir():
        raise FormatError(f"{path}: expected a folder with {CONFIG} and weights, got none; download all files of the "
                          "model into one")
    config = parse(_bytes(path / CONFIG), str(path / CONFIG))
    if not isinstance(config, dict):
        raise FormatError(f"{path / CONFIG}: expected an object, got {type(config).__name__}; restore the file")
    readme = path / README
    told = readme.read_text(encoding="utf-8", errors="replace") if readme.is_file() else ""
    return Folder(path, config, _weights(path), told)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise FormatError(f"{path.parent}: expected a file {path.name}, got none; download all files of the model into "
                          "this folder") from None


def _vocabulary(path: Path) -> tuple[dict[str, int], tuple[str, ...] | None]:
    """Token -> row, from one token a line or from the table of tokenizer.json; and the merges of byte-pair encoding."""
    name = next((name for name in VOCABULARIES if (path / name).is_file()), None)
    if name is None:
        raise FormatError(f"{path}: expected {' or '.join(VOCABULARIES)}, got neither; download the tokenizer of the "
                          "model too")
    where, data = f"{path / name}", _bytes(path / name)
    if name.endswith(".txt"):
        try:
            lines = data.decode("utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise FormatError(f"{where}: expected text in UTF-8, got other bytes ({error.reason}); restore the "
                              "file") from error
        tokens = [line.strip() for line in lines]
        if len(set(tokens)) < len(tokens):
            raise FormatError(f"{where}: expected every token once, got "
                              f"{next(t for t in tokens if tokens.count(t) > 1)!r} twice; restore the file")
        return {token: i for i, token in enumerate(tokens)}, None
    written = parse(data, where)
    model = written.get("model") if isinstance(written, dict) else None
    table = model.get("vocab") if isinstance(model, dict) else None
    if not isinstance(table, dict) or not all(type(row) is int and row >= 0 for row in table.values()):
        raise FormatError(f"{where}: expected a vocabulary of words and their rows, got another kind of tokenizer; "
                          "it is not read")
    pairs = None if model is None or "merges" not in model else [
        " ".join(pair) if isinstance(pair, list) and all(isinstance(part, str) for part in pair) else pair
        for pair in model["merges"]]
    if pairs is not None and not all(isinstance(pair, str) and pair.count(" ") == 1 for pair in pairs):
        raise FormatError(f"{where}: expected merges that are pairs of words, got others; restore the file")
    added = written.get("added_tokens", [])
    more = {x["content"]: x["id"] for x in added if isinstance(x, dict) and {"content", "id"} <= set(x)}
    return {**table, **more}, None if pairs is None else tuple(pairs)


def _weights(path: Path) -> dict[str, np.ndarray]:
    """The arrays of the file of weights, or of the files that an index names."""
    for name, read in WEIGHTS.items():
        if (path / name).is_file():
            return _read(path, name, read)
        if (path / f"{name}{INDEX}").is_file():
            return _sharded(path, name, read)
    raise FormatError(f"{path}: expected weights in {' or '.join(WEIGHTS)}, or an index {INDEX[1:]} of several such "
                      "files, got none; download them into this folder")


def _sharded(path: Path, name: str, read: Callable[[bytes, str], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    where = f"{path / name}{INDEX}"
    index = parse(_bytes(Path(where)), where, LARGEST_INDEX)
    home = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(home, dict) or not all(isinstance(file, str) for file in home.values()):
        raise FormatError(f"{where}: expected a weight_map of names to files, got none; restore the file")
    found: dict[str, np.ndarray] = {}
    for file in sorted(set(home.values())):
        if Path(file).name != file:
            raise FormatError(f"{where}: expected files beside the index, got {file[:80]!r}; restore the file")
        found |= _read(path, file, read)
    if missing := sorted(set(home) - set(found)):
        raise FormatError(f"{where}: expected {missing[0][:80]!r} in {home[missing[0]]}, got none; download the file "
                          "again")
    return found


def _read(path: Path, name: str, read: Callable[[bytes, str], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    where = str(path / name)
    arrays = read(_bytes(path / name), where)
    require_finite(arrays, where)
    return {key: x.astype(np.float32, copy=False) if x.dtype.kind == "f" else x for key, x in arrays.items()}
