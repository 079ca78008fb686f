"""Runs the CUDA text of a kernel on the CPU: the very source that nvcc gets, its threads as fibers of one process.

tinygrad's emulator runs operations, not text, and reads no memory through pointers of another type.
"""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np

HEADERS = Path(__file__).resolve().parent / "cuda"
PRODUCT = re.compile(r"(float4 __WMMA_8_16_16___bf16_float\([^)]*\))\{.*?return c;\n\}", re.DOTALL)


def compiler():
    """The C++ compiler, or None."""
    return shutil.which("clang++") or shutil.which("g++")


def run(source, grid, threads, arrays, folder):
    """Runs a kernel over NumPy arrays, which it changes in place.

    Args:
        source: CUDA as tinygrad renders it.
        grid: groups along x, y, z.
        threads: threads of a group.
        arrays: operands in order; bfloat16 as uint16.
        folder: where the library goes.
    """
    source = source.replace("#include <cuda_bf16.h>", "")
    text, count = PRODUCT.subn(r"\1{ return group::multiply(a, b, c); }", source)
    assert count == 1, "the kernel has no matrix product, or tinygrad renders it in another way"
    name, operands = re.search(
        r'extern "C" __global__ void +(?:__launch_bounds__\(\d+\) )?(\w+)\((.*?)\)', text
    ).groups()
    types = [operand.rsplit(" ", 1)[0] for operand in operands.split(", ")]
    assert len(types) == len(arrays), f"{len(types)} operands, {len(arrays)} arrays"
    given = ", ".join(f"({kind})given[{i}]" for i, kind in enumerate(types))
    launch = f"""
extern "C" void launch(int x, int y, int z, int threads, void** given) {{
  group::kernel = [=] {{ {name}({given}); }};
  group::run(x, y, z, threads);
}}
"""
    file, library = folder / f"{name}.cpp", folder / f"{name}.so"
    file.write_text(f'#include "cuda_bf16.h"\n{text}{launch}')
    command = [compiler(), "-std=c++17", "-O1", "-w", "-fno-strict-aliasing", "-shared", "-fPIC", f"-I{HEADERS}", "-o",
               library, file]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pointers = (ctypes.c_void_p * len(arrays))(*(x.ctypes.data for x in arrays))
    ctypes.CDLL(str(library)).launch(*grid, threads, pointers)


def to_bfloat16(x):
    """Bits of float32 numbers that are bfloat16 values already."""
    return (np.ascontiguousarray(x, np.float32).view(np.uint32) >> 16).astype(np.uint16)


def from_bfloat16(bits):
    """Their values."""
    return (bits.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
