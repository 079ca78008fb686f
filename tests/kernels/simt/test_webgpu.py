"""The kernels of GPU threads through WebGPU: Dawn, on a GPU or on a Vulkan driver in software (lavapipe)."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import numpy as np
import promise
import pytest
from tinygrad import Device, Tensor

from gattn_tg import MotifBias, Rope, attention
from gattn_tg.kernels.simt import plan as simt_plan
from gattn_tg.ops.attention import simt
from gattn_tg.ops.attention.api import choose
from gattn_tg.ops.attention.cases import Case
from gattn_tg.ops.attention.problem import build

LIBRARIES = {"linux": "libwebgpu_dawn_x86_64.so", "darwin": "libwebgpu_dawn_arm64.dylib", "win32": "libwebgpu_dawn.dll"}


@pytest.fixture(scope="module")
def webgpu():
    """The device, with the library that the package dawn-python brings where none is named."""
    package = importlib.util.find_spec("pydawn")
    if package and "WEBGPU_PATH" not in os.environ and sys.platform in LIBRARIES:
        library = Path(next(iter(package.submodule_search_locations)), "lib", LIBRARIES[sys.platform])
        os.environ["WEBGPU_PATH"] = str(library)  # tinygrad reads it when it opens the device, in this process only
    needs = "dawn-python and a Vulkan driver (mesa-vulkan-drivers, in software) are required"
    try:
        Device["WEBGPU"]
    except Exception as error:  # tinygrad raises whatever its driver raises
        pytest.skip(f"no WebGPU, {needs}: {error}")
    if (Tensor([1.0, 2.0], device="WEBGPU") + 1).tolist() != [2.0, 3.0]:
        pytest.skip(f"WebGPU computes nothing, {needs}: without one Dawn opens a device that does no work")
    return "WEBGPU"


def test_forward_and_backward_keep_the_promise(webgpu):
    case = Case("webgpu", b=1, h=2, g=1, n=19, m=37, d=8, e=6, kind="pair", per_head=True, is_causal=True, rope={},
                lengths=(30,))  # fmt: skip
    x = case.inputs().rounded(promise.rounding("float32"))
    tensors = [Tensor(a.astype(np.float32), device=webgpu) for a in (x.q, x.k, x.v, x.do, x.dlse, x.table)]
    q, k, v, do, dlse, table = tensors
    keywords = x.keywords(MotifBias, Rope, lambda a: Tensor(np.asarray(a), device=webgpu), table=table)
    o, lse = attention(q, k, v, impl="simt", return_lse=True, **keywords)
    gradients = ((o * do).sum() + (lse * dlse).sum()).gradient(q, k, v, table)
    answers = promise.Answers(*(y.numpy().astype(np.float64) for y in (o, lse, *gradients)))
    promise.check(answers, case, x, "float32", x.dlse)


def test_auto_takes_it_within_the_limits_of_the_device(webgpu):
    machine = simt_plan.machine(webgpu)
    assert 16384 <= machine.shared_bytes <= 65536
    assert machine.threads <= 256
    assert machine.is_short_of_buffers
    q = Tensor.zeros(1, 1, 4, 8, device=webgpu)
    problem = build(q, q, q, bias=None, rope=None, positions=None, is_causal=False, window_size=None, lengths=None,
                    segments=None, scale=None)  # fmt: skip
    assert choose(problem, "auto") is simt
