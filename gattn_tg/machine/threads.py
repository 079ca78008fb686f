"""Runs the parts of a CPU kernel on all cores.

tinygrad 0.14 splits a CPU kernel along its THREAD axis and then calls the parts one after another in the calling
thread. `install` puts one function in front of that loop: part 0 stays in the calling thread, the others go to
workers. Parts write different elements, so the result is bitwise that of one core. Where tinygrad's inside differs
from what this file was written against, nothing is installed and kernels run as tinygrad runs them.
"""

from __future__ import annotations

import array
import ctypes
import inspect
import itertools
import os
import platform
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from tinygrad.helpers import NUM_CPU_THREADS
from tinygrad.renderer.cstyle import ClangRenderer
from tinygrad.runtime import ops_cpu

from gattn_tg.errors import ConfigError
from gattn_tg.machine.devices import cores

# What CPUProgram.__call__ must look like for the hook to stand in for it.
_CALL = ("self", "bufs", "global_size", "local_size", "vals", "wait", "timeout")

_serial: Callable[..., float | None] = ops_cpu.CPUProgram.__call__
_busy = threading.Lock()
_names = itertools.count()
_threads: int = max(1, min(cores(), int(NUM_CPU_THREADS.value)))
_pools: dict[tuple[int, int, bool], Pool] = {}


class Pool(Protocol):
    """Something that runs the parts of one kernel; returns when all of them are done."""

    def run(self, program: Any, words: Sequence[int], core_slot: int, parts: int) -> None: ...


def install() -> bool:
    """Makes every CPU kernel with a THREAD axis run its parts in parallel.

    Returns:
        True when the hook is in place; False when this tinygrad is not the one the hook was written for.
    """
    if not supported():
        return False
    ops_cpu.CPUProgram.__call__ = _parallel
    NUM_CPU_THREADS.value = _threads
    return True


def supported() -> bool:
    """True when tinygrad's CPU program has the shape this file knows."""
    known = tuple(inspect.signature(_serial).parameters) == _CALL
    return known and all(hasattr(ops_cpu, name) for name in ("CMD_SIZE", "RING_SLOTS", "MAX_ARGS"))


def count() -> int:
    """Number of cores that kernels use."""
    return _threads


def set_threads(n: int | None) -> None:
    """Sets the number of cores for kernels, also for the number of parts that tinygrad gives its own kernels.

    Args:
        n: Cores from 1 up; None takes all that this process may use.

    Raises:
        ConfigError: n is below 1.
    """
    global _threads
    if n is not None and n < 1:
        raise ConfigError(f"threads: expected a number from 1 up, got {n}; use 1 for one core")
    _threads = n or cores()
    NUM_CPU_THREADS.value = _threads


class RingPool:
    """Workers in machine code: tinygrad's own command rings, each served by a thread that sleeps on a semaphore.

    A part starts about 25 us after it is posted, against 130 us through a Python thread, which has to win the
    interpreter lock first. Only for x86-64: the worker publishes `done` by a plain store after the stores of the
    kernel, an order that weaker memory models do not keep.

    Where the pool takes all cores, every worker has a core of its own: Linux wakes a sleeping thread on the core of the
    thread that woke it and moves it away only after some milliseconds, longer than most kernels last.
    """

    def __init__(self, workers: int) -> None:
        device = ops_cpu.Device["CPU"]
        self._post = ctypes.CDLL(None, use_errno=True).sem_post
        self._rings: list[memoryview] = []
        self._semaphores: list[ctypes.c_void_p] = []
        self._done: list[ctypes.c_uint64] = []
        self._posted = [0] * workers
        earlier = _tasks()
        # tinygrad caches its workers by name; one ring must not have two senders, so no name comes twice.
        self._workers = [device.worker(f"GATTN{os.getpid()}:{next(_names)}") for _ in range(workers)]
        self._own_core = _spread(sorted(_tasks() - earlier), workers)
        size = ops_cpu.CMD_SIZE * ops_cpu.RING_SLOTS
        for worker in self._workers:
            ring = (ctypes.c_uint64 * size).from_address(worker.ring._buf.va_addr)
            self._rings.append(memoryview(ring).cast("B").cast("Q"))
            self._semaphores.append(ctypes.c_void_p(worker.sem._buf.va_addr))
            # tinygrad reuses freed memory without clearing it, and its synchronize waits for done to reach put
            done, put = (ctypes.c_uint64.from_address(x._buf.va_addr) for x in (worker.done, worker.put))
            done.value = put.value = 0
            self._done.append(done)

    def run(self, program: Any, words: Sequence[int], core_slot: int, parts: int) -> None:
        command = array.array("Q", [program.addr, *words])
        workers = len(self._rings)
        anywhere = os.sched_getaffinity(0) if self._own_core else set()
        if self._own_core:
            os.sched_setaffinity(0, self._own_core)
        for part in range(parts):
            if turn := part % (workers + 1):
                self._send(turn - 1, command, core_slot, part)
        try:
            for part in range(0, parts, workers + 1):
                _call(program, words, core_slot, part)
        finally:
            self._wait()
            if anywhere:
                os.sched_setaffinity(0, anywhere)

    def _send(self, worker: int, command: array.array[int], core_slot: int, part: int) -> None:
        command[1 + core_slot] = part
        start = self._posted[worker] % ops_cpu.RING_SLOTS * ops_cpu.CMD_SIZE
        self._rings[worker][start : start + len(command)] = command
        self._posted[worker] += 1
        self._post(self._semaphores[worker])

    def _wait(self) -> None:
        """Returns when every posted part is done, also after Ctrl-C: the buffers of a running part must stay."""
        interrupt: KeyboardInterrupt | None = None
        while True:
            try:
                for done, posted in zip(self._done, self._posted, strict=True):
                    while done.value < posted:
                        os.sched_yield()
                break
            except KeyboardInterrupt as pressed:
                interrupt = pressed
        if interrupt is not None:
            raise interrupt


