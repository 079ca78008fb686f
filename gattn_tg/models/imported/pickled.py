"""PyTorch's files of weights without PyTorch: tensors are read out of them, and nothing in them is ever run."""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gattn_tg.errors import FormatError

MAGIC = 0x1950A86A20F9469CFC6C  # of the form without an archive, which PyTorch wrote before 1.6
STORAGES = {
    "DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2", "BFloat16Storage": "<u2", "LongStorage": "<i8",
    "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "|i1", "ByteStorage": "|u1", "BoolStorage": "|b1",
}  # fmt: skip
BFLOAT16 = "BFloat16Storage"


class _Storage(NamedTuple):
    """A piece of memory that tensors are views of."""

    kind: str
    key: str
    size: int


class _View(NamedTuple):
    """A tensor: where it lies in its storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def unpickle(data: bytes, where: str) -> dict[str, np.ndarray]:
    """The arrays of a file that `torch.save` wrote of a state dict; bfloat16 comes as float32.

    A pickle is a program. Of this one only the four calls that make tensors are carried out, by code of this module;
    whatever else it names is refused before it is looked up.

    Args:
        data: the whole file.
        where: its name for messages.

    Raises:
        FormatError: the file is damaged, names anything but tensors, or is no state dict.
    """
    try:
        found, raw = (_archive if zipfile.is_zipfile(io.BytesIO(data)) else _stream)(data, where)
        views = {name: value for name, value in _state(found, where).items() if isinstance(value, _View)}
        return {name: _array(view, raw, f"{where}: {name[:80]!r}") for name, view in views.items()}
    except FormatError:
        raise
    except Exception as error:  # a damaged pickle fails in any way that Python can
        raise FormatError(f"{where}: expected weights that PyTorch saved, got a file that cannot be read "
                          f"({type(error).__name__}: {str(error)[:80]}); restore the file") from error


def _state(found: Any, where: str) -> dict[str, Any]:
    """The state dict of a file, which may stand in one with its own name."""
    if isinstance(found, dict) and isinstance(found.get("state_dict"), dict):
        found = found["state_dict"]
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise FormatError(f"{where}: expected tensors by name, got {type(found).__name__}; save model.state_dict()")
    return found


Raw = Callable[[_Storage], bytes]


def _archive(data: bytes, where: str) -> tuple[Any, Raw]:
    """What an archive says, and the bytes of its storages."""
    archive = zipfile.ZipFile(io.BytesIO(data))
    names = [name for name in archive.namelist() if name.rsplit("/", 1)[-1] == "data.pkl"]
    if len(names) != 1:
        raise FormatError(f"{where}: expected an archive with data.pkl, got one without; restore the file")
    root = names[0].removesuffix("data.pkl")
    if f"{root}byteorder" in archive.namelist() and archive.read(f"{root}byteorder") != b"little":
        raise FormatError(f"{where}: expected numbers whose lowest byte is the first, got others; save it anew")
    found = _Reader(io.BytesIO(archive.read(names[0])), where).load()
    return found, lambda storage: archive.read(f"{root}data/{storage.key}")


def _stream(data: bytes, where: str) -> tuple[Any, Raw]:
    """The same of a file of the older form: pickles one after the other, then the storages."""
    file = io.BytesIO(data)
    if _Reader(file, where).load() != MAGIC:
        raise FormatError(f"{where}: expected weights that PyTorch saved, got another file; restore it")
    _Reader(file, where).load(), _Reader(file, where).load()  # version and sizes of the machine that wrote it
    reader = _Reader(file, where)
    found, keys = reader.load(), _Reader(file, where).load()
    raw: dict[str, bytes] = {}
    for key in keys:
        n = int.from_bytes(file.read(8), "little")
        raw[key] = file.read(n * np.dtype(STORAGES[reader.storages[key].kind]).itemsize)
    return found, lambda storage: raw[storage.key]


class _Reader(pickle.Unpickler):
    """Carries out a pickle that does nothing but make tensors."""

    def __init__(self, file: io.BytesIO, where: str) -> None:
        super().__init__(file, encoding="utf-8")
        self.where = where
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        """What a name of the pickle stands for here."""
        if module in ("torch", "torch.storage") and name in STORAGES:
            return name
        known: dict[tuple[str, str], Callable[..., Any]] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): lambda storage, offset, shape, strides, *_: _View(
                storage, offset, tuple(shape), tuple(strides)),
            ("torch._utils", "_rebuild_parameter"): lambda view, *_: view,
            ("torch._utils", "_rebuild_parameter_with_state"): lambda view, *_: view,
        }  # fmt: skip
        if (module, name) not in known:
            raise FormatError(f"{self.where}: expected tensors alone, got a pickle that asks for "
                              f"{f'{module}.{name}'[:80]!r}, which could run anything; nothing of it was run: get the "
                              "weights as safetensors")
        return known[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        """A storage that a tensor lies in."""
        _, kind, key, _, size, *_ = pid
        self.storages[str(key)] = _Storage(kind, str(key), size)
        return self.storages[str(key)]


def _array(view: _View, raw: Raw, where: str) -> np.ndarray:
    """The values of a tensor, copied out of its storage."""
    storage = view.storage
    dtype = np.dtype(STORAGES[storage.kind])
    held = np.frombuffer(raw(storage), dtype)
    if len(view.shape) != len(view.strides) or min((*view.shape, *view.strides, view.offset), default=0) < 0:
        raise FormatError(f"{where}: expected a shape and steps from 0 up, got {view.shape} and {view.strides}; "
                          "restore the file")
    last = view.offset + sum((n - 1) * step for n, step in zip(view.shape, view.strides, strict=True))
    if math.prod(view.shape) and last >= len(held):
        raise FormatError(f"{where}: expected {last + 1:,} numbers in its memory, got {len(held):,}; restore the file")
    if math.prod(view.shape) > len(held):  # a shape that repeats numbers is no weight, and could be of any size
        raise FormatError(f"{where}: expected a number of its own for each of {math.prod(view.shape):,} elements, got "
                          f"{len(held):,}; restore the file")
    steps = tuple(step * dtype.itemsize for step in view.strides)
    found = np.lib.stride_tricks.as_strided(held[view.offset :], view.shape, steps).copy()
    if storage.kind == BFLOAT16:
        return (found.astype(np.uint32) << 16).view(np.float32)
    return found
