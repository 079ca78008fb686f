"""Schedules on disk: a second process cuts no graph again and computes the same bits; the key knows what matters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from started import said
from tinygrad import Device, Tensor, Variable, codegen, tensor
from tinygrad.helpers import Context
from tinygrad.tensor import transform_to_call
from tinygrad.uop.ops import Ops, UOp

from gattn_tg.machine import cpu, lowered, scheduled, toolchain

LEARN = """
import hashlib, numpy as np
from tinygrad import Tensor, schedule
from gattn_tg.ops.norm import layer_norm
n_cut, cut = 0, schedule.get_kernel_graph
def counted(sink):
    global n_cut
    n_cut += 1
    return cut(sink)
schedule.get_kernel_graph = counted
rng = np.random.default_rng(0)
x, w, b = (Tensor(rng.normal(size=size).astype(np.float32)).realize() for size in ((40000, 2), 2, 2))
start = n_cut  # arrays come from another device, and such graphs are not kept
loss = (layer_norm(x, w, b) + x.std() * w.sum()).square().sum()
Tensor.realize(loss, *(found := loss.gradient(x, w, b)))
has_cut = n_cut > start
print(hashlib.sha256(b"".join(x.numpy().tobytes() for x in (loss, *found))).hexdigest(), has_cut)
"""


def test_a_second_process_cuts_no_graph_and_gives_the_same_bits(tmp_path: Path) -> None:
    bits, has_cut = said(LEARN, tmp_path)
    assert has_cut == "True"
    assert said(LEARN, tmp_path) == [bits, "False"]
    assert said(LEARN, tmp_path, GATTN_CACHE="0") == [bits, "True"]
    assert said(LEARN, tmp_path, REDUCEOP_SPLIT_THRESHOLD="30000")[1] == "True"


def call_of(*tensors: Tensor) -> UOp:
    return transform_to_call(UOp.sink(*(x.uop for x in tensors)))[0]


def ones(*shape: int) -> Tensor:
    """Realised, on the CPU."""
    cpu.install()
    return Tensor(np.ones(shape, np.float32), device="CPU").realize()


class Store:
    """A memory that counts what is asked."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Any] = {}

    def get(self, table: str, key: str) -> Any:
        return self.kept.get((table, key))

    def put(self, table: str, key: str, value: Any) -> None:
        self.kept[table, key] = value

    def remembered(self) -> scheduled.Remembered:
        return scheduled.Remembered(tensor.create_linear_with_vars.schedule, self.get, self.put)


def test_launches_are_those_of_tinygrad_with_their_programs_in_place() -> None:
    store, x = Store(), ones(64, 64)
    call = call_of((x @ x + 1).relu(), x.sum(axis=0))
    plain, _ = tensor.create_linear_with_vars.schedule(call)
    first, _ = store.remembered()(call)
    assert [c.src[0].key for c in first.src] == [c.src[0].key for c in plain.src]
    assert {c.src[0].op for c in first.src} == {Ops.SINK}
    again, _ = store.remembered()(call)  # the kernels are not in the store: cut again
    assert {c.src[0].op for c in again.src} == {Ops.SINK}
    lower, renderer = codegen.do_to_program.lower, Device["CPU"].renderer
    programs = [lowered.lean(lower(c.src[0], renderer)) for c in first.src]
    for c, program in zip(first.src, programs, strict=True):
        store.put(lowered.TABLE, lowered.key_of(c.src[0], renderer), program)
    found, _ = store.remembered()(call)
    assert [c.src[0] for c in found.src] == programs
    assert [c.src[1:] for c in found.src] == [c.src[1:] for c in first.src]


def test_the_key_tells_graphs_settings_compilers_and_code_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    x = ones(8, 8)
    calls = [call_of(x + 1), call_of(x + 2), call_of((x + 1).sum()), call_of(ones(8, 9) + 1)]
    keys = [scheduled.key_of(call) for call in calls]
    assert scheduled.key_of(call_of(ones(8, 8) + 1)) == keys[0]  # other memory is the same graph
    with Context(SPLIT_REDUCEOP=0):
        keys.append(scheduled.key_of(calls[0]))
    monkeypatch.setenv("REDUCEOP_SPLIT_SIZE", "20")
    keys.append(scheduled.key_of(calls[0]))
    monkeypatch.setattr(toolchain, "identity", lambda: "another compiler")
    keys.append(scheduled.key_of(calls[0]))
    monkeypatch.setattr(lowered, "_code", lambda: "another version")
    keys.append(scheduled.key_of(calls[0]))
    assert None not in keys
    assert len(set(keys)) == len(keys)


def test_graphs_of_several_devices_with_variables_or_to_be_searched_are_not_kept() -> None:
    x = ones(8, 8)
    assert scheduled.key_of(call_of(x + 1)) is not None
    assert scheduled.key_of(call_of(x.to("CPU:1") + 1)) is None
    assert scheduled.key_of(call_of(x[: Variable("rows", 1, 8).bind(3)] + 1)) is None
    for settings in ({"BEAM": 1}, {"DEBUG": 4}, {"CACHELEVEL": 0}, {"SCACHE": 0}):
        with Context(**settings):
            assert scheduled.key_of(call_of(x + 1)) is None


def test_a_gradient_that_two_processes_have_at_two_places_is_no_part_of_the_key() -> None:
    x = ones(8, 8)

    def double(cotangent: UOp, call: UOp) -> tuple[UOp]:
        return (cotangent * 2,)

    bodies = [UOp.maketuple(x.uop.param_like(0) * 2) for _ in range(2)]
    functions = [lambda c, call: double(c, call), lambda c, call: double(c, call)]
    graphs = [Tensor(body.call(x.uop, grad_fxn=f).gettuple(0)) for body, f in zip(bodies, functions, strict=True)]
    assert len({call_of(graph).src[0].key for graph in graphs}) == 2
    assert len({scheduled.key_of(call_of(graph)) for graph in graphs}) == 1
