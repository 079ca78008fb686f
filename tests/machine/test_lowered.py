"""Lowered programs on disk: a second process lowers nothing and computes the same bits; the key knows what matters."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

import pytest
from started import environment, said
from tinygrad import Device, Tensor, codegen
from tinygrad.uop.ops import Ops, UOp

from gattn_tg.machine import cache, cpu, lowered, toolchain

NORMALISE = """
import hashlib, numpy as np
from tinygrad import Tensor
from gattn_tg.machine import lowered
from gattn_tg.ops.norm import layer_norm
rng = np.random.default_rng(0)
x, weight, bias = (Tensor(rng.normal(size=size).astype(np.float32)).realize() for size in ((100, 16), 16, 16))
y = layer_norm(x, weight, bias) @ x.transpose()
bits = [y, *y.square().sum().gradient(x, weight, bias)]
print(hashlib.sha256(b"".join(x.numpy().tobytes() for x in bits)).hexdigest(), lowered.seconds() > 0)
"""


def test_a_second_process_lowers_nothing_and_gives_the_same_bits(tmp_path: Path) -> None:
    bits, lowered_first = said(NORMALISE, tmp_path)
    assert lowered_first == "True"
    assert said(NORMALISE, tmp_path) == [bits, "False"]
    assert said(NORMALISE, tmp_path, GATTN_CACHE="0") == [bits, "True"]
    store = cache.Store(tmp_path / "tinygrad")
    assert store.size()[0] > 5
    content = bytearray(store.path.read_bytes())
    content[4096:] = bytes(byte ^ 0x55 for byte in content[4096:])
    store.path.write_bytes(content)
    assert said(NORMALISE, tmp_path) == [bits, "True"]  # damaged: lowered anew, and kept again
    assert said(NORMALISE, tmp_path) == [bits, "False"]


def test_two_processes_that_fill_it_at_once_agree(tmp_path: Path) -> None:
    command = [sys.executable, "-c", NORMALISE]
    both = [subprocess.Popen(command, env=environment(tmp_path), stdout=subprocess.PIPE, text=True) for _ in range(2)]
    first, second = (process.communicate()[0].split() for process in both)
    assert first[0] == second[0] == said(NORMALISE, tmp_path)[0]


def kernel() -> UOp:
    call = (Tensor([1.0, 2.0, 3.0], device="CPU") * 2 + 1).schedule_linear().src[-1]
    return call.src[0]


def test_the_key_tells_kernels_settings_targets_compilers_and_code_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu.install()
    ast, renderer = kernel(), Device["CPU"].renderer
    keys = [lowered.key_of(ast, renderer), lowered.key_of(ast.replace(tag=1), renderer)]
    keys.append(lowered.key_of(ast.replace(arg=type(ast.arg)("other")), renderer))
    monkeypatch.setattr(toolchain, "identity", lambda: "another compiler")
    keys.append(lowered.key_of(ast, renderer))
    monkeypatch.setattr(lowered, "_code", lambda: "another version")
    keys.append(lowered.key_of(ast, renderer))
    monkeypatch.setattr(UOp, "ended_ranges", functools.cached_property(kernel))  # another way to count loops
    keys.append(lowered.key_of(ast, renderer))
    assert len(set(keys)) == len(keys)


def test_what_is_kept_is_what_runs() -> None:
    """Name, launch, arguments, memory, source and machine code; no other statements."""
    ast, renderer = kernel(), Device["CPU"].renderer
    whole = lowered.Remembered(codegen.do_to_program.lower, lambda *_: None, lambda *_: None)
    program = whole(ast, renderer)
    assert lowered.lean(program) is program
    assert [x.op for x in program.src] == [Ops.SINK, Ops.LINEAR, Ops.SOURCE, Ops.BINARY]
    assert program.src[0].src == ()
    assert Ops.PARAM in {x.op for x in program.src[1].src} <= set(lowered.KEPT)
    assert program.src[0].arg.estimates is not None
