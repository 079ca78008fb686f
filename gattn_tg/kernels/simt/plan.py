"""Layouts of the `simt` schedule: the first one of a table that fits the memory of a device."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tinygrad import Device
from tinygrad.dtype import DType
from tinygrad.renderer import Renderer
from tinygrad.renderer.wgsl import WGSLRenderer

from gattn_tg.kernels.simt.group import Layout

# down x across threads, rows x keys at a time; large tiles first, because they read shared memory less often
GPU = """
8 8  32 32
8 8  32 16
8 8  16 16
8 8  16  8
8 8   8  8
4 8   8  8
4 8   4  8
"""
# One thread where the device is a CPU in disguise (PoCL): its compiler makes vectors of the loops of a thread, but
# keeps the registers of several threads in memory across barriers.
CPU = """
1 1  32 64
1 1  16 64
1 1   8 32
1 1   8  8
"""
MANY = 31  # more operands than any of the kernels has; Metal binds that many
# Shared memory that the plan spends, where it is less than the renderer says: browsers promise a WebGPU kernel 16 KB;
# on AMD tiles that fill more spill registers at head width 128.
SHARED_BYTES = {"WEBGPU": 16 * 1024, "AMD": 48 * 1024}
BUFFERS = {"WEBGPU": 10}  # likewise operands
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
        buffers: operands of a kernel at most.
    """

    has_groups: bool
    is_cpu: bool
    shared_bytes: int
    threads: int
    stored: frozenset[DType] = frozenset()
    buffers: int = MANY

    @property
    def is_short_of_buffers(self) -> bool:
        """Whether operands must share buffers."""
        return self.buffers < MANY


def machine(device: str) -> Machine:
    """What tinygrad and the driver say about a device."""
    found = of_renderer(Device[device].renderer, device)
    match device.split(":")[0]:
        case "CL" if _opencl_is_cpu(device):
            return replace(found, is_cpu=True, shared_bytes=128 * 1024)
        case "WEBGPU":
            limits = _webgpu_limits(device)
            threads = min(found.threads, limits.maxComputeInvocationsPerWorkgroup)
            buffers = min(limits.maxStorageBuffersPerShaderStage, MANY - 1)
            return replace(found, shared_bytes=limits.maxComputeWorkgroupStorageSize, threads=threads, buffers=buffers)
    return found


def of_renderer(renderer: Renderer, device: str) -> Machine:
    """What tinygrad says about a kind of device."""
    most = (renderer.local_max or (1024,))[0]
    name = "WEBGPU" if isinstance(renderer, WGSLRenderer) else device.split(":")[0]  # also where no browser is
    stored = frozenset(renderer.supported_dtypes())
    shared = min(renderer.shared_max, SHARED_BYTES.get(name, renderer.shared_max))
    return Machine(renderer.has_local, False, shared, min(most, 1024), stored, BUFFERS.get(name, MANY))


def _opencl_is_cpu(device: str) -> bool:
    opened, kind = Device[device], ctypes.c_uint64()
    cl = sys.modules[type(opened).__module__].cl  # the bindings that tinygrad loaded when it opened the device
    cl.clGetDeviceInfo(opened.cl_dev, cl.CL_DEVICE_TYPE, 8, ctypes.byref(kind), None)
    return not kind.value & cl.CL_DEVICE_TYPE_GPU


def _webgpu_limits(device: str) -> Any:
    opened = Device[device]
    webgpu = sys.modules[type(opened).__module__].webgpu  # as above
    webgpu.wgpuDeviceGetLimits(opened.device_res, found := webgpu.WGPUSupportedLimits())
    return found.limits


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
