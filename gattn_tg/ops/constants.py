"""Constants of a device: made once for each process, and right from the moment they are made."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec

import numpy as np
from tinygrad import Tensor
from tinygrad.helpers import Context

from gattn_tg.ops.host import tensor_of

Arguments = ParamSpec("Arguments")
Place = str | tuple[str, ...]


def on_device(make: Callable[Arguments, np.ndarray]) -> Callable[[Place], Callable[Arguments, Tensor]]:
    """Turns a function that gives an array into one that gives, for a device or several, a realised tensor.

    It is made at the first call with its arguments, which are hashable, and kept. That may be inside a function that is
    being captured, where tinygrad puts off what is realised until the graph runs. A graph that never runs, as the
    function was stopped, would leave the kept tensor without values, and whatever reads it later silently wrong. So
    constants are made at once.
    """

    @functools.cache
    def kept(device: Place, *arguments: Arguments.args, **named: Arguments.kwargs) -> Tensor:
        with Context(CAPTURING=0):
            return tensor_of(make(*arguments, **named), device)

    return lambda device: functools.partial(kept, device)
