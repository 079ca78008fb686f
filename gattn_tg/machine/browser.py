"""The GPU of a browser as tinygrad sees it: kernels in WGSL that nothing here runs, and memory that keeps its bytes.

WebGPU kernels of a model are the same for all computers, so they are made where no GPU is: on tinygrad's device without
a machine. Its allocator is replaced by one that holds what is copied into it, as constants must leave with the kernels.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tinygrad import Device
from tinygrad.helpers import Context, Target
from tinygrad.runtime.ops_null import NullAllocator

from gattn_tg.errors import UnsupportedError

DEVICE = "NULL:16"  # one that nobody else asks for: other devices without a machine hold nothing


class _Memory:
    """Bytes, and whether they were ever copied from somewhere."""

    def __init__(self, data: memoryview, whole: _Memory | None = None) -> None:
        self.data, self.whole, self.is_filled = data, whole or self, False


class _Kept(NullAllocator):  # type: ignore[misc]
    """Memory that gives back what was copied into it."""

    def _alloc(self, size: int, options: Any) -> _Memory:
        return _Memory(memoryview(bytearray(size)))

    def _copyin(self, dest: _Memory, src: memoryview) -> None:
        dest.data[: len(src)] = src
        dest.whole.is_filled = True

    def _copyout(self, dest: memoryview, src: _Memory) -> None:
        if not src.whole.is_filled:
            raise UnsupportedError("export: expected constants that were copied to the GPU, got one that it computes "
                                   "once, which a browser could not read; leave gpu out")
        dest[:] = src.data[: len(dest)]

    def _offset(self, buf: _Memory, size: int, offset: int) -> _Memory:
        return _Memory(buf.data[offset : offset + size], buf.whole)


@contextmanager
def kernels() -> Iterator[str]:
    """Tensors live on a GPU of browsers inside, unless another device is named; gives its name."""
    opened = Device[DEVICE]
    if not isinstance(opened.allocator, _Kept):
        opened.allocator = _Kept(opened)
    with Context(DEV=[Target(DEVICE), Target("NULL", "WGSL")]):
        yield DEVICE
