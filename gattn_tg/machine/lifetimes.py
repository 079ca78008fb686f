"""How long memory of a captured graph is in use, told right for views of it.

tinygrad plans which buffers of a captured graph can share memory, from the first to the last launch that each is handed
to. Of a launch that is handed a part of a buffer (a gradient that is a slice of a larger result, put into memory by
`realize` and read later) it sees no buffer at all, and gives the memory away too early.

Only captures are planned anew. What is realized at once must not be: tinygrad tells the planner of a capture every
buffer that is alive, of other graphs only those that are operands as a whole. A leaf of which a launch reads a part
would be taken for memory to be given away.
"""

from __future__ import annotations

import functools

from tinygrad.engine import jit
from tinygrad.schedule.memory import memory_plan_rewrite
from tinygrad.uop.ops import GroupOp, Ops, UOp


@functools.cache
def install() -> None:
    """Lets tinygrad's planner of captures see the buffers behind views; works once."""
    jit.memory_plan_rewrite = planned


def planned(linear: UOp, held: set[UOp] | None = None) -> UOp:
    """A graph whose launches share memory, as tinygrad plans it when views are operands like their buffers.

    Args:
        linear: Launches in order.
        held: Buffers that are alive outside, which keep their memory.
    """
    shown = [launch.replace(src=(*launch.src, *_behind_views(launch))) for launch in linear.src]
    shared = memory_plan_rewrite(linear.replace(src=tuple(shown)), held)
    launches = zip(shared.src, linear.src, strict=True)
    return linear.replace(src=tuple(launch.replace(src=launch.src[: len(given.src)]) for launch, given in launches))


def _behind_views(launch: UOp) -> list[UOp]:
    found = dict.fromkeys(buffer for operand in launch.src[1:] for buffer in buffers(operand))
    return [buffer for buffer in found if buffer not in launch.src]


def buffers(operand: UOp) -> list[UOp]:
    """The buffers that an operand of a launch is, or is a part of."""
    if operand.op is Ops.BUFFER:
        return [operand]
    if operand.op in {Ops.MSELECT, Ops.MSTACK}:
        return [found for source in operand.src for found in buffers(source)]
    return buffers(operand.src[0]) if operand.op in GroupOp.Movement or operand.op is Ops.BITCAST else []
