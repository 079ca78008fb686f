"""Several small operands of a kernel in one buffer, for devices that bind few: WebGPU gives a kernel 8 or 10."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tinygrad import UOp
from tinygrad.dtype import DType

from gattn_tg.kernels.tiles.body import flat


@dataclass(frozen=True)
class Place:
    """Where an operand lies.

    Args:
        buffer: which buffer.
        start: its first element there; None where it has the buffer to itself.
        shape: its own shape.
    """

    buffer: int
    start: int | None
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Elements of the operand."""
        return math.prod(self.shape)


class Piece:
    """An operand inside a larger buffer, read like an operand of its own."""

    def __init__(self, buffer: UOp, place: Place) -> None:
        self._buffer, self._start, self.shape = buffer, place.start or 0, place.shape

    @property
    def dtype(self) -> DType:
        """Type of the elements."""
        kind: DType = self._buffer.dtype
        return kind

    def __getitem__(self, index: Any) -> UOp:
        return self._buffer[flat(self.shape, index if isinstance(index, tuple) else (index,)) + self._start]


@functools.cache
def unpacking(kernel: Callable[..., UOp], places: tuple[Place, ...]) -> Callable[..., UOp]:
    """The same kernel, taking the buffers in which its operands lie."""

    @functools.cache
    def unpacked(*buffers: UOp) -> UOp:
        operands: list[Any] = [
            buffers[place.buffer] if place.start is None else Piece(buffers[place.buffer], place) for place in places
        ]
        return kernel(*operands)

    return unpacked
