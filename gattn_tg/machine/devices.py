"""Which devices this machine has, which of them work, and which one to use."""

from __future__ import annotations

import ctypes.util
import functools
import os
import platform
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gattn_tg.errors import GattnError, UnsupportedError
from gattn_tg.later import Later
from gattn_tg.machine import cache, pairs, toolchain
from gattn_tg.machine import sizes as plan_table

if TYPE_CHECKING:
    from importlib import metadata
else:
    metadata = Later("importlib.metadata")  # reads mail headers

# GPUs in the order of tinygrad's own search. OpenCL only counts with a GPU behind it: PoCL is the CPU again,
# slower, and one without a linker aborts the process that opens it.
GPUS = ("METAL", "AMD", "NV", "CUDA", "QCOM", "CL")
NAMES = (*GPUS, "CPU", "WEBGPU", "DSP", "NULL", "PYTHON")
PROBE_SECONDS = 60

# Runs in a child: a driver that hangs or aborts takes only the child with it.
_PROBE = """
import sys
from tinygrad import Device, Tensor
name = sys.argv[1]
device = Device[name]
if name == "CL":
    import ctypes
    from tinygrad.runtime.autogen import opencl as cl
    kind = ctypes.c_uint64()
    cl.clGetDeviceInfo(device.device_ids[0], cl.CL_DEVICE_TYPE, 8, ctypes.byref(kind), None)
    print("kind:", "gpu" if kind.value & cl.CL_DEVICE_TYPE_GPU else "cpu")
total = (Tensor([1.0, 2.0, 3.0], device=name) + 1).sum().item()
assert total == 9.0, f"1 + 2 + 3 + 3 gave {total}"
print("arch:", getattr(device, "arch", None) or "")
"""


@dataclass(frozen=True)
class Candidate:
    """One device of tinygrad on this machine.

    Args:
        name: tinygrad's name of the device.
        found: There are signs of it: a driver, a library or a device file.
        works: A sum computed on it was right.
        is_gpu: It is not the CPU under another name.
        reason: Why it is absent or does not work; empty when it works.
        arch: What tinygrad says it compiles for.
        seconds: Duration of the probe.
    """

    name: str
    found: bool
    works: bool
    is_gpu: bool
    reason: str = ""
    arch: str = ""
    seconds: float = 0.0


def choose(name: str | None = None) -> str:
    """The device to run on, as tinygrad spells it in DEV.

    Args:
        name: The user's wish (`CPU`, `cuda`, `cuda:0`, `CPU:LLVM`), taken as it is; None takes the first working GPU,
            else the CPU.

    Raises:
        UnsupportedError: tinygrad has no device of this name, or one with a number above 0 is asked for, which DEV
            cannot say.
    """
    if name:
        device = kind_of(name)
        if device not in NAMES:
            raise UnsupportedError(
                f"device: expected one of {', '.join(NAMES)}, got {name!r}; `gattn doctor` lists what works here"
            )
        _, _, rest = name.rpartition("+")[2].partition(":")
        if rest.isdecimal():
            if int(rest):
                raise UnsupportedError(
                    f"device: expected a device without a number, got {name!r}; training takes one by its number "
                    f"from its list of devices, here {device}:{int(rest)}"
                )
            name = name.removesuffix(f":{rest}")
        return name if device in name else name.upper()
    return next((c.name for c in map(probe, present()) if c.works and c.is_gpu), "CPU")


def kind_of(name: str) -> str:
    """The device in a value of DEV: `CPU` in `cpu:llvm`, `AMD` in `PCI+AMD`."""
    return name.split("+")[-1].split(":")[0].upper()


def present() -> tuple[str, ...]:
    """GPUs with signs of life on this machine, found without opening them."""
    return tuple(name for name in GPUS if not _absence(name))


