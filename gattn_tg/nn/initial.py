"""The initial values of every parameter, made by NumPy so that every device starts from the same model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
from tinygrad import Tensor, dtypes

from gattn_tg.types import Float

_is_outline: ContextVar[bool] = ContextVar("is_outline", default=False)


@contextmanager
def outline() -> Iterator[None]:
    """Models made inside have parameters of the right shapes, but no values and no memory.

    So what a configuration asks for can be compared with what a file holds, whatever sizes it names.
    """
    token = _is_outline.set(True)
    try:
        yield
    finally:
        _is_outline.reset(token)


def made(shape: tuple[int, ...], values: Callable[[], Float[np.ndarray, "..."]]) -> Tensor:
    """A float32 parameter with these values, which are not asked for in an outline."""
    if _is_outline.get():
        return Tensor.empty(*shape, dtype=dtypes.float32)
    return Tensor(values().astype(np.float32, copy=False))


def normal(rng: np.random.Generator, shape: tuple[int, ...], std: float) -> Tensor:
    """Values from N(0, std**2)."""
    return made(shape, lambda: rng.standard_normal(shape) * std)


def filled(value: float, *shape: int) -> Tensor:
    """Memory with one value: no kernel has to be compiled for it."""
    return made(shape, lambda: np.full(shape, value, np.float32))
