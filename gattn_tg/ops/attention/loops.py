"""Attention as one kernel each way: the `loops` schedule for CPUs, nothing of size n*m in memory."""

from __future__ import annotations

from tinygrad import Tensor, dtypes

from gattn_tg.kernels.loops import backward as loops_backward
from gattn_tg.kernels.loops import few as loops_few
from gattn_tg.kernels.loops import forward as loops_forward
from gattn_tg.kernels.loops import pair_backward, pair_forward
from gattn_tg.kernels.loops.backward_sizes import BackwardSizes
from gattn_tg.kernels.pairs import unit as pair_unit
from gattn_tg.kernels.tiles.rotation import Rotation
from gattn_tg.kernels.tiles.score import Score
from gattn_tg.machine import cpu
from gattn_tg.ops.attention import anchors
from gattn_tg.ops.attention.broken import without_broken
from gattn_tg.ops.attention.operands import output_cotangent, piece, rotation_of, score_of
from gattn_tg.ops.attention.problem import Problem
from gattn_tg.ops.launch import Output, launch, pieces
from gattn_tg.types import Float

STORED = (dtypes.float32, dtypes.float16, dtypes.bfloat16)
WIDEST = 256


def refuse(problem: Problem) -> str | None:
    """Why this implementation does not serve the call, or None."""
    devices = (problem.q.device,) if isinstance(problem.q.device, str) else problem.q.device
    *_, d, e = problem.sizes
    if any(device.split(":")[0] != "CPU" for device in devices):
        return f"expected operands on a CPU, got {devices[0]}"
    if not cpu.compiles_well():
        return "tinygrad's X86 assembler breaks on its loop nests; unset DEV, or use DEV=CPU:CLANG"
    if problem.relative is not None:
        return "it adds no products by distance (relative=)"
    if (reason := anchors.refuse(problem)) is not None:
        return reason
    if problem.q.dtype not in STORED:
        return f"expected operands of float32, float16 or bfloat16, got {problem.q.dtype}"
    if max(d, e) > WIDEST:
        return f"expected head widths of at most {WIDEST}, got {d} and {e}"
    return _refuse_pieces(problem)


def _refuse_pieces(problem: Problem) -> str | None:
    """Why the operands of a sharded call do not go together: every device must find its rows and heads at hand."""
    (axis, _), *others = (pieces(x) for x in (problem.q, problem.k, problem.v))
    if axis not in (-1, 0, 1) or any(other != axis for other, _ in others):
        axes = [axis, *(other for other, _ in others)]
        return f"expected q, k and v sharded alike, over the batch or over heads, got shards of axes {axes}"
    bias = problem.bias
    per_row = [problem.positions_q, problem.positions_k, problem.lengths, problem.segments_q, problem.segments_k]
    per_row += [] if bias is None else [bias.ids, bias.ids_k]
    if any(x is not None and pieces(x)[0] != (0 if axis == 0 else -1) for x in per_row):
        place = "over the batch like q" if axis == 0 else "nowhere, like the batch of q"
        return f"expected ids, lengths, segments and positions sharded {place}, got some that are not"
    if bias is not None and bias.per_head and pieces(bias.table)[0] != (0 if axis == 1 else -1):
        return "expected a table per head sharded over heads exactly when q is, got one sharded without the other"
    if problem.slopes is not None and pieces(problem.slopes)[0] != (0 if axis == 1 else -1):
        return "expected slopes sharded over heads exactly when q is, got one sharded without the other"
    return None


def run(problem: Problem) -> tuple[Float[Tensor, "b h n e"], Float[Tensor, "b h n"]]:
    """Output and log-sum-exp.

    Numerics: products of the stored values accumulate in float32, softmax and sums are float32. Where the CPU
        multiplies pairs of bfloat16, what is multiplied is rounded to it: turned q and k, probabilities, and slopes.
    """
    if problem.anchors is not None:
        return anchors.run(problem, run)
    _, _, _, n, _, d, e = problem.sizes
    score, tensors = score_of(problem)
    rotation, angles = rotation_of(problem)
    q, k, v = problem.q, problem.k, problem.v
    (b, h, _, _), along = piece(q), max(pieces(q)[0], 0)
    pairs = None if n <= loops_few.FEW else _pairs(d, e, q, k, v)
    outputs = [
        Output((b, h, n, e), v.dtype, along),
        *[Output((b, h, n), dtypes.float32, along)] * 3,
        Output((pair_forward if pairs else loops_forward).scratch_shape(b, h, n, d, e), dtypes.float32),
    ]

    def gradient(cotangents: list[Tensor], outputs: list[Tensor], inputs: list[Tensor]) -> list[Tensor | None]:
        return _gradient(score, rotation, cotangents, outputs, inputs)

    if pairs:
        kernel = pair_forward.kernel(score, rotation, pairs)
    else:
        kernel = (loops_few if n <= loops_few.FEW else loops_forward).kernel(score, rotation)
    o, lse, *_ = launch(kernel, outputs, (q, k, v, *tensors, *angles), gradient)
    return o, lse


def _pairs(d: int, e: int, *operands: Tensor) -> str | None:
    """The instructions for pairs of bfloat16 that serve a call, or None."""
    if d % 2 or e % 2 or any(x.dtype != dtypes.bfloat16 for x in operands):
        return None
    return pair_unit.chosen()


def _gradient(
    score: Score, rotation: Rotation, cotangents: list[Tensor], results: list[Tensor], inputs: list[Tensor]
) -> list[Tensor | None]:
    """Gradients of the inputs (q, k, v, ...) of the forward kernel from its outputs (o, lse, top, inverse, scratch)."""
    o, _, top, inverse, _ = results
    q, k, v, *tensors = inputs
    do, delta = output_cotangent(cotangents, o)
    q, do = without_broken(q), without_broken(do)

    (b, h, n, d), (_, g, m, e), along = piece(q), piece(v), max(pieces(q)[0], 0)
    pairs = None if n <= loops_few.FEW else _pairs(d, e, q, k, v)
    sizes = BackwardSizes(b, h, g, n, m, d, e, is_paired=pairs is not None)
    outputs = [
        Output(sizes.dq_shape, dtypes.float32, along + 1),
        Output((b, g, m, d), k.dtype, along),
        Output((b, g, m, e), v.dtype, along),
        Output(sizes.dtable_shape(score), dtypes.float32, along),
        Output(sizes.scratch_shape, dtypes.float32),
    ]
    kernel = pair_backward.kernel(score, rotation, pairs) if pairs else loops_backward.kernel(score, rotation)
    dq, dk, dv, dtable, _ = launch(kernel, outputs, (q, k, v, do, top, inverse, delta, *tensors))
    dq = dq.sum(0)[:, :, :n, :d].cast(q.dtype)
    gradients: list[Tensor | None] = [dq, dk, dv]
    for name, x in zip((*score.operands, *rotation.operands), tensors, strict=True):
        if name == "table":
            gradients.append(dtable.sum((0, 2) if x.shape[0] > 1 else (0, 1, 2)).reshape(x.shape))
        else:
            gradients.append(None)
    return gradients
