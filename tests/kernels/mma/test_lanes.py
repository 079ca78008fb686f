"""The kernels of matrix units for GPUs of other makers that are not here: compiled for CDNA, read as C++ for Metal."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import lanes
import matrix
import pytest

from gattn_tg.kernels.mma.plan import Machine

MSL = Path(__file__).resolve().parents[2] / "msl"
PASSES = ("forward", "rows", "keys")


def made(device, arch, shared_bytes, which):
    """One kernel with the layout that the plan gives it, and its matrix instructions; positions fill no block."""
    score = lanes.scores()["pair_causal"]
    fragment, layouts = matrix.planned(Machine(device, arch, shared_bytes), score, 64)
    kernel = matrix.render(which, device, arch, score, fragment, layouts[which], 300, 64)
    assert kernel.threads == layouts[which].threads
    # `rows` of a score without `between` and `dense` folds nothing
    assert kernel.shared_bytes <= kernel.planned_bytes <= shared_bytes
    return kernel.source, matrix.products(which, fragment, layouts[which], 64, score.classes)


@pytest.mark.parametrize("which", PASSES)
def test_cdna_kernels_compile_to_matrix_instructions_without_scratch_memory(which, tmp_path):
    clang = shutil.which("clang")
    if not clang or "amdgcn" not in subprocess.run([clang, "--print-targets"], capture_output=True, text=True).stdout:
        pytest.skip("no clang with the AMDGPU target on the PATH")
    source, out = tmp_path / "kernel.hip", tmp_path / "kernel.s"
    text, count = made("AMD", "gfx942", 64 * 1024, which)
    source.write_text(lanes.ROCM + text.replace("typedef long unsigned int size_t;", ""))
    # gfx90a is the oldest with this instruction, and clang 14 knows it
    command = [clang, "-x", "hip", "--cuda-device-only", "--offload-arch=gfx90a", "-nogpulib", "-nogpuinc", "-O3", "-S",
               "-o", out, source]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = dict(re.findall(r"\.(\w+):\s+(\d+)$", out.read_text(), re.MULTILINE))
    assert int(said["private_segment_fixed_size"]) == 0, said
    assert int(said["vgpr_spill_count"]) == 0, said
    assert out.read_text().count("v_mfma_f32_16x16x16bf16_1k") == count


def test_metal_kernels_are_sound_cpp(tmp_path):
    if not shutil.which("clang"):
        pytest.skip("no clang on the PATH")
    texts = [made("METAL", "Apple7", 32 * 1024, which)[0] for which in PASSES]
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
