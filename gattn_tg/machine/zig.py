"""C to WebAssembly, or to a shared library, by the clang inside `ziglang`; nothing is linked to it."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from gattn_tg.errors import MissingExtraError, UnsupportedError
from gattn_tg.machine import toolchain

SECONDS = 600
HEADER = "model.h"  # what sources include
SHOWN = 600  # characters of what the compiler says that a message repeats
FLAGS = ("-O3", "-g0", "-std=c11", "-fno-math-errno", "-ffreestanding", "-fno-ident",
         "-fno-stack-protector", "-fno-sanitize=all", "-fvisibility=hidden", "-w", "-DGATTN_FREESTANDING")  # fmt: skip
VECTORS = "-mcpu=generic+simd128+bulk_memory"
WASM = ("-target", "wasm32-freestanding", "-nostdlib", "-Wl,--no-entry",
        "-Wl,-z,stack-size=262144", "-Wl,--export=__heap_base", "-Wl,--strip-all")  # fmt: skip
SHARED = ("-shared", "-fPIC", "-nostdlib")
WIDEST = 512  # bits of a vector
MACS = ("aarch64", "x86_64")  # processors of Macs
FAT, PAGE_BITS = 0xCAFEBABE, 14  # the mark of a file for several processors; pages of Macs have 16 kB


def webassembly(source: str, header: str, exported: Sequence[str], *, relaxed: bool = False) -> bytes:
    """A WebAssembly module with vectors of 128 bits that exports these functions, and its memory, and imports nothing.

    Args:
        source: includes `HEADER`.
        header: its text.
        exported: names of functions.
        relaxed: for engines with relaxed vectors, which multiply and add at once: a tenth to a fifth faster.

    Raises:
        MissingExtraError: ziglang is not installed.
        UnsupportedError: it refuses the text.
    """
    vectors = f"{VECTORS}+relaxed_simd" if relaxed else VECTORS
    return _compiled(source, header, [*WASM, vectors, *(f"-Wl,--export={name}" for name in exported)], "model.wasm")


def library(source: str, header: str, suffix: str) -> bytes:
    """A shared library: for this machine with its widest vectors, or for every Mac where this machine is none.

    Args:
        source: includes `HEADER`; what is not static in it and marked as visible is exported.
        header: its text.
        suffix: ".so" or ".dylib".

    Raises:
        MissingExtraError, UnsupportedError: as `webassembly`.
    """
    if suffix == here():
        wide = [f"-m{toolchain.FULL_WIDTH}"] if toolchain.vector_bits() == WIDEST else []
        return _compiled(source, header, [*SHARED, "-mcpu=native", *wide], f"model{suffix}")
    return fat([_compiled(source, header, [*SHARED, "-target", f"{name}-macos"], f"model{suffix}") for name in MACS])


def here() -> str:
    """How the names of shared libraries end on this system."""
    return ".dylib" if sys.platform == "darwin" else ".so"


def fat(slices: Sequence[bytes]) -> bytes:
    """Mach-O files of several processors as one file, from which macOS takes the one that it needs.

    Source: <mach-o/fat.h>: big-endian, for each file its processor, place, size, and the power of two it is aligned to.
    """
    at, table, body = 1 << PAGE_BITS, b"", b""
    for one in slices:
        body += bytes(-len(body) % (1 << PAGE_BITS))
        processor, kind = struct.unpack_from("<II", one, 4)
        table += struct.pack(">IIIII", processor, kind, at + len(body), len(one), PAGE_BITS)
        body += one
    return (struct.pack(">II", FAT, len(slices)) + table).ljust(at, b"\0") + body


def _compiled(source: str, header: str, options: Sequence[str], name: str) -> bytes:
    zig = toolchain.zig()
    if zig is None:
        raise MissingExtraError("export: expected ziglang, which compiles for other machines, but it is not installed; "
                                'pip install "gattn_tg[cpu]"')
    with tempfile.TemporaryDirectory() as place:
        text, made = Path(place) / "source.c", Path(place) / name
        text.write_text(source, encoding="utf-8")
        (Path(place) / HEADER).write_text(header, encoding="utf-8")
        cache = toolchain.variable("ZIG_GLOBAL_CACHE_DIR") or os.path.join(place, "cache")
        local = os.path.join(place, "local")
        environment = toolchain.environment(ZIG_GLOBAL_CACHE_DIR=cache, ZIG_LOCAL_CACHE_DIR=local)
        # the folder is the working directory, so that its name, which is drawn, cannot get into the file
        done = subprocess.run([zig, "cc", *FLAGS, *options, "-o", name, text.name], cwd=place, env=environment,
                              capture_output=True, timeout=SECONDS, check=False)
        if done.returncode or not made.is_file():
            said = " ".join(done.stderr.decode("utf-8", "replace").split())[-SHOWN:]
            raise UnsupportedError(f"export: expected a compiler that makes {name} of the kernels, but ziglang refused "
                                   f"them ({said or f'exit {done.returncode}'}); take another target")
        return made.read_bytes()
