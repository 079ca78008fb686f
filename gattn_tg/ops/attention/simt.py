"""Attention by groups of GPU threads: the `simt` schedule, one kernel forward and two backward, nothing of size n*m."""

from __future__ import annotations

import functools

from tinygrad import Tensor, dtypes

from gattn_tg.kernels.simt import forward as simt_forward
from gattn_tg.kernels.simt import keys as simt_keys
from gattn_tg.kernels.simt import plan as simt_plan
from gattn_tg.kernels.simt import rows as simt_rows
from gattn_tg.kernels.simt.group import Layout
from gattn_tg.kernels.tiles.rotation import Rotation
from gattn_tg.kernels.tiles.score import Score
from gattn_tg.ops.attention import anchors
from gattn_tg.ops.attention.broken import without_broken
from gattn_tg.ops.attention.operands import (
    contained,
    largest_score,
    output_cotangent,
    piece,
    rotation_of,
    score_of,
    table_gradient,
)
from gattn_tg.ops.attention.packing import Packing
from gattn_tg.ops.attention.problem import Problem
from gattn_tg.ops.launch import Output, launch, pieces
from gattn_tg.types import Float

STORED = (dtypes.float32, dtypes.float16, dtypes.bfloat16)
# Where no compiler of the vendor has read these kernels yet; a device leaves this list when a test for it is there.
UNPROVEN = {"METAL": "only their syntax was checked", "QCOM": "OpenCL was proven by another driver"}
Layouts = tuple[Layout, Layout, Layout]  # forward, backward by queries, backward by keys


@functools.cache
def layouts(score: Score, d: int, e: int, device: str) -> Layouts | str:
    """Layouts of the three kernels on a device, or why there is none."""
    machine = simt_plan.machine(device)
    if not machine.has_groups:
        return f"expected a device with groups of threads, got operands on {device}"
    chosen = []
    for name, bytes_of, registers in (
        ("forward", simt_forward.shared_bytes, simt_forward.registers),
        ("backward by queries", simt_rows.shared_bytes, simt_rows.registers),
        ("backward by keys", simt_keys.shared_bytes, simt_keys.registers),
    ):
        shared = functools.partial(bytes_of, d=d, e=e, score=score)
        layout = simt_plan.choose(machine, shared, functools.partial(registers, d=d, e=e))
        if layout is None:
            least = simt_plan.layouts(machine)[-1]
            return (
                f"expected {shared(least)} bytes of shared memory and {registers(least, d, e)} registers a thread for "
                f"its smallest tile ({name}, head widths {d} and {e}, {score.columns} table columns), got {device} "
                f"with {machine.shared_bytes} and {simt_plan.MOST_REGISTERS}"
            )
        chosen.append(layout)
    return chosen[0], chosen[1], chosen[2]


def refuse(problem: Problem) -> str | None:
    """Why this implementation does not serve the call, or None."""
    if problem.relative is not None:
        return "it adds no products by distance (relative=)"
    if (reason := anchors.refuse(problem)) is not None:
        return reason
    devices = (problem.q.device,) if isinstance(problem.q.device, str) else problem.q.device
    *_, d, e = problem.sizes
    if problem.q.dtype not in STORED:
        return f"expected operands of float32, float16 or bfloat16, got {problem.q.dtype}"
    machine = simt_plan.machine(devices[0])
    if machine.has_groups and problem.q.dtype not in machine.stored:
        return f"expected a dtype that {devices[0]} stores here, got {problem.q.dtype.name}"
    axes = {pieces(x)[0] for x in (problem.q, problem.k, problem.v)}
    if len(axes) > 1 or axes - {-1, 0, 1}:
        return f"expected q, k and v sharded alike, over the batch or over heads, got shards of axes {axes}"
    score = largest_score(problem)
    if machine.is_short_of_buffers and (count := _buffers(score)) > machine.buffers:
        return f"expected a device that binds {count} buffers, got {devices[0]}, which binds {machine.buffers}"
    found = layouts(score, d, e, devices[0])
    return found if isinstance(found, str) else None


