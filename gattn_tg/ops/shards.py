"""Tensors that live in pieces on several devices (`Tensor.shard`): what one device holds, and room for its results."""

from __future__ import annotations

from tinygrad import Tensor
from tinygrad.dtype import DType


def pieces(x: Tensor) -> tuple[int | None, int]:
    """The axis along which a tensor is cut (None: it is whole everywhere), and into how many pieces."""
    axis = None if isinstance(x.device, str) else x.uop.axis
    return axis, (1 if axis is None else len(x.device))


def piece(x: Tensor) -> tuple[int, ...]:
    """The shape that one device holds."""
    axis, count = pieces(x)
    return tuple(size // count if i == axis else size for i, size in enumerate(x.shape))


def empty(shape: tuple[int, ...], dtype: DType, device: str | tuple[str, ...], axis: int = 0) -> Tensor:
    """A buffer without contents; of several devices each holds a piece of this shape, cut along `axis`."""
    x = Tensor.empty(*shape, dtype=dtype, device=device)
    return x if isinstance(device, str) else Tensor(x.uop.unshard(axis))
