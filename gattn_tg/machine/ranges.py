"""Which loops a statement is in, told right for loops that leave on a condition.

tinygrad 0.14 takes the end of such a loop for the end of all loops around it, since the condition was computed inside
them. It then sorts what comes after as if it ran once, and may declare a value in one loop that another one reads.
"""

from __future__ import annotations

import functools

from tinygrad import UOp, dtypes
from tinygrad.uop.ops import Ops

_ended = UOp.ended_ranges.func


@functools.cache
def install() -> None:
    """Makes `UOp.ranges` count the end of a loop as the end of that loop alone."""
    ours = functools.cached_property(ended)
    ours.__set_name__(UOp, "ended_ranges")
    UOp.ended_ranges = ours


def ended(x: UOp) -> tuple[UOp, ...]:
    """The loops that a statement ends."""
    if x.op is Ops.END:
        return tuple(source for source in x.src[1:] if source.dtype != dtypes.bool)  # all but the condition
    found: tuple[UOp, ...] = _ended(x)
    return found