@functools.cache
def probe(name: str) -> Candidate:
    """Opens a device in a child process, computes a sum there and reports."""
    start = time.perf_counter()
    if reason := _absence(name):
        return Candidate(name, found=False, works=False, is_gpu=name != "CPU", reason=reason)
    if name == "CPU":
        try:
            toolchain.require()
        except GattnError as error:
            return Candidate(name, found=True, works=False, is_gpu=False, reason=str(error))
    environment = toolchain.environment(DEV=name, DEBUG="0")
    command = [sys.executable, "-c", _PROBE, name]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PROBE_SECONDS, check=False, env=environment
        )
        reason, said = _failure(done.returncode, done.stderr), done.stdout
    except subprocess.TimeoutExpired:
        reason, said = f"did not answer within {PROBE_SECONDS} s", ""
    answers = dict(line.split(": ", 1) for line in said.splitlines() if ": " in line)
    return Candidate(
        name,
        found=True,
        works=not reason,
        is_gpu=name != "CPU" and answers.get("kind") != "cpu",
        reason=reason,
        arch=answers.get("arch", ""),
        seconds=round(time.perf_counter() - start, 3),
    )


def report(wish: str | None = None) -> dict[str, object]:
    """Everything `gattn doctor` says, as plain values that JSON can hold.

    Args:
        wish: the device that is asked for; None asks for what the variable DEV says.
    """
    candidates = [probe(name) for name in (*GPUS, "CPU")]
    compiler = toolchain.find()
    setting = toolchain.variable("DEV")
    return {
        "device": {"chosen": choose(wish or setting), "DEV": setting, "candidates": [asdict(c) for c in candidates]},
        "compiler": None if compiler is None else {**asdict(compiler), "version": toolchain.version(compiler)},
        "compiler_help": "" if compiler else 'pip install "gattn_tg[cpu]"',
        "cpu": {
            "machine": platform.machine(),
            "cores": cores(),
            "vector_bits": toolchain.vector_bits(),
            "vectors": toolchain.vector_name(),
            "pairs": {"available": list(pairs.available()), "used": pairs.chosen()},
        },
        "plan": plan_table.report(),
        "cache": _kept(),
        "versions": {
            "python": platform.python_version(),
            **{name: _version(name) for name in ("gattn_tg", "tinygrad", "numpy")},
        },
        "extras": extras(),
    }


def _kept() -> dict[str, Any]:
    """Where kernels are kept on disk and how many, or why they are not."""
    reason = "GATTN_CACHE=0 says so" if cache.is_off() else cache.refusal()
    entries, size = cache.Store(cache.folder()).size() if not reason else (0, 0)
    return {"folder": str(cache.folder()), "refusal": reason, "entries": entries, "bytes": size}


def extras() -> list[dict[str, str | None]]:
    """Optional packages: the extra, the package, its version here or None, and the command that brings it."""
    found: list[dict[str, str | None]] = []
    for line in metadata.requires("gattn_tg") or [] if _version("gattn_tg") else []:
        requirement, _, condition = line.partition(";")
        if "extra ==" not in condition:
            continue
        extra = condition.split("extra ==")[1].strip().strip("'\")")
        package = requirement.strip()
        for mark in "<>=!~[ ":
            package = package.split(mark)[0]
        row = {"extra": extra, "package": package, "version": _version(package)}
        found.append({**row, "install": None if row["version"] else f'pip install "gattn_tg[{extra}]"'})
    return found


def cores() -> int:
    """CPU cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _absence(name: str) -> str:
    """Why a device cannot be there, told from files and libraries only; empty when it may be."""
    match name:
        case "METAL":
            return "" if sys.platform == "darwin" else "Apple systems only"
        case "AMD":
            return "" if Path("/dev/kfd").exists() else "no AMD compute driver (/dev/kfd)"
        case "NV":
            return "" if Path("/dev/nvidiactl").exists() else "no NVIDIA driver (/dev/nvidiactl)"
        case "CUDA":
            return "" if ctypes.util.find_library("cuda") else "no CUDA driver library (libcuda)"
        case "QCOM":
            return "" if Path("/dev/kgsl-3d0").exists() else "no Adreno driver (/dev/kgsl-3d0)"
        case "CL":
            library = toolchain.variable("OPENCL_PATH") or ctypes.util.find_library("OpenCL")
            return "" if library else "no OpenCL library (libOpenCL)"
        case _:
            return ""


def _failure(code: int, stderr: str) -> str:
    """What a failed probe said last; empty when it ended well."""
    if code == 0:
        return ""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return lines[-1] if lines else f"the driver ended the process ({code})"
