"""The safetensors format between NumPy and bytes: no tensor library in between, so a checkpoint costs no kernels."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from gattn_tg.errors import FormatError

TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1", "U64": "<u8",
    "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1",
}  # fmt: skip
_NAMES = {np.dtype(code): name for name, code in TYPES.items()}
ALIGNMENT = 8  # bytes; the header is filled up with blanks to a multiple of it


def pack(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None) -> bytes:
    """The bytes of a safetensors file; equal arrays give equal bytes, whatever their order.

    Args:
        arrays: By name.
        metadata: Kept in the header.

    Source: safetensors format, https://github.com/huggingface/safetensors#format.
    """
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    pieces: list[bytes] = []
    end = 0
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        pieces.append(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())
        start, end = end, end + len(pieces[-1])
        dtype = _NAMES[array.dtype.newbyteorder("<")]
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    return b"".join([len(text).to_bytes(8, "little"), text, *pieces])


def unpack(data: bytes, where: str) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file, as copies.

    Args:
        data: The whole file.
        where: Its name for messages.

    Raises:
        FormatError: It is not one, or it has a type that NumPy does not.
    """
    try:
        start = 8 + int.from_bytes(data[:8], "little")
        header = json.loads(data[8:start])
        header.pop("__metadata__", None)
        return {name: _array(data, start, entry) for name, entry in header.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FormatError(
            f"{where}: a whole safetensors file is required, but reading it failed ({error}); restore the file"
        ) from error


def _array(data: bytes, start: int, entry: Mapping[str, Any]) -> np.ndarray:
    shape, (first, last) = tuple(entry["shape"]), entry["data_offsets"]
    dtype = np.dtype(TYPES[entry["dtype"]])
    if last - first != math.prod(shape) * dtype.itemsize or start + last > len(data):
        raise ValueError(f"offsets {first} to {last} for shape {shape}")
    return np.frombuffer(data, dtype, math.prod(shape), start + first).reshape(shape).copy()
