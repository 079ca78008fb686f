"""Which loops of tinygrad's own kernels are unrolled on a CPU: long sums of products, and nothing else.

tinygrad unrolls and widens the loops of every kernel by the same rules, which were made for GPUs. On a CPU the compiler
does it better: it widens a plain loop over elements to whole registers, and calls nothing element by element. So a
kernel keeps its loops, and is shared out over threads alone, unless it sums products of two operands, as a matrix
product does, where unrolling lets them be read once and used often. A small one keeps them even then: it runs in
microseconds, while lowering its unrolled form takes up to seconds. Measured by `bench/kernels/unrolling.py`.
"""

from __future__ import annotations

import functools
from math import prod

from tinygrad.codegen.opt import KernelOptError, Opt, OptOps, heuristic
from tinygrad.codegen.opt.postrange import Scheduler
from tinygrad.renderer import cstyle, llvmir
from tinygrad.uop.ops import AxisType, Ops

SMALL = 1 << 15  # steps of all loops together: some 20 microseconds
PER_THREAD = 1 << 17  # steps that are worth a thread, as in tinygrad
COMPILED = (cstyle.ClangRenderer, llvmir.CPULLVMRenderer)  # what a compiler that widens loops reads
tinygrads = heuristic.hand_coded_optimizations


@functools.cache
def install() -> None:
    """Puts `optimized` where tinygrad 0.14 looks for its own rules; works once."""
    heuristic.hand_coded_optimizations = optimized


def optimized(kernel: Scheduler) -> Scheduler:
    """The kernel with its loops unrolled, widened and shared out."""
    steps = prod(axis.vmax + 1 for axis in kernel.rngs)
    if not isinstance(kernel.ren, COMPILED) or (steps > SMALL and sums_products(kernel)):
        return tinygrads(kernel)
    return threaded(kernel.copy(), int(steps))


def sums_products(kernel: Scheduler) -> bool:
    """Whether a reduction of the kernel adds products of two operands; a square has one."""
    terms = [x.src[0] for x in kernel.ast.backward_slice if x.op is Ops.REDUCE]
    terms = [x.src[0] if x.op is Ops.CAST else x for x in terms]
    return any(x.op is Ops.MUL and x.src[0] is not x.src[1] for x in terms)


def threaded(kernel: Scheduler, steps: int) -> Scheduler:
    """The kernel with its first loop that can be cut into equal parts on so many threads as have enough to do."""
    cores = kernel.ren.global_max[0] if kernel.ren.has_threads else 1
    most = min(cores, steps // PER_THREAD)
    for threads in range(most, 1, -1):
        for axis in kernel.axes_of(AxisType.WEAK):
            if kernel.full_shape[axis] % threads == 0:
                try:
                    kernel.apply_opt(Opt(OptOps.THREAD, axis, threads))
                    return kernel
                except KernelOptError:
                    pass
    return kernel
