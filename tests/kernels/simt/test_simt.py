"""The kernels of GPU threads: any number of threads in the emulator, and through OpenCL; refusals; determinism."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import promise
import pytest
from tinygrad import Device, Tensor, dtypes

from gattn_tg import MotifBias, Rope, attention
from gattn_tg.errors import UnsupportedError
from gattn_tg.kernels.simt import plan as simt_plan
from gattn_tg.kernels.simt.group import Layout
from gattn_tg.ops.attention import lazy, simt
from gattn_tg.ops.attention.cases import Case

# More than one block each way, and sizes that fill none.
SMALL = {"b": 1, "h": 2, "g": 1, "n": 9, "m": 19, "d": 5, "e": 3}
THREADS = {
    "1 1 4 8": Case("one_thread", **{**SMALL, "n": 5, "m": 11}, kind="ordered", is_causal=True, rope={"rotary_dim": 4}),
    "4 8 8 8": Case("threads_32", **SMALL, kind="pair", window_size=(4, 3)),
    "8 8 8 8": Case("threads_64", **SMALL, kind="between", segments=2, slopes=True),
    "8 16 16 16": Case("threads_128", **SMALL, kind="same", lengths=(13,), rope={"interleaved": True, "rotary_dim": 2}),
}
BLOCKS = Case("many_blocks", b=2, h=2, g=1, n=37, m=70, d=4, e=3, kind="pair", per_head=True, is_causal=True)


def answers(case, x, device):
    """Output, lse and all gradients of one call."""
    tensors = [Tensor(a.astype(np.float32), device=device) for a in (x.q, x.k, x.v, x.do, x.dlse, x.table)]
    q, k, v, do, dlse, table = tensors
    keywords = x.keywords(MotifBias, Rope, lambda a: Tensor(np.asarray(a), device=device), table=table)
    o, lse = attention(q, k, v, impl="simt", return_lse=True, **keywords)
    gradients = ((o * do).sum() + (lse * dlse).sum()).gradient(q, k, v, table)
    return promise.Answers(*(y.numpy().astype(np.float64) for y in (o, lse, *gradients)))


@pytest.fixture
def layout(monkeypatch):
    """Makes one layout the only one."""

    def only(text):
        monkeypatch.setattr(simt_plan, "GPU", text)
        monkeypatch.setattr(simt_plan, "CPU", text)
        simt.layouts.cache_clear()

    yield only
    simt.layouts.cache_clear()


@pytest.fixture(scope="module")
def opencl():
    try:
        Device["CL"]
    except Exception as error:  # tinygrad raises whatever its driver raises
        pytest.skip(f"no OpenCL device: {type(error).__name__}")
    return "CL"


@pytest.mark.parametrize("text", THREADS)
def test_any_number_of_threads_keeps_the_promise_in_the_emulator(text, layout):
    layout(text)
    x = THREADS[text].inputs().rounded(promise.rounding("float32"))
    promise.check(answers(THREADS[text], x, "PYTHON"), THREADS[text], x, "float32", x.dlse)


def test_anchors_are_three_calls_of_the_same_kernel(layout):
    layout("2 2 4 4")
    case = Case("anchors", b=1, h=1, g=1, n=5, m=11, d=2, e=2, kind="key", window_size=1, anchors=3, lengths=(9,))
    x = case.inputs()
    q, k, v, table = (Tensor(a.astype(np.float32), device="PYTHON") for a in (x.q, x.k, x.v, x.table))
    keywords = x.keywords(MotifBias, Rope, lambda a: Tensor(np.asarray(a), device="PYTHON"), table=table)
    found = attention(q, k, v, impl="simt", return_lse=True, **keywords)
    true = promise.truth(x)
    for y, expected in zip(found, (true.o, true.lse), strict=True):
        np.testing.assert_allclose(y.numpy(), expected, rtol=0, atol=1e-5)


def test_operands_that_share_buffers_keep_the_promise(layout, monkeypatch):
    layout("4 8 8 8")
    machine = replace(simt_plan.machine("PYTHON"), buffers=10)
    monkeypatch.setattr(simt_plan, "machine", lambda device: machine)
    sizes = {**SMALL, "n": 5, "m": 11}
    case = Case("shared", **sizes, kind="pair", per_head=True, rope={"rotary_dim": 2}, lengths=(9,), slopes=True)
    x = case.inputs().rounded(promise.rounding("float32"))
    promise.check(answers(case, x, "PYTHON"), case, x, "float32", x.dlse)


@pytest.mark.parametrize("text", ["1 1 16 64", "4 8 8 8"])
def test_many_blocks_through_opencl_keep_the_promise(text, layout, opencl):
    layout(text)
    x = BLOCKS.inputs().rounded(promise.rounding("float32"))
    promise.check(answers(BLOCKS, x, opencl), BLOCKS, x, "float32", x.dlse)


def test_runs_agree_bit_for_bit(layout, opencl):
    layout("4 8 8 8")  # several threads a group, whose kernels are there
    x = BLOCKS.inputs()
    first = answers(BLOCKS, x, opencl)
    for _ in range(5):
        again = answers(BLOCKS, x, opencl)
        for name in promise.NAMES:
            np.testing.assert_array_equal(getattr(first, name), getattr(again, name))


def test_refuses_devices_without_groups():
    q = Tensor.zeros(1, 1, 2, 4, device="CPU")
    text = 'attention(impl="simt"): expected a device with groups of threads, got operands on CPU; use impl='
    with pytest.raises(UnsupportedError, match=re.escape(text)):
        attention(q, q, q, impl="simt")


def test_auto_passes_over_devices_where_nothing_has_been_proven(monkeypatch):
    monkeypatch.setattr(simt, "UNPROVEN", {"PYTHON": "only their syntax was checked"})
    monkeypatch.setattr(simt, "refuse", lambda problem: None)
    monkeypatch.setattr(lazy, "refuse", lambda problem: "not now")
    text = 'simt: only their syntax was checked, nothing ran on PYTHON yet; impl="simt" takes it nevertheless; loops: '
    with pytest.raises(UnsupportedError, match=re.escape(text)):
        attention(*[Tensor.zeros(1, 1, 4, 8, device="PYTHON")] * 3)


def test_refuses_devices_that_bind_few_buffers(monkeypatch):
    machine = simt_plan.Machine(has_groups=True, is_cpu=False, shared_bytes=32768, threads=64, buffers=8,
                                stored=frozenset([dtypes.float32]))  # fmt: skip
    monkeypatch.setattr(simt_plan, "machine", lambda device: machine)
    q = Tensor.zeros(1, 1, 2, 4, device="PYTHON")
    bias = MotifBias.key(Tensor.zeros(5), Tensor([[0, 1]], dtype=dtypes.uint8))
    text = 'attention(impl="simt"): expected a device that binds 9 buffers, got PYTHON, which binds 8; use impl="auto"'
    with pytest.raises(UnsupportedError, match=re.escape(text)):
        attention(q, q, q, bias=bias, impl="simt")


def test_refuses_what_the_device_does_not_store(monkeypatch):
    machine = simt_plan.Machine(has_groups=True, is_cpu=False, shared_bytes=32768, threads=64)
    monkeypatch.setattr(simt_plan, "machine", lambda device: machine)
    q = Tensor.zeros(1, 1, 2, 4, device="CPU").half()
    text = 'attention(impl="simt"): expected a dtype that CPU stores here, got half; use'
    with pytest.raises(UnsupportedError, match=re.escape(text)):
        attention(q, q, q, impl="simt")


def test_refuses_tiles_that_do_not_fit():
    q = Tensor.zeros(1, 1, 2, 600, device="PYTHON")
    text = (
        'attention(impl="simt"): expected 50768 bytes of shared memory and 79 registers a thread for its smallest '
        "tile (forward, head widths 600 and 600, 0 table columns), got PYTHON with 32768 and 160"
    )
    with pytest.raises(UnsupportedError, match=re.escape(text)):
        attention(q, q, q, impl="simt")


def test_plan_takes_the_first_layout_that_fits():
    machine = simt_plan.Machine(has_groups=True, is_cpu=False, shared_bytes=1000, threads=32)
    assert simt_plan.choose(machine, lambda layout: layout.rows * 100, lambda layout: 10) == Layout(4, 8, 8, 8)
    assert simt_plan.choose(machine, lambda layout: 2000, lambda layout: 10) is None
    assert simt_plan.choose(machine, lambda layout: 0, lambda layout: 10_000) is None
