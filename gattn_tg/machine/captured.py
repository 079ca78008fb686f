"""What a function of tensors runs, as text and bytes: every launch of a kernel in order, and every buffer it touches.

This is what leaves the machine: `export` makes C, WebAssembly and pages of it, of kernels in C or in WGSL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from tinygrad import Device, Tensor, TinyJit
from tinygrad.codegen import to_program
from tinygrad.helpers import Context
from tinygrad.renderer.cstyle import ClangRenderer
from tinygrad.renderer.wgsl import WGSLRenderer
from tinygrad.uop.ops import Ops

from gattn_tg.errors import UnsupportedError
from gattn_tg.machine import pairs, threads, toolchain

Role = Literal["input", "output", "constant", "scratch"]
CAPTURED_RUNS = 2  # a TinyJit runs once as it is, and is captured the second time


@dataclass
class Buffer:
    """Memory that launches touch.

    Args:
        n_bytes: its size.
        dtype: tinygrad's name of the type of its elements, as "float" or "uchar".
        role: what it is for.
        number: of an input, its place among the arguments.
        data: what a constant holds.
        first, last: the launches between which it is in use.
    """

    n_bytes: int
    dtype: str
    role: Role
    number: int = 0
    data: bytes = b""
    first: int = 1 << 30
    last: int = -1


@dataclass(frozen=True)
class Kernel:
    """One kernel: the name of its function, which others may share, and its text."""

    name: str
    source: str


@dataclass(frozen=True)
class Launch:
    """One run of a kernel: which one, on which buffers, in how many groups along each of its axes."""

    kernel: int
    buffers: tuple[int, ...]
    groups: tuple[int, ...]


@dataclass
class Captured:
    """Kernels, launches and buffers of one function."""

    kernels: list[Kernel] = field(default_factory=list)
    launches: list[Launch] = field(default_factory=list)
    buffers: list[Buffer] = field(default_factory=list)

    @property
    def inputs(self) -> list[int]:
        """The buffers of the arguments, in their order; an argument that nothing reads has none."""
        found = [i for i, buffer in enumerate(self.buffers) if buffer.role == "input"]
        return sorted(found, key=lambda i: self.buffers[i].number)

    @property
    def output(self) -> int:
        """The buffer of the result."""
        return next(i for i, buffer in enumerate(self.buffers) if buffer.role == "output")


@contextmanager
def plain_cpu(bits: int | None) -> Iterator[None]:
    """Kernels for one core, with vectors of so many bits whatever this machine has; None takes those that it has."""
    before = threads.count()
    threads.set_threads(1)
    try:
        with toolchain.assuming(bits or toolchain.vector_bits()), pairs.assuming(None):
            yield
    finally:
        threads.set_threads(before)


def capture(function: Callable[..., Tensor], inputs: Sequence[np.ndarray]) -> Captured:
    """What `function(*inputs)` runs on tinygrad's default device.

    Args:
        function: of tensors; it is the same for all values of its arguments.
        inputs: arrays of the shapes and types of the arguments.

    Raises:
        UnsupportedError: the device runs neither C nor WGSL.
    """
    device = Device[Device.DEFAULT]
    if not isinstance(device.renderer, ClangRenderer | WGSLRenderer):
        raise UnsupportedError(f"export: expected kernels in C, got those of {type(device.renderer).__name__}; run it "
                               "with DEV=CPU:CLANG")
    jit = TinyJit(lambda *given: function(*given).contiguous().realize())
    with Context(JIT=2, TRAINING=0):
        given = [Tensor(array).contiguous().realize() for array in inputs]
        for _ in range(CAPTURED_RUNS):
            answer = jit(*given)
    base = answer.uop.base
    result = base.realized if base.realized is not None else answer.uop.buffer
    return _Reading(device.renderer, result).read(jit.captured.linear)


class _Reading:
    """Reads a captured graph."""

    def __init__(self, renderer: Any, result: Any) -> None:
        self.renderer, self.result = renderer, result
        self.got = Captured()
        self.kernels: dict[str, int] = {}
        self.known: dict[object, int] = {}

    def read(self, linear: Any) -> Captured:
        """All launches, in the order in which they run.

        Not the launches that a walk over the graph meets: where memory is used again, two launches of one kernel on the
        same buffers are one and the same node, which such a walk meets once.
        """
        for call in linear.src:
            if call.op is not Ops.CALL or call.src[0].op not in (Ops.SINK, Ops.PROGRAM):
                raise UnsupportedError(f"export: expected launches of kernels only, got {call.op} of "
                                       f"{call.src[0].op if call.src else 'nothing'}, which is no kernel; leave it out "
                                       "of the model")
            self.got.launches.append(self.launch(call))
        return self.got

    def launch(self, call: Any) -> Launch:
        program = call.src[0] if call.src[0].op is Ops.PROGRAM else to_program(call.src[0], self.renderer)
        info, source = program.arg, next(u.arg for u in program.src if u.op is Ops.SOURCE)
        if source not in self.kernels:  # by text: two kernels may share a name
            self.kernels[source] = len(self.got.kernels)
            self.got.kernels.append(Kernel(info.function_name, source))
        at, written = len(self.got.launches), set(info.outs)
        operands = [u for u in call.src[1:] if not u.is_bound_var]
        buffers = tuple(self.buffer(u, at, i in written) for i, u in enumerate(operands))
        return Launch(self.kernels[source], buffers, tuple(int(n) for n in info.global_size or (1,)))

    def buffer(self, u: Any, at: int, is_written: bool) -> int:
        held = None if u.op is Ops.PARAM else u.buffer
        key = ("input", u.arg.slot) if held is None else (id(held.base), held.offset, held.nbytes, str(held.dtype))
        if key not in self.known:
            self.known[key] = len(self.got.buffers)
            self.got.buffers.append(self.described(u, held, is_written))
        found = self.got.buffers[self.known[key]]
        found.first, found.last = min(found.first, at), max(found.last, at)
        return self.known[key]

    def described(self, u: Any, held: Any, is_written: bool) -> Buffer:
        if held is None:
            return Buffer(int(np.prod(u.shape)) * u.dtype.itemsize, u.dtype.name, "input", number=u.arg.slot)
        if (id(held.base), held.offset) == (id(self.result.base), self.result.offset):
            return Buffer(held.nbytes, held.dtype.name, "output")
        if is_written:
            return Buffer(held.nbytes, held.dtype.name, "scratch")
        return Buffer(held.nbytes, held.dtype.name, "constant", data=bytes(held.as_memoryview()))
