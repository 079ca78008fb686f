"""Layouts of the `simt` schedule: the first one of a table that fits the memory of a device."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from dataclasses import dataclass

from tinygrad import Device
from tinygrad.dtype import DType

from gattn_tg.kernels.simt import Layout

# down x across threads, rows x keys at a time; large tiles first, because they read shared memory less often
GPU = """
8 8  32 32
8 8  32 16
8 8  16 16
8 8   8  8
4 8   8  8
"""
# One thread where the device is a CPU in disguise (PoCL): its compiler makes vectors of the loops of a thread, but
# keeps the registers of several threads in memory across barriers.
CPU = """
1 1  32 64
1 1  16 64
1 1   8 32
1 1   8  8
"""
MOST_REGISTERS = 160  # words of register tiles per thread; the rest of 255 is for addresses and operands


@dataclass(frozen=True)
class Machine:
    """What a device gives to one group of threads.

    Args:
        has_groups: threads with shared memory exist.
        is_cpu: it is the CPU under another name.
        shared_bytes: shared memory.
        threads: threads at most.
        stored: dtypes it reads and writes by itself.
    """

    has_groups: bool
    is_cpu: bool
    shared_bytes: int
    threads: int
    stored: frozenset[DType] = frozenset()


def machine(device: str) -> Machine:
    """What tinygrad and the driver say about a device."""
    renderer = Device[device].renderer
    most = (renderer.local_max or (1024,))[0]
    is_cpu, shared = device.split(":")[0] == "CL" and _opencl_is_cpu(device), renderer.shared_max
    bytes_, stored = 128 * 1024 if is_cpu else shared, frozenset(renderer.supported_dtypes())
    return Machine(renderer.has_local, is_cpu, bytes_, min(most, 1024), stored)


def _opencl_is_cpu(device: str) -> bool:
    opened, kind = Device[device], ctypes.c_uint64()
    cl = sys.modules[type(opened).__module__].cl  # the bindings that tinygrad loaded when it opened the device
    cl.clGetDeviceInfo(opened.cl_dev, cl.CL_DEVICE_TYPE, 8, ctypes.byref(kind), None)
    return not kind.value & cl.CL_DEVICE_TYPE_GPU


def layouts(of: Machine) -> tuple[Layout, ...]:
    """Layouts for a device, best first."""
    lines = (CPU if of.is_cpu else GPU).strip().splitlines()
    return tuple(Layout(*(int(word) for word in line.split())) for line in lines)


def choose(of: Machine, shared_bytes: Callable[[Layout], int], registers: Callable[[Layout], int]) -> Layout | None:
    """The first layout that fits, or None."""
    for layout in layouts(of):
        fits = layout.threads <= of.threads and shared_bytes(layout) <= of.shared_bytes
        if fits and (of.is_cpu or registers(layout) <= MOST_REGISTERS):
            return layout
    return None
