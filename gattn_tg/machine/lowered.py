"""Lowered programs on disk: a process begins with the kernels of earlier ones instead of lowering them again.

tinygrad keeps the lowered form of a kernel for the life of a process, and on disk only what a compiler made of its C.
Lowering is Python and takes most of a start: 2.8 of 4.0 s of `gattn predict` for twenty sequences. `remembered` stands
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

from tinygrad import codegen, helpers
from tinygrad.uop.ops import Ops, ProgramInfo, UOp

from gattn_tg.machine import toolchain

TABLE = "gattn_program"
SOURCES_SHOWN = 4  # the level of DEBUG from which tinygrad prints sources, which only lowering has
Lowering = Callable[[UOp, object], UOp]


def remembered(
    lower: Lowering, get: Callable[[str, str], UOp | None], put: Callable[[str, str, UOp], object]
) -> Lowering:
    """tinygrad's lowering with a memory.

    Args:
        lower: From a kernel and a renderer to a program with its machine code.
        get: What is kept under (table, key), or None.
        put: Keeps a program under (table, key).
    """

    @functools.wraps(lower)
    def lowered(ast: UOp, renderer: object) -> UOp:
        if helpers.DEBUG >= SOURCES_SHOWN or helpers.VIZ:
            return lower(ast, renderer)
        key = key_of(ast, renderer)
        if (found := get(TABLE, key)) is not None:
            return found
        began = time.perf_counter()
        program = lean(lower(ast, renderer))
        _Clock.seconds += time.perf_counter() - began
        put(TABLE, key, program)
        return program

    return lowered


def seconds() -> float:
    """For how long this process has lowered and compiled what was not kept."""
    return _Clock.seconds


class _Clock:
    seconds = 0.0


def key_of(ast: UOp, renderer: object) -> str:
    """All that a program depends on: kernel, settings and target of tinygrad, and what turns them into machine code."""
    kernel, kind, target, *settings = codegen.to_program_key(ast, renderer)
    named = (kernel.hex(), ast.tag, f"{kind.__module__}.{kind.__qualname__}", target, settings)
    return repr((*named, toolchain.identity(), _code(), UOp.ended_ranges.func.__module__))


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
