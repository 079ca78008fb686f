"""The C compiler of tinygrad's CPU device: which one is there, and how to get one.

tinygrad 0.14 compiles every CPU kernel (and four helper programs when the device opens) with the executable
named by CC, else with `clang` from the PATH. A bare machine has neither; `ziglang` from pip holds a clang,
and the script `zigcc` beside this file gives it clang's command line.

On Linux ziglang goes before a clang of the PATH: that of a distribution may be years old, and clang 15 keeps the sums
of attention in memory for many widths of heads: a training step takes 1.3 times as long (`bench/kernels/compilers.py`).
"""

from __future__ import annotations

import functools
import importlib.util
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gattn_tg.errors import MissingExtraError, UnsupportedError

# clang keeps to 256-bit vectors on AVX-512 machines unless it is told otherwise: half the speed of a matrix product.
FULL_WIDTH = "prefer-vector-width=512"
ZIGCC = Path(__file__).with_name("zigcc")
NEWEST_CLANG, OLDEST_CLANG = 40, 11  # versioned names that distributions install without a plain `clang`
HALF_REGISTERS = "avx512_fp16"  # among the flags of Linux
COMPILE_SECONDS = 120  # the first call of zig on a machine builds its cache

# The arguments tinygrad passes (runtime/support/compiler_cpu.py), and a kernel of the smallest kind.
_ARGUMENTS = ["-c", "-x", "c", "-O2", "-fPIC", "-ffreestanding", "-fno-math-errno", "-nostdlib", "-fno-ident"]
_PROGRAM = b"void f(float* restrict a, float* restrict b) { for (int i = 0; i < 64; i++) a[i] += b[i]; }\n"


@dataclass(frozen=True)
class Compiler:
    """The compiler that tinygrad's CPU device will call.

    Args:
        path: What is executed.
        origin: "CC", "clang" (found on the PATH) or "ziglang".
    """

    path: str
    origin: str


def find(environ: MutableMapping[str, str] | None = None) -> Compiler | None:
    """The compiler, in this order: CC, on Linux ziglang, clang, clang-N (newest first), ziglang; None without any."""
    environ = os.environ if environ is None else environ
    if environ.get("CC"):
        origin = "ziglang" if environ["CC"] == str(ZIGCC) else "CC"
        return Compiler(environ["CC"], origin)
    own = Compiler(str(ZIGCC), "ziglang") if os.name == "posix" and zig() else None
    if own is not None and sys.platform == "linux":
        return own
    return on_path(environ.get("PATH")) or own


def on_path(path: str | None) -> Compiler | None:
    """The clang of a PATH, without a version or the newest; None where there is none."""
    names = ["clang", *(f"clang-{n}" for n in range(NEWEST_CLANG, OLDEST_CLANG - 1, -1))]
    found = next((found for name in names if (found := shutil.which(name, path=path))), None)
    return Compiler(found, "clang") if found else None


def configure(environ: MutableMapping[str, str] | None = None) -> None:
    """Makes tinygrad's CPU device take the compiler that `find` finds: sets CC where it is unset.

    Called by `import gattn_tg`; looks along the PATH and for one package, opens no file and no device.
    A CC that is set already is left alone.
    """
    environ = os.environ if environ is None else environ
    compiler = find(environ)
    if compiler is None or environ.get("CC") or Path(compiler.path).name == "clang":
        return
    if compiler.origin == "ziglang":
        found = zig()
        if found is None or not _executable(ZIGCC):
            return
        environ.setdefault("GATTN_ZIG", found)
    environ["CC"] = compiler.path


def require() -> Compiler:
    """The compiler, after it has compiled one small program.

    Returns:
        The compiler that tinygrad's CPU device uses.

    Raises:
        MissingExtraError: No compiler is installed.
        UnsupportedError: There is one, and it does not compile what tinygrad asks for.
    """
    compiler = find()
    if compiler is None:
        raise MissingExtraError(
            "machine.toolchain: expected a C compiler (clang) to run on the CPU, but none was found; "
            'pip install "gattn_tg[cpu]"'
        )
    configure()
    if reason := _refusal(compiler.path):
        raise UnsupportedError(
            f"machine.toolchain: expected a clang that compiles for bare ELF targets, but {compiler.path} "
            f'({compiler.origin}) {reason}; unset CC, install clang, or pip install "gattn_tg[cpu]"'
        )
    return compiler


