"""Kernels rendered for devices that are not here: the source text that a device's compiler would get."""

from __future__ import annotations

import re
import sys
import types
from dataclasses import dataclass
from unittest import mock

from tinygrad import Tensor, UOp, dtypes
from tinygrad.codegen import to_program
from tinygrad.device import Compiler
from tinygrad.dtype import AddrSpace
from tinygrad.helpers import Target
from tinygrad.renderer.cstyle import CUDARenderer, HIPRenderer, MetalRenderer, OpenCLRenderer
from tinygrad.renderer.wgsl import WGSLRenderer
from tinygrad.uop.ops import Ops

from gattn_tg.kernels.simt import forward as simt_forward
from gattn_tg.kernels.simt import keys as simt_keys
from gattn_tg.kernels.simt import plan as simt_plan
from gattn_tg.kernels.simt import rows as simt_rows
from gattn_tg.kernels.tiles.kinds import KINDS
from gattn_tg.kernels.tiles.rotation import OPERANDS, Rotation
from gattn_tg.kernels.tiles.score import Score
from gattn_tg.ops.attention.packing import Packing

# device: renderer, and where it takes its compiler from, which needs libraries of the vendor
RENDERERS = {
    "CUDA": (CUDARenderer, "tinygrad.runtime.support.compiler_cuda.NVRTCCompiler"),
    "METAL": (MetalRenderer, "tinygrad.runtime.ops_metal.MetalCompiler"),
    "AMD": (HIPRenderer, "tinygrad.runtime.support.compiler_amd.HIPCompiler"),
    "WEBGPU": (WGSLRenderer, None),
    "CL": (OpenCLRenderer, None),
}
OUTPUTS = {"forward": lambda _: 4, "rows": lambda score: 1 + bool(score.columns), "keys": lambda _: 2}
PASSES = {"forward": simt_forward, "rows": simt_rows, "keys": simt_keys}

# What ROCm's device libraries define, by the builtins of the compiler, so that clang alone makes a whole program.
ROCM = """
typedef long unsigned int size_t;
#define OURS(type, name) extern "C" __attribute__((device)) inline type name
OURS(size_t, __ockl_get_local_id)(unsigned int) { return __builtin_amdgcn_workitem_id_x(); }
OURS(size_t, __ockl_get_group_id)(unsigned int i) {
  return i == 0   ? __builtin_amdgcn_workgroup_id_x()
         : i == 1 ? __builtin_amdgcn_workgroup_id_y()
                  : __builtin_amdgcn_workgroup_id_z();
}
OURS(float, __ocml_exp2_f32)(float x) { return __builtin_exp2f(x); }
OURS(float, __ocml_log2_f32)(float x) { return __builtin_log2f(x); }
"""


@dataclass(frozen=True)
class Rendered:
    """One kernel as text.

    Args:
        name, source: what the compiler gets.
        threads: threads of a group.
        buffers: operands in memory.
        shared_bytes: shared memory that the text declares.
        planned_bytes: what the plan counted on.
    """

    name: str
    source: str
    threads: int
    buffers: int
    shared_bytes: int
    planned_bytes: int


def renderer(device, arch):
    """The renderer of a device without its compiler."""
    kind, compiler = RENDERERS[device]
    if compiler is None:
        return kind(Target(device=device, arch=arch))
    module, name = compiler.rsplit(".", 1)
    others = dict.fromkeys(("HIPCCCompiler", "NVCCCompiler"))  # named beside it
    nothing = types.SimpleNamespace(**others, **{name: lambda *_, **__: Compiler(None)})
    with mock.patch.dict(sys.modules, {module: nothing}):
        return kind(Target(device=device, arch=arch))


def operands(which, score, rotation, n, d, dtype, h=2, g=1, b=1):
    """Placeholders of the operands of one pass, in its order."""
    q, k, row = (b, h, n, d), (b, g, n, d), (b, h, n)
    shapes = {
        "forward": [(q, dtype), *[(row, dtypes.float32)] * 3, (q, dtype), (k, dtype), (k, dtype)],
        "rows": [(q, dtype)],
        "keys": [(k, dtype), (k, dtype)],
    }[which]
    if which == "rows" and score.columns:
        shapes.append(((b, h, n, score.columns), dtypes.float32))
    if which != "forward":
        shapes += [(q, dtype), (k, dtype), (k, dtype), (q, dtype), *[(row, dtypes.float32)] * 3]
    axes = (score.classes,) * score.kind.axes
    of_score = {"table": ((1, *axes), dtypes.float32), "ids": ((b, n, n), dtypes.uint8), "lengths": ((b,), dtypes.int)}
    per_token = dtypes.uint8 if score.kind.is_by_id else dtypes.int
    for name in score.operands:
        shapes.append(of_score.get(name, ((b, n), per_token if name.startswith("ids") else dtypes.int)))
    shapes += [((1, n, rotation.channels // 2), dtypes.float32)] * len(OPERANDS if rotation.channels else ())
    return [UOp.placeholder(shape, kind, slot) for slot, (shape, kind) in enumerate(shapes)]


def render(which, device, arch, score, d, dtype=dtypes.float32, n=256, rotation=None):
    """One pass of the `simt` schedule, with the layout that the plan gives it on that device."""
    rotation, of = Rotation() if rotation is None else rotation, renderer(device, arch)
    module, machine = PASSES[which], simt_plan.of_renderer(of, device)
    layout = simt_plan.choose(
        machine, lambda x: module.shared_bytes(x, d, d, score), lambda x: module.registers(x, d, d)
    )
    assert layout is not None, f"{device}: no layout for {which}, d={d}"
    given = operands(which, score, rotation, n, d, dtype)
    kernel = module.kernel(score, rotation, layout)
    if machine.is_short_of_buffers:
        kernel, given = packed(kernel, given, OUTPUTS[which](score))
    sink = kernel(*given)
    return rendered(to_program(sink, of), module.shared_bytes(layout, d, d, score))


def packed(kernel, given, outputs):
    """The kernel with its small operands in shared buffers, and its buffers."""
    inputs = [Tensor.empty(*x.shape, dtype=x.dtype, device="NULL") for x in given[outputs:]]
    packing = Packing(inputs, 3 if outputs == 4 else 4, True)
    made = [UOp.placeholder(x.shape, x.dtype, outputs + i) for i, x in enumerate(packing.pack(inputs))]
    return packing.kernel(kernel, [x.shape for x in given[:outputs]]), [*given[:outputs], *made]


def rendered(program, planned_bytes):
    """What a program of tinygrad says about itself."""
    _, linear, source, *_ = program.src
    shared = [u for u in linear.src if u.op is Ops.BUFFER and u.addrspace is AddrSpace.LOCAL]
    threads = 1
    for size in (u.src[0].vmax for u in linear.src if u.op is Ops.SPECIAL and u.arg.startswith("l")):
        threads *= size
    return Rendered(
        name=program.arg.function_name,
        source=re.sub(r"\x1b\[\d+m", "", source.arg),
        threads=int(threads),
        buffers=sum(u.op is Ops.PARAM and u.addrspace is AddrSpace.GLOBAL for u in linear.src),
        shared_bytes=sum(u.max_numel() * u.dtype.itemsize for u in shared),
        planned_bytes=planned_bytes,
    )


def scores():
    """The score functions that the lanes go through."""
    return {
        "key": Score(scale=0.125, kind=KINDS["key"], classes=16),
        "pair_causal": Score(scale=0.125, kind=KINDS["pair"], classes=16, is_causal=True),
    }
