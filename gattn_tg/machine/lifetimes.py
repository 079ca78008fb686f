"""How long memory is in use, told right for views of it.

tinygrad plans which buffers of a captured graph can share memory, from the first to the last launch that each is handed
to. Of a launch that is handed a part of a buffer (a gradient that is a slice of a larger result, put into memory by
`realize` and read later) it sees no buffer at all, and gives the memory away too early.
"""

from __future__ import annotations

import functools

from tinygrad.schedule import memory
from tinygrad.uop.ops import GroupOp, Ops, UOp


@functools.cache
def install() -> None:
    """Lets tinygrad's planner see the buffers behind views; works once."""
    memory._collect_bufs = buffers


def buffers(u: UOp) -> list[UOp]:
    """The buffers that an operand of a launch is, or is a part of."""
    if u.op is Ops.BUFFER:
        return [u]
    if u.op in {Ops.MSELECT, Ops.MSTACK}:
        return [found for source in u.src for found in buffers(source)]
    return buffers(u.src[0]) if u.op in GroupOp.Movement or u.op is Ops.BITCAST else []
