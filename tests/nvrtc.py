"""CUDA source to a binary without a GPU: by nvcc from the PATH, else by NVRTC from pip (nvidia-cuda-nvrtc-cu12)."""

from __future__ import annotations

import ctypes
import importlib.util
import shutil
import subprocess
from pathlib import Path


def compiler():
    """Name of the compiler that is here, or None."""
    return "nvcc" if shutil.which("nvcc") else "nvrtc" if _library() else None


def compile_cuda(source: str, arch: str, folder: Path) -> bytes:
    """The binary of some kernels for one architecture."""
    return _nvcc(source, arch, folder) if compiler() == "nvcc" else _nvrtc(source, arch)


def _nvcc(source: str, arch: str, folder: Path) -> bytes:
    text, binary = folder / f"{arch}.cu", folder / f"{arch}.cubin"
    text.write_text(source)
    done = subprocess.run(
        ["nvcc", f"-arch={arch}", "-cubin", "-o", str(binary), str(text)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return binary.read_bytes()


def _nvrtc(source: str, arch: str) -> bytes:
    library = ctypes.CDLL(str(_library()))
    program, options = ctypes.c_void_p(), [f"--gpu-architecture={arch}".encode(), b"--minimal"]
    assert not library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernels.cu", 0, None, None)
    failed = library.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    what = "ProgramLog" if failed else "CUBIN"
    size = ctypes.c_size_t()
    assert not getattr(library, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
    text = ctypes.create_string_buffer(size.value)
    assert not getattr(library, f"nvrtcGet{what}")(program, text)
    assert not failed, text.value.decode()
    return text.raw


def _library() -> Path | None:
    spec = importlib.util.find_spec("nvidia") and importlib.util.find_spec("nvidia.cuda_nvrtc")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for found in sorted(Path(folder, "lib").glob("libnvrtc.so*")):
            return found
    return None
