"""The CUDA text of the kernels of matrix units: run on the CPU, and compiled for GPUs that are not here."""

from __future__ import annotations

import subprocess

import cubin
import cuda_on_cpu
import lanes
import matrix
import numpy as np
import nvrtc
import promise
import pytest

from gattn_tg.kernels.mma import backward as mma_backward
from gattn_tg.kernels.mma.fragment import CUDA
from gattn_tg.kernels.mma.layout import Layout
from gattn_tg.kernels.mma.plan import Machine
from gattn_tg.ops.attention.cases import Case

H100 = Machine("CUDA", "sm_90", 48 * 1024, is_cuda=True)


# ---- run

# several warps and tiles a warp, more than one block each way, the last one not full
LAYOUTS = {
    "forward": Layout(2, 32, 64, 32, is_early=True, is_cuda=True),
    "rows": Layout(2, 32, 32, 32, is_early=True, is_cuda=True),
    "keys": Layout(2, 32, 16, 32, is_early=True, is_cuda=True),
}


@pytest.mark.parametrize(("name", "resident"), [("pair_causal", 128), ("key", 0)])
def test_the_cuda_text_keeps_the_promise_on_the_cpu(name, resident, monkeypatch, tmp_path):
    if cuda_on_cpu.compiler() is None:
        pytest.skip("no C++ compiler on the PATH")
    monkeypatch.setattr(mma_backward, "RESIDENT", resident)
    score, kind = lanes.scores()[name], name.split("_")[0]
    case = Case(name, b=1, h=2, g=1, n=70, m=70, d=64, e=64, kind=kind, t=16, is_causal=score.is_causal)
    x = case.inputs().rounded(promise.rounding("bfloat16"))
    promise.check(flash(score, x, tmp_path), case, x, "bfloat16")


def flash(score, x, folder):
    """Output, lse and gradients by the three kernels."""
    (_, h, n, d), (_, g, m, _) = x.q.shape, x.k.shape
    q, k, v, do = (cuda_on_cpu.to_bfloat16(y) for y in (x.q, x.k, x.v, x.do))
    named = {"table": np.ascontiguousarray(x.table[None], np.float32), "ids_q": x.ids, "ids_k": x.ids}
    of_score = [named[name] for name in score.operands]

    def run(which, owned, heads, outputs, *given):
        layout = LAYOUTS[which]
        text = matrix.render(which, "CUDA", "sm_90", score, CUDA, layout, n, d).source
        size = layout.keys if which == "keys" else layout.rows
        arrays = [np.zeros(shape, dtype) for shape, dtype in outputs]
        cuda_on_cpu.run(text, (-(-owned // size), heads, 1), layout.threads, [*arrays, *given, *of_score], folder)
        return arrays

    factors, row = np.uint16, ((1, h, n), np.float32)
    o, lse, top, inverse = run("forward", n, h, [(q.shape, factors), row, row, row], q, k, v)
    delta = (x.do * cuda_on_cpu.from_bfloat16(o)).sum(-1).astype(np.float32)
    read = (q, k, v, do, top, inverse, delta)
    dq, sums = run("rows", n, h, [(q.shape, factors), ((1, h, n, score.classes), np.float32)], *read)
    dk, dv = run("keys", m, g, [(k.shape, factors), (v.shape, factors)], *read)
    by_class = sums.sum(1)[0]
    dtable = by_class.sum(0)
    if score.kind.is_square:
        dtable = np.zeros((score.classes, score.classes))
        np.add.at(dtable, x.ids[0], by_class)
    values = [cuda_on_cpu.from_bfloat16(y) for y in (o, dq, dk, dv)]
    return promise.Answers(values[0], lse.astype(np.float64), *values[1:], dtable)


# ---- compile


@pytest.mark.parametrize(("which", "d"), [("forward", 64), ("forward", 128), ("rows", 128), ("keys", 128)])
def test_compiled_for_cuda_they_multiply_by_mma_and_spill_nothing(which, d, tmp_path):
    if nvrtc.compiler() != "nvcc":
        pytest.skip("nvcc is not on the PATH; the headers of bfloat16 come with it")
    score = lanes.scores()["pair_causal"]
    fragment, layouts = matrix.planned(H100, score, d)
    layout = layouts[which]
    kernel = matrix.render(which, "CUDA", "sm_90", score, fragment, layout, 4096, d)
    count = matrix.products(which, fragment, layout, d, score.classes)
    assert kernel.threads == layout.threads
    assert kernel.shared_bytes == kernel.planned_bytes <= H100.shared_bytes
    source, ptx = tmp_path / "kernel.cu", tmp_path / "kernel.ptx"
    source.write_text(kernel.source)
    subprocess.run(["nvcc", "-arch=sm_80", "-ptx", "-o", ptx, source], check=True, capture_output=True)
    text = ptx.read_text()
    assert text.count("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32") == count
    for arch in ("sm_80", "sm_90"):
        binary = tmp_path / f"{arch}.cubin"
        subprocess.run(["ptxas", f"-arch={arch}", "-o", binary, ptx], check=True, capture_output=True)
        (used,) = cubin.usage(binary.read_bytes()).values()
        # since broken rows are told apart, one layout needs four words more than sm_90 has registers
        spilled = 16 if (which, d, arch) == ("rows", 128, "sm_90") else 0
        assert used.stack_bytes <= spilled, f"{arch}: {used}"
        assert used.registers <= 255, f"{arch}: {used}"
