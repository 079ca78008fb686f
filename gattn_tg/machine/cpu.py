"""tinygrad's CPU device as gattn_tg uses it: full vector width, all cores, a clear word when no compiler is there."""

from __future__ import annotations

import functools
import struct
import subprocess
from typing import Any, ClassVar

from tinygrad import Device, dtypes
from tinygrad.dtype import AddrSpace, float_to_bf16
from tinygrad.helpers import DEV, PARALLEL
from tinygrad.renderer import cstyle, llvmir
from tinygrad.runtime import ops_cpu
from tinygrad.uop.ops import Ops, PatternMatcher, UOp, UPat

from gattn_tg.machine import arguments, beside, passes, programs, threads, toolchain, unrolling
from gattn_tg.machine.devices import cores

# clang is let unroll loops: with -fno-unroll-loops it takes half the time, but attention takes four times as long, as
# private arrays stay in registers only where the loops over them are gone (EPYC, two threads, n 1024 and 4096).
# clang 15 compares float16 in registers of float16 where the machine can (AVX512-FP16) and, when it is short of
# registers, takes `a < b` for `b < a`: gradients of float16 came out wrong. Our arithmetic is float32 anyway.
NO_HALF_REGISTERS = "-avx512fp16"
# tinygrad compiles kernels in freshly started Python processes; up to this many cores, starting them takes longer than
# it saves (73 kernels of a first training step on two cores: 11.9 s, in this process 9.1 s).
FEW_CORES = 4
CACHE_LINE_BYTES = 64
NATIVE = "native"  # an architecture in DEV


class ClangRenderer(cstyle.ClangRenderer):  # type: ignore[misc]
    """tinygrad's C, with bfloat16 stored as the integer of its bits: clang before 15 has no __bf16 on x86.

    tinygrad converts through the bits either way. Private arrays start on cache lines: clang alone aligns them to 16
    bytes, and attention loses 5% to vectors that straddle two lines. The class keeps its name, which is what
    `DEV=CPU:CLANG` means, and stands in a module, where tinygrad's compiler processes find it.
    """

    type_map: ClassVar = {**cstyle.ClangRenderer.type_map, dtypes.bfloat16: "unsigned short"}
    string_rewrite = (
        PatternMatcher([(UPat.cvar("c").cast(dtypes.bfloat16), lambda c: f"{_bits(c.val)}u")])
        + cstyle.ClangRenderer.string_rewrite
    )
    extra_matcher = cstyle.ClangRenderer.extra_matcher + arguments.core_last

    def render_index(self, x: UOp, buf: UOp, idx: UOp) -> str:
        """An address: the terms of a sum are added to the pointer one by one.

        As one 32-bit sum, of which clang does not know that it fits, it is widened anew for every load: in a product
        that reads scratch memory of its part, twenty more instructions beside 24 multiply-adds.
        """
        if buf.addrspace == AddrSpace.ALU or not self._is_sum(idx):
            return str(super().render_index(x, buf, idx))
        return f"({self[buf]}+{'+'.join(self._terms(idx))})"

    def _is_sum(self, x: UOp) -> bool:
        """Whether this is a sum that stands where it is used, not in a variable of its own."""
        return x.op is Ops.ADD and x.dtype == dtypes.int and self[x].startswith("(")

    def _terms(self, x: UOp) -> list[str]:
        return [t for y in x.src for t in self._terms(y)] if self._is_sum(x) else [self[x]]

    def render_buffer(self, x: UOp) -> str:
        """The declaration of a private array."""
        declared = str(super().render_buffer(x))
        is_long = x.max_numel() * x.dtype.itemsize >= CACHE_LINE_BYTES
        return f"__attribute__((aligned({CACHE_LINE_BYTES}))) {declared}" if is_long else declared


class CPULLVMRenderer(llvmir.CPULLVMRenderer):  # type: ignore[misc]
    """tinygrad's LLVM, with arguments in the order of the call; keeps its name like `ClangRenderer`."""

    extra_matcher = llvmir.CPULLVMRenderer.extra_matcher + arguments.core_last


_OURS = {cstyle.ClangRenderer: ClangRenderer, llvmir.CPULLVMRenderer: CPULLVMRenderer}
_open = ops_cpu.CPUDevice.__init__
programs.install()  # both here and not in `install`: tinygrad's compiler processes load no more than this module
unrolling.install()
passes.install()


@functools.cache
def install() -> None:
    """Prepares every CPU device of this process, those open already and those opened later; works once.

    This changes tinygrad for the whole process, as soon as an operation of `gattn_tg` is imported: kernels on CPUs,
    also those of other code, run on all cores that the process may use, with 512-bit vectors where the machine has
    them, with loops that the compiler widens and with bfloat16 stored as bits; compiled kernels are kept in a checked
    store on disk; lowering leaves out work that changes nothing (`passes.py`), for all devices; and on machines of few
    cores kernels are lowered in this process, with the compiler beside it. Results of other code may therefore differ
    in the last bits. Nothing else of tinygrad changes, and `import gattn_tg` alone changes nothing.

    A DEV that names an architecture itself (`DEV=CPU::x86_64,znver4`) keeps it: tinygrad asks the device only for
    what DEV leaves open.
    """
    threads.install()
    if cores() <= FEW_CORES and toolchain.variable("PARALLEL") is None:
        PARALLEL.value = 0
        beside.install()
    for name in Device._opened_devices:
        if name.split(":")[0] == "CPU":
            prepare(Device[name])
    ops_cpu.CPUDevice.__init__ = _open_wide
    arguments.install()


def compiles_well() -> bool:
    """True where CPU kernels go through a compiler; tinygrad's own X86 assembler (0.14) breaks on our loop nests."""
    return DEV.target("CPU").renderer in ("", "CLANG", "LLVM")


def compiles_natively() -> bool:
    """True where CPU kernels are C for the very processor of this machine, so that they may name its instructions."""
    target = DEV.target("CPU")
    return target.renderer in ("", "CLANG") and (not target.arch or NATIVE in target.arch.split(","))


def prepare(device: Any) -> None:
    """Lets the kernels of one CPU device use bfloat16, and 512-bit vectors where the machine has them."""
    device.renderers = [_OURS.get(r, r) for r in device.renderers]
    arch, renderer = device.arch, DEV.target("CPU").renderer
    if renderer not in ("", "CLANG") or not arch.startswith("x86_64") or toolchain.FULL_WIDTH in arch:
        return  # options of clang, which LLVM alone does not know
    if toolchain.vector_bits() == 512:
        known = toolchain.HALF_REGISTERS in toolchain.flags() and toolchain.accepts(f"-mno{NO_HALF_REGISTERS}")
        half = [NO_HALF_REGISTERS] if known else []  # an older clang has no such registers, and refuses the option
        device.arch = ",".join([arch, toolchain.FULL_WIDTH, *half])


def _bits(value: float) -> int:
    """The bfloat16 pattern of a constant."""
    return int(struct.unpack("I", struct.pack("f", float_to_bf16(value)))[0]) >> 16


def _open_wide(self: Any, device: str = "") -> None:
    try:
        _open(self, device)
    except (OSError, subprocess.CalledProcessError):
        toolchain.require()  # says which compiler is missing and how to get one
        raise
    prepare(self)
