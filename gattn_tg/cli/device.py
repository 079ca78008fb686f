"""The device a verb runs on."""

from __future__ import annotations

import os

from tinygrad.helpers import Context

from gattn_tg.kernels import devices, toolchain


def on(name: str | None) -> Context:
    """A context in which tinygrad runs on the chosen device.

    Args:
        name: --device; else the variable DEV counts, else the first GPU that works, else the CPU.

    Raises:
        UnsupportedError: There is no such device, or the compiler does not work.
        MissingExtraError: The CPU is to be used and there is no compiler.
    """
    chosen = devices.choose(name or os.environ.get("DEV"))
    if chosen.split("+")[-1].split(":")[0] == "CPU":
        toolchain.require()
    return Context(DEV=chosen)
