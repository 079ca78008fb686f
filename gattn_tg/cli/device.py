"""The device a verb runs on."""

from __future__ import annotations

import os

from tinygrad.helpers import Context

from gattn_tg.machine import devices, threads, toolchain


def on(name: str | None, n_threads: int | None = None) -> Context:
    """A context in which tinygrad runs on the chosen device.

    Args:
        name: --device; else the variable DEV counts, else the first GPU that works, else the CPU.
        n_threads: --threads, cores for CPU kernels; None takes all. Holds for the rest of the process.

    Raises:
        UnsupportedError: There is no such device, or the compiler does not work.
        MissingExtraError: The CPU is to be used and there is no compiler.
    """
    chosen = devices.choose(name or os.environ.get("DEV"))
    if chosen.split("+")[-1].split(":")[0] == "CPU":
        toolchain.require()
    if n_threads is not None:
        threads.set_threads(n_threads)
    return Context(DEV=chosen)
