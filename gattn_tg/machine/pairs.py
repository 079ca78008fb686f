"""Instructions for products of paired 16-bit numbers: which of them this CPU has, and which one kernels use.

They multiply two bfloat16 pairs and add both products to a float32 sum: AMX tiles of Intel, AVX512-BF16 of AMD and
Intel, BFMMLA and BFDOT of Arm. A kernel with one of them carries it in its text, so that no other CPU finds it in the
store of compiled kernels.
"""

from __future__ import annotations

import ctypes
import functools
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from gattn_tg.errors import ConfigError
from gattn_tg.machine import toolchain

SETTING = "GATTN_PAIRS"
NONE = "none"
# what Linux must say of the processor; the fastest first
FLAGS = {
    "amx_bf16": ("amx_tile", "amx_bf16", "avx512_bf16", "avx512f"),
    "avx512_bf16": ("avx512_bf16", "avx512f"),
    "arm_bfmmla": ("bf16", "asimd"),
    "arm_bfdot": ("bf16", "asimd"),
}
# arch/x86/include/uapi/asm/prctl.h: the memory for tiles is given to a process that asks for it
ARCH_PRCTL, ARCH_REQ_XCOMP_PERM, TILE_DATA = 158, 0x1023, 18


@functools.cache
def available(cpuinfo: str = "/proc/cpuinfo") -> tuple[str, ...]:
    """The instructions of this CPU that a process may use, the fastest first."""
    flags = toolchain.flags(cpuinfo)
    found = [name for name, needed in FLAGS.items() if flags.issuperset(needed)]
    return tuple(name for name in found if name != "amx_bf16" or _may_use_tiles())


def are_fast(name: str, cpuinfo: str = "/proc/cpuinfo") -> bool:
    """Whether instructions are faster than float32 here.

    VDPBF16PS is not on Intel's processors: an Emerald Rapids starts 1.3 of them in a nanosecond, and 5.3 of the
    multiply-adds of float32 that do half as much each. Those of AMD start one for every multiply-add.
    """
    return name != "avx512_bf16" or "GenuineIntel" not in toolchain.vendor(cpuinfo)


def chosen() -> str | None:
    """The instructions that kernels use; None where there are none that are fast, or where they are not wanted.

    The variable GATTN_PAIRS names others than the fastest ones, or "none".

    Raises:
        ConfigError: GATTN_PAIRS names what this CPU does not have.
    """
    if _Assumed.is_set:
        return _Assumed.name
    names, wish = available(), toolchain.variable(SETTING)
    if wish is not None and wish not in (*names, NONE):
        raise ConfigError(
            f"{SETTING}: expected one of {', '.join((*names, NONE))} on this CPU, got {wish!r}; unset it, or name one"
        )
    return None if wish == NONE else wish or next(filter(are_fast, names), None)


class _Assumed:
    is_set = False
    name: str | None = None


@contextmanager
def assuming(name: str | None) -> Iterator[None]:
    """`chosen` is this inside: None for kernels that leave this machine, a name for tests."""
    before = _Assumed.is_set, _Assumed.name
    _Assumed.is_set, _Assumed.name = True, name
    try:
        yield
    finally:
        _Assumed.is_set, _Assumed.name = before


def _may_use_tiles() -> bool:
    """Asks Linux for the tile registers, once per process; threads and forked processes have them too."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return False
    done: int = ctypes.CDLL(None, use_errno=True).syscall(ARCH_PRCTL, ARCH_REQ_XCOMP_PERM, TILE_DATA)
    return done == 0
