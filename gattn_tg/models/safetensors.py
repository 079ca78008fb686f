"""The safetensors format between NumPy and bytes: no tensor library in between, so a checkpoint costs no kernels."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from gattn_tg.errors import FormatError
from gattn_tg.io.strict_json import parse

TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1", "U64": "<u8",
    "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1",
}  # fmt: skip
BFLOAT16 = "BF16"  # the upper half of a float32; NumPy has no such type
UNREAD = ("F8_E5M2", "F8_E4M3", "F8_E8M0", "F6_E3M2", "F6_E2M3", "F4", "C64")  # of the format, but of no use here
_NAMES = {np.dtype(code): name for name, code in TYPES.items()}
ALIGNMENT = 8  # bytes; the header is filled up with blanks to a multiple of it
PREFIX = 8  # bytes that say how long the header is
MAX_HEADER = 100_000_000  # bytes, as the format has it
MAX_AXES = 32  # of every NumPy
METADATA = "__metadata__"


class Entry(NamedTuple):
    """Where an array of a file is.

    Args:
        dtype: Name of its type, as the format has it.
        shape: Of the array.
        start: Its first byte, counted from the end of the header.
        end: One past its last byte.
    """

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


def pack(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None) -> bytes:
    """The bytes of a safetensors file; equal arrays give equal bytes, whatever their order.

    Args:
        arrays: By name.
        metadata: Kept in the header.

    Source: safetensors format, https://github.com/huggingface/safetensors#format.
    """
    header: dict[str, object] = {METADATA: dict(metadata)} if metadata else {}
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
    return b"".join([len(text).to_bytes(PREFIX, "little"), text, *pieces])


def unpack(data: bytes, where: str) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file, as copies; BF16 comes as float32, which holds every value of it.

    Args:
        data: The whole file.
        where: Its name for messages.

    Raises:
        FormatError: See `read_header`.
    """
    source = io.BytesIO(data)
    entries = read_header(source, len(data), where)
    first = source.tell()
    return {name: _array(data, first, entry) for name, entry in entries.items()}


def read_header(file: BinaryIO, size: int, where: str) -> dict[str, Entry]:
    """What arrays a file has, before memory is taken for any of them; the file stands at the first array afterwards.

    Args:
        file: At its beginning.
        size: Bytes of the whole file.
        where: Its name for messages.

    Raises:
        FormatError: The header is longer than the file or than 100 MB, is no JSON object of arrays, or names an array
            twice; the arrays overlap, leave a gap, end before or behind the end of the file, or have a size that does
            not follow from type and shape; a type that is not read here.
    """
    prefix = file.read(PREFIX)
    n = int.from_bytes(prefix, "little")
    if len(prefix) < PREFIX or n > min(size - PREFIX, MAX_HEADER):
        told = f"a header of {n:,}" if len(prefix) == PREFIX else "none of the header"
        raise _broken(where, f"a file of {size:,} bytes with {told} bytes; a header has at most {MAX_HEADER:,}")
    text = file.read(n)
    if not text.startswith(b"{"):
        raise _broken(where, f"a header that begins with {text[:1]!r} and not with a brace")
    header = parse(text, f"{where}, header", MAX_HEADER)
    metadata = header.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise _broken(where, f"{METADATA} that is not text by name")
    entries = {name: _entry(name, told, where) for name, told in header.items()}
    end = 0
    for name, entry in sorted(entries.items(), key=lambda pair: (pair[1].start, pair[1].end)):
        if entry.start != end:
            how = "a gap before" if entry.start > end else "an overlap at"
            raise _broken(where, f"{how} {name[:80]!r}, which begins at byte {entry.start:,} and not at {end:,}")
        end = entry.end
    if end != size - PREFIX - n:
        raise _broken(where, f"{size - PREFIX - n:,} bytes of arrays where the header has {end:,}")
    return entries


def require_finite(arrays: Mapping[str, np.ndarray], where: str) -> None:
    """Raises FormatError where numbers are NaN or infinite; names the first array and how many it has."""
    for name, array in arrays.items():
        if array.dtype.kind == "f" and (n := array.size - int(np.isfinite(array).sum())):
            raise FormatError(
                f"{where}: expected finite numbers, got {n:,} of {array.size:,} in {name!r} that are NaN or infinite; "
                "the weights are damaged or their training diverged: take an earlier checkpoint"
            )


def _entry(name: str, told: Any, where: str) -> Entry:
    shown = repr(name[:80])
    if not isinstance(told, dict) or set(told) != {"dtype", "shape", "data_offsets"}:
        raise _broken(where, f"an entry {shown} without exactly dtype, shape and data_offsets")
    dtype, shape, offsets = told["dtype"], told["shape"], told["data_offsets"]
    if dtype in UNREAD:
        raise FormatError(
            f"{where}: expected arrays of {', '.join((*TYPES, BFLOAT16))}, got {shown} of type {dtype}, which is not "
            "read here; convert it to F32"
        )
    if not isinstance(dtype, str) or dtype not in (*TYPES, BFLOAT16):
        raise _broken(where, f"{shown} of the unknown type {str(dtype)[:40]!r}")
    if not _are_sizes(shape) or len(shape) > MAX_AXES or not _are_sizes(offsets) or len(offsets) != 2:
        raise _broken(where, f"{shown} with a shape or data_offsets that are not whole numbers from 0 up")
    n_bytes = math.prod(shape) * (2 if dtype == BFLOAT16 else np.dtype(TYPES[dtype]).itemsize)
    if offsets[1] - offsets[0] != n_bytes:
        raise _broken(where, f"{shown} with {offsets[1] - offsets[0]:,} bytes where type and shape need {n_bytes:,}")
    return Entry(dtype, tuple(shape), offsets[0], offsets[1])


def _are_sizes(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)


def _array(data: bytes, first: int, entry: Entry) -> np.ndarray:
    n = math.prod(entry.shape)
    if entry.dtype == BFLOAT16:
        halves = np.frombuffer(data, "<u2", n, first + entry.start)
        return (halves.astype(np.uint32) << 16).view(np.float32).reshape(entry.shape)
    return np.frombuffer(data, TYPES[entry.dtype], n, first + entry.start).reshape(entry.shape).copy()


def _broken(where: str, got: str) -> FormatError:
    return FormatError(f"{where}: expected a whole safetensors file, got {got}; restore the file")
