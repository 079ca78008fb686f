"""tinygrad's CPU device as gattn_tg uses it: full vector width, all cores, a clear word when no compiler is there."""

from __future__ import annotations

import functools
import subprocess
from typing import Any

from tinygrad import Device
from tinygrad.runtime import ops_cpu

from gattn_tg.kernels import threads, toolchain

# clang keeps to 256-bit vectors on AVX-512 machines unless it is told otherwise: half the speed of a matrix product.
FULL_WIDTH = "prefer-vector-width=512"

_open = ops_cpu.CPUDevice.__init__


@functools.cache
def install() -> None:
    """Prepares every CPU device of this process, those open already and those opened later; works once.

    A DEV that names an architecture itself (`DEV=CPU::x86_64,znver4`) keeps it: tinygrad asks the device only for
    what DEV leaves open.
    """
    threads.install()
    for name in Device._opened_devices:
        if name.split(":")[0] == "CPU":
            widen(Device[name])
    ops_cpu.CPUDevice.__init__ = _open_wide


def widen(device: Any) -> None:
    """Makes the kernels of one CPU device use 512-bit vectors where the machine has them."""
    arch = device.arch
    if toolchain.vector_bits() == 512 and arch.startswith("x86_64") and FULL_WIDTH not in arch:
        device.arch = f"{arch},{FULL_WIDTH}"


def _open_wide(self: Any, device: str = "") -> None:
    try:
        _open(self, device)
    except (OSError, subprocess.CalledProcessError):
        toolchain.require()  # says which compiler is missing and how to get one
        raise
    widen(self)
