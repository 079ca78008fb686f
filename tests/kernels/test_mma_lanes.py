"""The kernels of matrix units for GPUs of other makers that are not here: compiled for CDNA, read as C++ for Metal."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import lanes
import pytest
from tinygrad import dtypes
from tinygrad.codegen import to_program

from gattn_tg.kernels import mma_backward, mma_forward, mma_plan
from gattn_tg.kernels.mma_plan import Machine
from gattn_tg.kernels.rotation import Rotation

MSL = Path(__file__).resolve().parent.parent / "msl"
PASSES = ("forward", "rows", "keys")


def render(device, arch, shared_bytes, which):
    """One kernel with the layout that the plan gives it; its positions fill no block."""
    score = lanes.scores()["pair_causal"]
    plan = mma_plan.plan(Machine(device, arch, shared_bytes), score, 64, 64, dtypes.bfloat16)
    kernel, planned, layout = {
        "forward": (mma_forward.kernel, mma_forward.shared_bytes, plan.forward),
        "rows": (mma_backward.rows_kernel, mma_backward.rows_bytes, plan.rows),
        "keys": (mma_backward.keys_kernel, mma_backward.keys_bytes, plan.keys),
    }[which]
    given = lanes.operands(which, score, Rotation(), 300, 64, dtypes.bfloat16)
    program = to_program(kernel(score, plan.fragment, layout)(*given), lanes.renderer(device, arch))
    made = lanes.rendered(program, planned(layout, plan.fragment, 64, 64, score, 2))
    assert made.threads == layout.threads
    assert made.shared_bytes <= made.planned_bytes <= shared_bytes
    return made.source


@pytest.mark.parametrize("which", PASSES)
def test_cdna_kernels_compile_to_matrix_instructions_without_scratch_memory(which, tmp_path):
    clang = shutil.which("clang")
    if not clang or "amdgcn" not in subprocess.run([clang, "--print-targets"], capture_output=True, text=True).stdout:
        pytest.skip("no clang with the AMDGPU target on the PATH")
    source, out = tmp_path / "kernel.hip", tmp_path / "kernel.s"
    text = render("AMD", "gfx942", 64 * 1024, which)
    source.write_text(lanes.ROCM + text.replace("typedef long unsigned int size_t;", ""))
    # gfx90a is the oldest with this instruction, and clang 14 knows it
    command = [clang, "-x", "hip", "--cuda-device-only", "--offload-arch=gfx90a", "-nogpulib", "-nogpuinc", "-O3", "-S",
               "-o", out, source]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = dict(re.findall(r"\.(\w+):\s+(\d+)$", out.read_text(), re.MULTILINE))
    assert int(said["private_segment_fixed_size"]) == 0, said
    assert int(said["vgpr_spill_count"]) == 0, said
    # scores twice and sums once, of 4 tiles each in 4 steps; the table has one tile of 16 classes
    expected = {"forward": 2 * (16 + 16), "rows": 3 * 16 + 4, "keys": 4 * 16}[which]
    assert out.read_text().count("v_mfma_f32_16x16x16bf16_1k") == expected


def test_metal_kernels_are_sound_cpp(tmp_path):
    if not shutil.which("clang"):
        pytest.skip("no clang on the PATH")
    texts = [render("METAL", "Apple7", 32 * 1024, which) for which in PASSES]
    # the function of the instruction stands before every kernel
    source = tmp_path / "kernels.cpp"
    source.write_text("\n".join(f"namespace {which} {{ {text.replace('#include <metal_stdlib>', '')} }}"
                                for which, text in zip(PASSES, texts, strict=True)))  # fmt: skip
    command = ["clang", "-x", "c++", "-std=c++17", "-fsyntax-only", "-Wall", "-Werror", "-Wno-unknown-attributes",
               "-Wno-unused-variable", "-Wno-ignored-attributes", f"-isystem{MSL}", "-include", MSL / "metal_stdlib",
               source]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all("simdgroup_multiply_accumulate" in text for text in texts)