def version(compiler: Compiler) -> str:
    """The first line that the compiler says about itself, or an empty string."""
    try:
        command = [compiler.path, "--version"]
        said = subprocess.run(command, capture_output=True, timeout=COMPILE_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    lines = said.stdout.decode("utf-8", "replace").splitlines()
    return lines[0].strip() if lines else ""


@functools.cache
def identity() -> str:
    """The compiler that is used, told from others without running it: its file, size and time of change."""
    compiler = find()
    path = shutil.which(compiler.path) if compiler else None
    if compiler is None or path is None:
        return ""
    state = os.stat(path)
    zig = variable("GATTN_ZIG") if compiler.origin == "ziglang" else ""
    return f"{os.path.realpath(path)} {state.st_size} {state.st_mtime_ns} {zig}"


@functools.cache
def accepts(option: str) -> bool:
    """Whether the compiler that is used knows an option."""
    compiler = find()
    try:
        command = [compiler.path if compiler else "", *_ARGUMENTS, option, "-", "-o", "-"]
        return not subprocess.run(command, input=_PROGRAM, capture_output=True, timeout=COMPILE_SECONDS).returncode
    except (OSError, subprocess.SubprocessError):
        return False


@functools.cache
def flags(cpuinfo: str = "/proc/cpuinfo") -> frozenset[str]:
    """What Linux says that the processor can; nothing elsewhere."""
    try:
        text = Path(cpuinfo).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    return frozenset(found.group(1).split() if found else ())


@functools.cache
def vendor(cpuinfo: str = "/proc/cpuinfo") -> str:
    """What Linux says of the maker of an x86 processor, as "GenuineIntel"; empty elsewhere."""
    try:
        text = Path(cpuinfo).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found = re.search(r"^vendor_id\s*:\s*(\S+)", text, re.MULTILINE)
    return found.group(1) if found else ""


def vector_bits(cpuinfo: str = "/proc/cpuinfo") -> int:
    """Width of the vector registers of this machine in bits: 512 (AVX-512), 256 (AVX2), else 128."""
    if _Assumed.bits is not None:
        return _Assumed.bits
    words = flags(cpuinfo)
    return 512 if "avx512f" in words else 256 if "avx2" in words else 128


class _Assumed:
    bits: int | None = None


@contextmanager
def assuming(bits: int) -> Iterator[None]:
    """`vector_bits` is this inside: for kernels that run on another machine."""
    before, _Assumed.bits = _Assumed.bits, bits
    try:
        yield
    finally:
        _Assumed.bits = before


def vector_registers() -> int:
    """How many vector registers kernels can use: 32 with AVX-512 and NEON, 16 with AVX2, SSE and WebAssembly."""
    is_neon = _Assumed.bits is None and vector_name() == "NEON"
    return 32 if is_neon or vector_bits() == 512 else 16


def vector_name() -> str:
    """The instructions behind `vector_bits`: AVX-512, AVX2, NEON, or SSE where an x86 machine has no more."""
    if platform.machine().lower() in ("arm64", "aarch64"):
        return "NEON"
    return {512: "AVX-512", 256: "AVX2"}.get(vector_bits(), "SSE")


def variable(name: str) -> str | None:
    """An environment variable; None where it is unset or empty. Other rooms read them here."""
    return os.environ.get(name) or None


def environment(**changes: str) -> dict[str, str]:
    """The environment of this process with some variables changed, for a child process."""
    return {**os.environ, **changes}


@functools.cache
def zig() -> str | None:
    """Path of the zig executable of the installed `ziglang` package."""
    spec = importlib.util.find_spec("ziglang")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        zig = Path(folder) / ("zig.exe" if os.name == "nt" else "zig")
        if os.access(zig, os.X_OK):
            return str(zig)
    return None


def _executable(path: Path) -> bool:
    """True when the file can be executed; unpacking may lose the mode, so it is put back where allowed."""
    if os.access(path, os.X_OK):
        return True
    try:
        path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    except OSError:
        return False
    return os.access(path, os.X_OK)


@functools.cache
def _refusal(path: str) -> str:
    """Why this executable does not serve tinygrad, in words that end a sentence; empty when it does."""
    machine = platform.machine().lower()
    machine = {"amd64": "x86_64", "aarch64": "arm64"}.get(machine, machine)
    native = "-mcpu=native" if machine == "arm64" else "-march=native"
    command = [path, *_ARGUMENTS, f"--target={machine}-none-unknown-elf", native, "-", "-o", "-"]
    try:
        done = subprocess.run(command, input=_PROGRAM, capture_output=True, timeout=COMPILE_SECONDS, check=False)
    except OSError as error:
        return f"cannot be started ({error.strerror or error})"
    except subprocess.TimeoutExpired:
        return f"did not finish within {COMPILE_SECONDS} s"
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        return f"refused a test program ({said[0] if said else f'exit {done.returncode}'})"
    return "" if done.stdout[:4] == b"\x7fELF" else "wrote no ELF object"