def _tasks() -> set[int]:
    """The threads of this process, as Linux numbers them; none elsewhere."""
    return {int(name) for name in os.listdir("/proc/self/task")} if os.path.isdir("/proc/self/task") else set()


def _spread(tasks: Sequence[int], workers: int) -> set[int]:
    """Gives each worker a core of its own and returns the one left for the caller; none unless the pool takes all."""
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(tasks) != workers or len(allowed) != workers + 1:
        return set()
    for task, core in zip(tasks, allowed[1:], strict=True):
        os.sched_setaffinity(task, {core})
    return {allowed[0]}


class PythonPool:
    """Workers in Python: ctypes releases the interpreter lock during a kernel, so ordinary threads are enough."""

    def __init__(self, workers: int) -> None:
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="gattn_tg")

    def run(self, program: Any, words: Sequence[int], core_slot: int, parts: int) -> None:
        others = [self._executor.submit(_call, program, words, core_slot, part) for part in range(1, parts)]
        try:
            _call(program, words, core_slot, 0)
        finally:
            for other in others:
                other.result()


def _parallel(
    self: Any,
    *bufs: Any,
    global_size: tuple[int, int, int] = (1, 1, 1),
    local_size: tuple[int, int, int] = (1, 1, 1),
    vals: tuple[int | None, ...] = (),
    wait: bool = False,
    timeout: int | None = None,
) -> float | None:
    """CPUProgram.__call__ with the parts of the kernel side by side."""
    parts, core_slot = global_size[0], self.runtimevars.get("core_id")
    words = len(bufs) + len(vals)
    alone = parts == 1 or _threads == 1 or core_slot is None or self.lvp or words > ops_cpu.MAX_ARGS
    # A second Python thread that runs kernels at the same time gets no workers: its cores are taken already.
    if alone or not _busy.acquire(blocking=False):
        return _serial(
            self, *bufs, global_size=global_size, local_size=local_size, vals=vals, wait=wait, timeout=timeout
        )
    start = time.perf_counter()
    try:
        _pool(_in_c(self)).run(self, [b.va_addr for b in bufs] + [v or 0 for v in vals], core_slot, parts)
    finally:
        _busy.release()
    return time.perf_counter() - start if wait else None


def _call(program: Any, words: Sequence[int], core_slot: int, part: int) -> None:
    program.fxn(*[ctypes.c_uint64(part if i == core_slot else word) for i, word in enumerate(words)])


def _in_c(program: Any) -> bool:
    """True for a kernel that went through tinygrad's C renderer; asked once per kernel."""
    if not hasattr(program, "gattn_in_c"):
        program.gattn_in_c = isinstance(program.dev.renderer, ClangRenderer)
    return bool(program.gattn_in_c)


def _pool(in_c: bool) -> Pool:
    """The workers of this process; a forked child has no threads of its parent, so it makes its own.

    Kernels of tinygrad's X86 renderer do not keep the registers that a C caller expects to survive, so they must not be
    called from a worker in machine code.
    """
    native = in_c and platform.machine().lower() in ("x86_64", "amd64") and os.name == "posix"
    key = (os.getpid(), _threads, native)
    if key not in _pools:
        _pools[key] = (RingPool if native else PythonPool)(_threads - 1)
    return _pools[key]
