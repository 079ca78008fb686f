"""Lowered programs on disk: a process begins with the kernels of earlier ones instead of lowering them again.

tinygrad keeps the lowered form of a kernel for the life of a process, and on disk only what a compiler made of its C.
Lowering is Python and takes most of a start: 2.8 of 4.0 s of `gattn predict` for twenty sequences. `Remembered` stands
in front of tinygrad's lowering and looks into the checked store first.

What is kept is the part of a program that runs: name, launch sizes and estimates, arguments, memory, source and machine
code. Its other statements, thousands of nodes that nothing reads again, are dropped.
"""

from __future__ import annotations

import functools
import hashlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tinygrad import codegen, helpers
from tinygrad.uop.ops import Ops, ProgramInfo, UOp

from gattn_tg.machine import collecting, toolchain

TABLE = "gattn_program"
SOURCES_SHOWN = 4  # the level of DEBUG from which tinygrad prints sources, which only lowering has
Lowering = Callable[[UOp, object], UOp]
Compile = Callable[[Callable[[], bytes]], Callable[[], bytes]]  # from work to what waits for its result


class Remembered:
    """tinygrad's lowering with a memory; called like it.

    Args:
        lower: From a kernel and a renderer to a program with its machine code.
        get: What is kept under (table, key), or None.
        put: Keeps a program under (table, key).
    """

    def __init__(
        self, lower: Lowering, get: Callable[[str, str], UOp | None], put: Callable[[str, str, UOp], object]
    ) -> None:
        self.lower, self.get, self.put = lower, get, put

    def __call__(self, ast: UOp, renderer: Any) -> UOp:
        """The program of a kernel."""
        return self.begin(ast, renderer, lambda work: work)()

    def begin(self, ast: UOp, renderer: Any, submit: Compile) -> Callable[[], UOp]:
        """Lower a kernel and hand its compilation to `submit`; the result waits for it and gives the program."""
        if helpers.DEBUG >= SOURCES_SHOWN or helpers.VIZ:
            return functools.partial(self.lower, ast, renderer)
        key = key_of(ast, renderer)
        if (found := self.get(TABLE, key)) is not None:
            return lambda: found
        began = time.perf_counter()
        compiler = _Later(renderer, submit)
        later = object.__new__(type(renderer))  # copy.copy would build it anew, and open the compiler's library again
        later.__dict__.update(renderer.__dict__, compiler=compiler)
        with collecting.waits():
            program = lean(self.lower(ast, later))
        _Clock.seconds += time.perf_counter() - began

        def finished() -> UOp:
            began = time.perf_counter()
            whole = compiler.put_into(program)
            _Clock.seconds += time.perf_counter() - began
            self.put(TABLE, key, whole)
            return whole

        return finished


class _Later:
    """A compiler that answers at once with nothing, while the real one works."""

    def __init__(self, renderer: Any, submit: Compile) -> None:
        self._renderer, self._submit = renderer, submit
        self._result: Callable[[], bytes] | None = None

    def compile_cached(self, source: str) -> bytes:
        """Begin to compile; empty. Only here is the compiler looked at, as its library may be missing."""
        self._result = self._submit(functools.partial(self._renderer.compiler.compile_cached, source))
        return b""

    def put_into(self, program: UOp) -> UOp:
        """The program with its machine code; as it is where its renderer wrote that by itself."""
        if self._result is None:
            return program
        return program.replace(src=(*program.src[:-1], UOp(Ops.BINARY, arg=self._result())))


def seconds() -> float:
    """For how long this process has lowered and compiled what was not kept."""
    return _Clock.seconds


class _Clock:
    seconds = 0.0


def key_of(ast: UOp, renderer: object) -> str:
    """All that a program depends on: kernel, settings and target of tinygrad, and what turns them into machine code."""
    return repr((ast.key.hex(), ast.tag, *place_of(renderer)))


def place_of(renderer: object) -> tuple[object, ...]:
    """All of it but the kernel."""
    _, kind, target, *settings = codegen.to_program_key(UOp(Ops.NOOP), renderer)
    named = (f"{kind.__module__}.{kind.__qualname__}", target, settings)
    return *named, toolchain.identity(), _code(), UOp.ended_ranges.func.__module__


def lean(program: UOp) -> UOp:
    """The part of a program that runs; one of another form than C and machine code as it is."""
    if not isinstance(program.arg, ProgramInfo) or [u.op for u in program.src] != FORM:
        return program
    sink, statements, source, binary = program.src
    kept = tuple(u for u in statements.src if u.op in KEPT)
    return program.replace(src=(UOp(Ops.SINK, arg=sink.arg), UOp(Ops.LINEAR, src=kept), source, binary))


FORM = [Ops.SINK, Ops.LINEAR, Ops.SOURCE, Ops.BINARY]
KEPT = (Ops.PARAM, Ops.BUFFER, Ops.SPECIAL)  # arguments, shared and private memory, threads of a group


@functools.cache
def _code() -> str:
    """Of Python and of this room, which changes how tinygrad lowers: another version has programs of its own."""
    room = sorted(Path(__file__).parent.glob("*.py"))
    content = b"".join(path.read_bytes() for path in room)
    return f"{sys.version_info[:2]} {os.name} {hashlib.sha256(content).hexdigest()}"
