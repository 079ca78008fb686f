"""Functions of tensors that are captured at their first call.

A `TinyJit` runs its function once as it is, so that tensors made on the way are memory by the second call, which is
captured. That first run costs the graph of the whole function once more, and memory that is planned only for what is
captured. A function whose tensors are all memory already needs no such run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from tinygrad import Tensor, TinyJit

Result = TypeVar("Result")


def recorded(function: Callable[..., Result], held: Iterable[Tensor]) -> TinyJit[..., Result]:
    """`function`, captured when it is first called and replayed afterwards.

    Args:
        function: of tensors; it realizes what it returns. It keeps no tensor for later calls that it makes itself.
        held: the tensors that it reads beside its arguments, or writes; they become memory here. One that were not
            would be made anew at every replay: weights drawn again, moments at zero again.
    """
    Tensor.realize(*held)
    captured = TinyJit(function)
    captured.cnt = 1  # as if it had run once
    return captured
