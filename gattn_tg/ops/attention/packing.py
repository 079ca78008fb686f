"""Small operands of a kernel put together in one buffer per type, and their gradients taken apart again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from tinygrad import Tensor, UOp, dtypes
from tinygrad.dtype import DType

from gattn_tg.kernels.tiles.packed import Place, unpacking


class Packing:
    """How the inputs of a kernel lie in buffers.

    Args:
        inputs: the inputs, in order.
        kept: that many of them, from the first on, keep a buffer of their own; so do those as large as the scores.
        is_on: put together at all; otherwise every input is a buffer, unchanged.
    """

    def __init__(self, inputs: Sequence[Tensor], kept: int, is_on: bool) -> None:
        self.places: list[Place] = []
        self._kinds: list[DType | None] = []
        buffers: dict[DType, int] = {}
        sizes: dict[int, int] = {}
        for i, x in enumerate(inputs):
            shape = tuple(int(size) for size in x.shape)
            kind = None if not is_on or i < kept or _is_map(x) else _common(x.dtype)
            if kind is None or kind not in buffers:
                self._kinds.append(kind)
            if kind is None:
                self.places.append(Place(len(self._kinds) - 1, None, shape))
                continue
            buffer = buffers.setdefault(kind, len(self._kinds) - 1)
            place = Place(buffer, sizes.get(buffer, 0), shape)
            sizes[buffer] = (place.start or 0) + place.size
            self.places.append(place)
        self._sizes = sizes

    def pack(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """The buffers."""
        made = []
        for buffer, kind in enumerate(self._kinds):
            members = [x for x, place in zip(inputs, self.places, strict=True) if place.buffer == buffer]
            if kind is None:
                made += members
            else:
                flat = [x.cast(kind).reshape(-1) for x in members]
                made.append(flat[0].cat(*flat[1:]) if len(flat) > 1 else flat[0])
        return made

    def unpack(self, buffers: Sequence[Tensor]) -> list[Tensor]:
        """The inputs again."""
        return [
            buffers[place.buffer]
            if place.start is None
            else buffers[place.buffer][place.start : place.start + place.size].reshape(place.shape)
            for place in self.places
        ]

    def gradients(self, of_inputs: Sequence[Tensor | None]) -> list[Tensor | None]:
        """Gradients of the buffers from those of the inputs."""
        found: list[Tensor | None] = [None] * len(self._kinds)
        for gradient, place in zip(of_inputs, self.places, strict=True):
            if gradient is None or place.start is None:
                found[place.buffer] = gradient if place.start is None else found[place.buffer]
                continue
            after = self._sizes[place.buffer] - place.start - place.size
            wide = gradient.reshape(-1).pad(((place.start, after),))
            before = found[place.buffer]
            found[place.buffer] = wide if before is None else before + wide
        return found

    def kernel(self, kernel: Callable[..., UOp], outputs: Sequence[tuple[int, ...]]) -> Callable[..., UOp]:
        """The kernel, taking its outputs and the buffers."""
        if all(place.start is None for place in self.places):
            return kernel
        of_outputs = [Place(i, None, shape) for i, shape in enumerate(outputs)]
        shifted = [replace(place, buffer=place.buffer + len(outputs)) for place in self.places]
        return unpacking(kernel, (*of_outputs, *shifted))


def _common(dtype: DType) -> DType:
    return dtypes.float32 if dtype in dtypes.floats else dtypes.int


def _is_map(x: Tensor) -> bool:
    """Ids of every pair of a query and a key: large, and one operand alone."""
    return len(x.shape) == 3 and x.dtype not in dtypes.floats
