"""The memory of realised tensors as NumPy arrays: what leaves tinygrad for another process or comes from one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tinygrad import Device, Tensor
from tinygrad.dtype import _from_np_dtype

from gattn_tg.types import Float


def tensor_of(array: np.ndarray, device: str | tuple[str, ...] | None = None) -> Tensor:
    """A realised tensor with the values of an array, on each of several devices; None is tinygrad's default device.

    On the CPU that is a copy of memory. tinygrad's own way goes through a graph with a kernel: milliseconds for each of
    the parameters of a model.
    """
    if isinstance(device, tuple):
        return Tensor(np.ascontiguousarray(array), device=device[0]).shard(device).realize()
    if Device.canonicalize(device).split(":")[0] != "CPU" or not array.size:
        return Tensor(np.ascontiguousarray(array), device=device).realize()
    x = Tensor.empty(*array.shape, dtype=_from_np_dtype(array.dtype), device=device)
    inside = _memory(x.uop.base.buffer)
    assert inside is not None
    inside[:] = array.reshape(-1)
    return x


def arrays_of(tensors: Sequence[Tensor]) -> list[Float[np.ndarray, "..."]]:
    """One array a tensor: on the CPU its own memory, elsewhere a copy, which `write` brings back."""
    return [_array(x) for x in tensors]


def write(tensors: Sequence[Tensor], arrays: Sequence[Float[np.ndarray, "..."]]) -> None:
    """Puts arrays into the memory of tensors, on every device that holds them; captured steps go on using it."""
    for x, array in zip(tensors, arrays, strict=True):
        for i, buffer in enumerate(_buffers(x)):
            inside = _memory(buffer)
            if inside is None:
                value = tensor_of(array, buffer.device)
                buffer.copy_from(value.uop.base.realized)
            elif i or not np.shares_memory(inside, array):
                inside[:] = array.reshape(-1)


def is_writable(x: Tensor) -> bool:
    """True where the memory of a realised tensor is this process's own, on one device: `write` is a copy then."""
    return isinstance(x.device, str) and _memory(_buffers(x)[0]) is not None


def _buffers(x: Tensor) -> list[Any]:
    """The buffers of a realised tensor, one a device; a tensor that is shared out has pieces and none of its own."""
    held = x.uop.base.realized
    assert held is not None, f"a realised tensor, but {x.uop.base.op} came"
    assert held.size == x.numel(), f"whole memory of {x.numel()} elements, but {held.size} came"
    return list(getattr(held, "bufs", [held]))


def _array(x: Tensor) -> np.ndarray:
    inside = _memory(_buffers(x)[0])
    return x.numpy() if inside is None else inside.reshape(x.shape)


def _memory(buffer: Any) -> np.ndarray | None:
    """The memory of a buffer where it is the process's own, else None."""
    if buffer.device.split(":")[0] != "CPU":
        return None
    view = buffer.ensure_allocated().as_memoryview(allow_zero_copy=True)
    return np.frombuffer(view, dtype=np.dtype(buffer.dtype.fmt))
