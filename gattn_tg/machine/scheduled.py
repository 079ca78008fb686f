"""Schedules on disk: a process begins with the kernels that an earlier one cut an equal graph into.

tinygrad cuts a graph of tensors into kernels by many rewrites, which take half of the time of a forward pass whose
kernels are lowered already (`lowered.py`). What is kept here is the list of launches: which of the kernels in the
store, with which buffers of the graph. Where one of its kernels is not in the store, the graph is cut again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from tinygrad import Device, helpers, schedule
from tinygrad.helpers import ContextVar
from tinygrad.uop.ops import CallInfo, Ops, UOp, graph_rewrite

from gattn_tg.machine import collecting, lowered, toolchain

TABLE = "gattn_schedule"
KERNEL = Ops.CUSTOM  # stands in a list of launches for the kernel whose name in the store is its argument
# what tinygrad's scheduling reads beside its context
VARIABLES = ("REDUCEOP_SPLIT_THRESHOLD", "REDUCEOP_SPLIT_SIZE")
Node = tuple[Any, Any, tuple[int, ...], Any, Any]  # operation, type, places of its sources, argument, tag
Scheduling = Callable[[UOp], tuple[UOp, dict[str, int]]]


class Remembered:
    """tinygrad's scheduling with a memory; called like it.

    Args:
        schedule: From a call of a graph with buffers to its launches, and the values of variables.
        get: What is kept under (table, key), or None.
        put: Keeps something under (table, key).
    """

    def __init__(
        self, schedule: Scheduling, get: Callable[[str, str], Any], put: Callable[[str, str, Any], object]
    ) -> None:
        self.schedule, self.get, self.put = schedule, get, put
        self._known: dict[str, UOp] = {}

    def __call__(self, call: UOp) -> tuple[UOp, dict[str, int]]:
        """Launches and values of variables of a call."""
        with collecting.waits():
            return self._scheduled(call)

    def _scheduled(self, call: UOp) -> tuple[UOp, dict[str, int]]:
        if (key := key_of(call)) is None:
            return self.schedule(call)
        if key not in self._known:
            kept = self._read(key)
            self._known[key] = self._cut(key, call) if kept is None else kept
        return self.schedule(call.replace(src=(self._known[key], *call.src[1:])))

    def _cut(self, key: str, call: UOp) -> UOp:
        launches: UOp = graph_rewrite(call, schedule.pm_schedule, enter_calls=True).src[0]
        if all(x.op is Ops.CALL and x.src[0].op is Ops.SINK for x in launches.src):
            renderer = Device[call.src[1].device].renderer
            names = [UOp(KERNEL, arg=lowered.key_of(x.src[0], renderer)) for x in launches.src]
            kept = [x.replace(src=(name, *x.src[1:])) for x, name in zip(launches.src, names, strict=True)]
            self.put(TABLE, key, flat(launches.replace(src=tuple(kept))))
        return launches

    def _read(self, key: str) -> UOp | None:
        built: list[UOp] = []
        for operation, dtype, sources, argument, tag in self.get(TABLE, key) or ():
            if operation is not KERNEL:
                built.append(UOp(operation, dtype, tuple(built[i] for i in sources), argument, tag))
            elif (program := self.get(lowered.TABLE, argument)) is not None:
                built.append(program)
            else:
                return None
        return built[-1] if built else None


def flat(graph: UOp) -> list[Node]:
    """A graph as a list in which every node stands behind its sources: pickled and compared without recursion."""
    places: dict[UOp, int] = {}
    for x in graph.toposort():
        places[x] = len(places)
    return [(x.op, x.dtype, tuple(places[y] for y in x.src), _argument(x), x.tag) for x in places]


def _argument(x: UOp) -> Any:
    """Without the function of a gradient: scheduling calls none, and two processes have it at two places."""
    return CallInfo(*CallInfo.__reduce__(x.arg)[1]) if isinstance(x.arg, CallInfo) else x.arg


def key_of(call: UOp) -> str | None:
    """All that a schedule and its programs depend on; None for what is not kept.

    That is a graph over several devices or with variables, and every graph where tinygrad is asked to search for
    faster kernels, or to show what it does.
    """
    arguments = call.src[1:]
    devices = {x.device for x in arguments}
    if call.op is not Ops.CALL or len(devices) != 1 or any(x.is_bound_var for x in arguments):
        return None
    if helpers.DEBUG >= lowered.SOURCES_SHOWN or helpers.VIZ or helpers.BEAM or toolchain.variable("JITBEAM"):
        return None
    (device,) = devices
    if not isinstance(device, str) or helpers.CACHELEVEL < 1 or not helpers.SCACHE:
        return None
    settings = sorted((name, repr(x.value)) for name, x in ContextVar._cache.items())
    variables = [toolchain.variable(name) for name in VARIABLES]
    graph = hashlib.sha256(repr(flat(call.src[0])).encode()).hexdigest()
    return repr((graph, device, *lowered.place_of(Device[device].renderer), settings, variables))
