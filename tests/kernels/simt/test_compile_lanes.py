"""The `simt` kernels for GPUs that are not here: rendered for each, then compiled, or read by a validator.

Nothing runs in this file. Where a compiler is missing its lane skips and says so.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import cubin
import lanes
import nvrtc
import pytest
from tinygrad import dtypes

from gattn_tg.kernels.tiles.rotation import Rotation

MSL = Path(__file__).resolve().parents[2] / "msl"
EVERY = [(which, d, score) for which in lanes.PASSES for d in (64, 128) for score in lanes.scores()]
SOME = [(which, d, score) for which in lanes.PASSES for d, score in ((64, "pair_causal"), (128, "key"))]
CUDA_MOST_REGISTERS = 168  # three groups of 64 threads and more find room among the 65536 registers of a processor
RESERVED = 1024  # shared memory that CUDA keeps for itself since sm_80


@cache
def made(device, arch, which, d, score):
    """One rendered kernel, once for all tests."""
    return lanes.render(which, device, arch, lanes.scores()[score], d)


@pytest.mark.parametrize(
    ("device", "most_bytes", "arch"),
    [("CUDA", 48 * 1024, "sm_90"), ("AMD", 64 * 1024, "gfx1030"), ("METAL", 32 * 1024, "Apple7"),
     ("WEBGPU", 16 * 1024, "")],
)  # fmt: skip
def test_shared_memory_is_what_the_plan_counted_on_and_fits(device, most_bytes, arch):
    for which, d, score in SOME:
        kernel = made(device, arch, which, d, score)
        assert kernel.shared_bytes == kernel.planned_bytes, kernel.name
        assert kernel.shared_bytes <= most_bytes, kernel.name
        assert 32 <= kernel.threads <= 256, kernel.name


@pytest.fixture(scope="module", params=["sm_80", "sm_90"])
def cuda(request, tmp_path_factory):
    """Usage of all kernels on one architecture, by name."""
    if nvrtc.compiler() is None:
        pytest.skip("neither nvcc nor the package nvidia-cuda-nvrtc-cu12 is installed")
    source = together(made("CUDA", "sm_90", *names) for names in EVERY)
    return request.param, cubin.usage(nvrtc.compile_cuda(source, request.param, tmp_path_factory.mktemp("cuda")))


def together(kernels):
    """One source of several kernels; what stands before each of them is kept once."""
    heads, bodies = {}, []
    for kernel in kernels:
        head, body = kernel.source.split('extern "C"', 1)
        heads |= dict.fromkeys(head.splitlines())
        bodies.append('extern "C"' + body)
    return "\n".join([*heads, *bodies])


def test_cuda_kernels_keep_their_tiles_in_registers(cuda):
    arch, found = cuda
    for names in EVERY:
        kernel = made("CUDA", "sm_90", *names)
        used = found[kernel.name]
        assert used.stack_bytes == 0, f"{arch} {kernel.name}: {used}"
        assert used.registers <= CUDA_MOST_REGISTERS, f"{arch} {kernel.name}: {used}"
        assert 0 <= used.shared_bytes - kernel.shared_bytes <= RESERVED, f"{arch} {kernel.name}: {used}"


def test_cuda_kernels_of_bfloat16_with_rope_compile(tmp_path):
    if nvrtc.compiler() != "nvcc":
        pytest.skip("nvcc is not on the PATH; the headers of bfloat16 come with it")
    score, rope = lanes.scores()["pair_causal"], Rotation(64)
    kernels = [lanes.render(x, "CUDA", "sm_90", score, 64, dtypes.bfloat16, rotation=rope) for x in lanes.PASSES]
    found = cubin.usage(nvrtc.compile_cuda(together(kernels), "sm_90", tmp_path))
    assert [found[kernel.name].stack_bytes for kernel in kernels] == [0, 0, 0]


@pytest.mark.parametrize("arch", ["gfx1030", "gfx90a"])
def test_amd_kernels_compile_without_scratch_memory(arch, tmp_path):
    if not _amd_clang():
        pytest.skip("no clang with the AMDGPU target on the PATH")
    for names in SOME:
        kernel = made("AMD", "gfx1030", *names)
        source, out = tmp_path / "kernel.hip", tmp_path / "kernel.s"
        source.write_text(lanes.ROCM + kernel.source.replace("typedef long unsigned int size_t;", ""))
        command = ["clang", "-x", "hip", "--cuda-device-only", f"--offload-arch={arch}", "-nogpulib", "-nogpuinc",
                   "-O3", "-S", "-o", out, source]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{kernel.name}: {done.stderr}"
        said = dict(re.findall(r"\.(\w+):\s+(\d+)$", out.read_text(), re.MULTILINE))
        assert int(said["private_segment_fixed_size"]) == 0, f"{arch} {kernel.name}: {said}"
        assert int(said["vgpr_spill_count"]) == 0, f"{arch} {kernel.name}: {said}"
        padding = int(said["group_segment_fixed_size"]) - kernel.shared_bytes
        assert 0 <= padding <= 16 * 16, f"{arch} {kernel.name}: {said}"  # every array starts at a multiple of 16


def test_metal_kernels_are_sound_cpp(tmp_path):
    if not shutil.which("clang"):
        pytest.skip("no clang on the PATH")
    source = tmp_path / "kernels.cpp"
    source.write_text("\n".join(made("METAL", "Apple7", *names).source for names in SOME))
    command = ["clang", "-x", "c++", "-std=c++17", "-fsyntax-only", "-Wall", "-Werror", "-Wno-unknown-attributes",
               "-Wno-unused-variable", "-Wno-ignored-attributes", f"-isystem{MSL}", source]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_wgsl_kernels_pass_naga():
    wgpu = pytest.importorskip("wgpu", reason="the package wgpu (naga, Firefox's validator of WGSL) is not installed")
    try:
        device = wgpu.gpu.request_adapter_sync().request_device_sync()
    except RuntimeError as error:
        pytest.skip(f"wgpu finds no adapter; mesa-vulkan-drivers brings one in software: {error}")
    for names in SOME:
        device.create_shader_module(code=made("WEBGPU", "", *names).source)


def test_wgsl_kernels_store_no_half_words():
    """Bytes and 16-bit words would be packed, with atomics, by tinygrad."""
    for names in SOME:
        assert "atomic" not in made("WEBGPU", "", *names).source


def _amd_clang():
    clang = shutil.which("clang")
    return clang and "amdgcn" in subprocess.run([clang, "--print-targets"], capture_output=True, text=True).stdout