def doubt(problem: Problem) -> str | None:
    """Why `auto` does not take this implementation where it may be asked for by name, or None."""
    device = problem.q.device if isinstance(problem.q.device, str) else problem.q.device[0]
    reason = UNPROVEN.get(device.split(":")[0])
    return f"{reason}, nothing ran on {device} yet; impl=\"simt\" takes it nevertheless" if reason else None


def _buffers(score: Score) -> int:
    """Buffers of the kernel that has most, where small operands share: o lse top inverse q k v, or dq sums q k v do."""
    is_map, has_numbers = score.kind.is_map, set(score.operands) - {"table", "ids"}
    shared = is_map + bool(has_numbers)
    return max(7 + 1, 6 + 1) + shared


def run(problem: Problem) -> tuple[Float[Tensor, "b h n e"], Float[Tensor, "b h n"]]:
    """Output and log-sum-exp.

    Numerics: products of the stored values accumulate in float32, softmax and sums are float32.
    """
    if problem.anchors is not None:
        return anchors.run(problem, run)
    _, _, _, n, _, d, e = problem.sizes
    problem, marks = contained(problem)
    score, tensors = score_of(problem, marks)
    rotation, angles = rotation_of(problem)
    q, k, v = problem.q, problem.k, problem.v
    device = q.device if isinstance(q.device, str) else q.device[0]
    found = layouts(score, d, e, device)
    assert not isinstance(found, str)
    (b, h, _, _), along = piece(q), max(pieces(q)[0], 0)
    outputs = [Output((b, h, n, e), v.dtype, along), *[Output((b, h, n), dtypes.float32, along)] * 3]
    inputs = (q, k, v, *tensors, *angles)
    packing = Packing(inputs, 3, simt_plan.machine(device).is_short_of_buffers)

    def gradient(cotangents: list[Tensor], made: list[Tensor], given: list[Tensor]) -> list[Tensor | None]:
        return packing.gradients(_gradient(score, rotation, found, cotangents, made, packing.unpack(given)))

    kernel = packing.kernel(simt_forward.kernel(score, rotation, found[0]), [x.shape for x in outputs])
    o, lse, *_ = launch(kernel, outputs, packing.pack(inputs), gradient)
    return o, lse


def _gradient(
    score: Score, rotation: Rotation, layouts: Layouts, cotangents: list[Tensor], made: list[Tensor],
    given: list[Tensor],
) -> list[Tensor | None]:  # fmt: skip
    """Gradients of q, k, v and the operands of score and rotation, from those of the outputs o, lse, top, inverse."""
    o, _, top, inverse = made
    q, k, v, *tensors = given
    do, delta = output_cotangent(cotangents, o)
    do = without_broken(do)

    (b, h, n, d), (_, g, m, e), along = piece(q), piece(v), max(pieces(q)[0], 0)
    read = (q, k, v, do, top, inverse, delta, *tensors)
    columns = score.columns
    by_rows = [Output((b, h, n, d), q.dtype, along)]
    by_rows += [Output((b, h, n, columns), dtypes.float32, along)] if columns else []
    by_keys = [Output((b, g, m, d), k.dtype, along), Output((b, g, m, e), v.dtype, along)]
    device = q.device if isinstance(q.device, str) else q.device[0]
    packing = Packing(read, 4, simt_plan.machine(device).is_short_of_buffers)
    buffers = packing.pack(read)
    rows = packing.kernel(simt_rows.kernel(score, rotation, layouts[1]), [x.shape for x in by_rows])
    keys = packing.kernel(simt_keys.kernel(score, rotation, layouts[2]), [x.shape for x in by_keys])
    dq, *sums = launch(rows, by_rows, buffers)
    dk, dv = launch(keys, by_keys, buffers)
    named = dict(zip((*score.operands, *rotation.operands), tensors, strict=True))
    # a broken number has the gradient of its row: nan, or 0 where nothing sees it
    found = {"broken_q": dq[..., 0].cast(dtypes.float32), "broken_k": dk[..., 0].cast(dtypes.float32)}
    if columns:
        found["table"] = table_gradient(score, sums[0], named, named["table"])
    return [dq, dk, dv, *(found.get(name) for name in named)]
