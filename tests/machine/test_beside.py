"""Compiling beside the lowering changes when kernels are compiled, not what they are."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from tinygrad import Device, Tensor, codegen
from tinygrad.device import CompileError
from tinygrad.uop.ops import Ops, UOp

from gattn_tg.machine import beside, cpu, lowered


def kernels(offset: int) -> list[UOp]:
    """Two kernels that no other test compiles."""
    x = Tensor([1.0, 2.0, 3.0], device="CPU")
    calls = [(x * factor + offset).schedule_linear().src[-1] for factor in (171, 172)]
    return [call.src[0] for call in calls]


def tasks(offset: int) -> list[beside.Task]:
    cpu.install()
    return [(i, (kernel, Device["CPU"].renderer), {}) for i, kernel in enumerate(kernels(offset))]


def one_by_one(task: beside.Task) -> tuple[int, UOp]:
    return task[0], codegen.do_to_program(*task[1])


def test_programs_are_those_of_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATTN_CACHE", "0")
    forgetful = lowered.Remembered(codegen.do_to_program.lower, lambda *_: None, lambda *_: None)
    monkeypatch.setattr(codegen, "do_to_program", forgetful)
    given = tasks(1)
    found = dict(beside.Pool().imap_unordered(one_by_one, given))
    assert found == dict(one_by_one(task) for task in given)
    assert all(program.src[-1].op is Ops.BINARY and program.src[-1].arg[:4] == b"\x7fELF" for program in found.values())


def test_the_compiler_works_beside_and_its_refusal_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: set[int] = set()

    def refuse(self: Any, source: str) -> bytes:
        threads.add(threading.get_ident())
        raise CompileError("no")

    monkeypatch.setattr(type(Device["CPU"].renderer.compiler), "compile", refuse)
    with pytest.raises(CompileError, match="no"):
        list(beside.Pool().imap_unordered(one_by_one, tasks(2)))
    assert threads
    assert threading.get_ident() not in threads
