"""Attention as one kernel each way: the `loops` schedule for CPUs, nothing of size n*m in memory."""

from __future__ import annotations

from dataclasses import replace

from tinygrad import Tensor, dtypes

from gattn_tg.kernels.loops import backward as loops_backward
from gattn_tg.kernels.loops import few as loops_few
from gattn_tg.kernels.loops import forward as loops_forward
from gattn_tg.kernels.loops import pair_backward, pair_forward
from gattn_tg.kernels.loops.backward_sizes import BackwardSizes
from gattn_tg.kernels.loops.distances import BEHIND
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
    if (reason := anchors.refuse(problem)) is not None:
        return reason
    if problem.q.dtype not in STORED:
        return f"expected operands of float32, float16 or bfloat16, got {problem.q.dtype}"
    if max(d, e) > WIDEST:
        return f"expected head widths of at most {WIDEST}, got {d} and {e}"
    if (reason := _refuse_relative(problem)) is not None:
        return reason
    return _refuse_pieces(problem)


def _refuse_relative(problem: Problem) -> str | None:
    """Why products by distance are not served, or None."""
    if problem.relative is None:
        return None
    if problem.anchors is not None:
        return "anchors do not go together with products by distance (relative=)"
    if any(x.dtype not in STORED for x in problem.relative):
        return f"expected relative factors of float32, float16 or bfloat16, got {[x.dtype for x in problem.relative]}"
    if problem.relative[0].shape[3] > WIDEST:
        return f"expected relative factors of a width of at most {WIDEST}, got {problem.relative[0].shape[3]}"
    return None


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
    if problem.relative is not None:
        of_q, of_k = (pieces(x)[0] for x in problem.relative)
        if of_q != axis or of_k != (0 if axis == 1 else -1):
            return "expected relative queries sharded as q, and keys over heads exactly when q is, got others"
    if problem.slopes is not None and pieces(problem.slopes)[0] != (0 if axis == 1 else -1):
        return "expected slopes sharded over heads exactly when q is, got one sharded without the other"
    return None


def run(problem: Problem) -> tuple[Float[Tensor, "b h n e"], Float[Tensor, "b h n"]]:
    """Output and log-sum-exp.

    Numerics: products of the stored values accumulate in float32, softmax and sums are float32. Where the CPU
        multiplies pairs of bfloat16, what is multiplied is rounded to it: turned q and k, probabilities, and slopes;
        not in calls with products by distance.
    """
    if problem.anchors is not None:
        return anchors.run(problem, run)
    o, lse, *_ = launched(*operands_of(_by_channel(problem) if problem.relative is not None else problem))
    return o, lse


def operands_of(problem: Problem) -> tuple[Score, Rotation, list[Tensor]]:
    """The score function and the rotation of a call without anchors, and what its forward kernel reads."""
    score, tensors = score_of(problem)
    rotation, angles = rotation_of(problem)
    return score, rotation, [problem.q, problem.k, problem.v, *tensors, *angles]


def launched(score: Score, rotation: Rotation, inputs: list[Tensor]) -> list[Tensor]:
    """The outputs of the forward kernel: o, lse, and per row the largest score, one through the sum, both in the units
    of the kernels; then scratch memory."""
    q, k, v, *_ = inputs
    n, d, e = q.shape[2], q.shape[3], v.shape[3]
    (b, h, _, _), along = piece(q), max(pieces(q)[0], 0)
    is_few = n <= loops_few.FEW and not score.relative
    pairs = None if n <= loops_few.FEW else _pairs(score, q, k, v)
    shape = (b, h, n, d, e)
    outputs = [
        Output((b, h, n, e), v.dtype, along),
        *[Output((b, h, n), dtypes.float32, along)] * 3,
        Output(pair_forward.scratch_shape(*shape) if pairs else loops_forward.scratch_shape(*shape, score.relative),
               dtypes.float32),
    ]

    def gradient(cotangents: list[Tensor], outputs: list[Tensor], inputs: list[Tensor]) -> list[Tensor | None]:
        return gradients(score, rotation, cotangents, outputs, inputs)

    if pairs:
        kernel = pair_forward.kernel(score, rotation, pairs)
    else:
        kernel = (loops_few if is_few else loops_forward).kernel(score, rotation)
    return launch(kernel, outputs, inputs, gradient)


def _by_channel(problem: Problem) -> Problem:
    """The call with its relative keys by channel, (h, c, lanes), padded as the kernels read them."""
    assert problem.relative is not None
    b, h, n, d = piece(problem.q)
    *_, m, _, e = problem.sizes
    of_q, of_k = problem.relative
    most = max(loops_forward.arena(b, h, n, d, e)[0], BackwardSizes(b, h, h, n, m, d, e).rows)
    return replace(problem, relative=(of_q, of_k.pad((None, (most, BEHIND), None)).transpose(1, 2).contiguous()))


def _pairs(score: Score, *operands: Tensor) -> str | None:
    """The instructions for pairs of bfloat16 that serve a call, or None."""
    if score.relative or any(x.shape[-1] % 2 for x in operands) or any(x.dtype != dtypes.bfloat16 for x in operands):
        return None
    return pair_unit.chosen()


def gradients(
    score: Score, rotation: Rotation, cotangents: list[Tensor], results: list[Tensor], inputs: list[Tensor]
) -> list[Tensor | None]:
    """Gradients of the inputs (q, k, v, ...) of the forward kernel from its outputs (o, lse, top, inverse, scratch)."""
    o, _, top, inverse, _ = results
    q, k, v, *tensors = inputs
    do, delta = output_cotangent(cotangents, o)
    q, do = without_broken(q), without_broken(do)
    names = (*score.operands, *rotation.operands)
    given = [without_broken(x) if name == "relative_q" else x for name, x in zip(names, tensors, strict=True)]

    (b, h, n, d), (_, g, m, e), along = piece(q), piece(v), max(pieces(q)[0], 0)
    pairs = None if n <= loops_few.FEW else _pairs(score, q, k, v)
    sizes = BackwardSizes(b, h, g, n, m, d, e, is_paired=pairs is not None, c=score.relative)
    outputs = [
        Output(sizes.dq_shape, dtypes.float32, along + 1),
        Output((b, g, m, d), k.dtype, along),
        Output((b, g, m, e), v.dtype, along),
        Output(sizes.dtable_shape(score), dtypes.float32, along),
        Output(sizes.scratch_shape, dtypes.float32),
    ]
    if score.relative:
        of_q, of_k = sizes.distance_shapes
        outputs += [Output(of_q, dtypes.float32, along + 1), Output(of_k, dtypes.float32, along)]
    kernel = pair_backward.kernel(score, rotation, pairs) if pairs else loops_backward.kernel(score, rotation)
    dq, dk, dv, dtable, _, *of_distances = launch(kernel, outputs, (q, k, v, do, top, inverse, delta, *given))
    found: dict[str, Tensor] = {}
    for name, x in zip(names, tensors, strict=True):
        if name == "table":
            found[name] = dtable.sum((0, 2) if x.shape[0] > 1 else (0, 1, 2)).reshape(x.shape)
        elif name == "relative_q":
            found[name] = of_distances[0].sum(0)[:, :, :n, : x.shape[3]].cast(x.dtype)
        elif name == "relative_k":
            first = sizes.padded_n - n  # distances between padded queries and keys come before and after
            of_keys = of_distances[1].sum((0, 2))[:, first : first + n + m - 1, : x.shape[1]].cast(x.dtype)
            before = x.shape[2] - BEHIND - (n + m - 1)
            found[name] = of_keys.transpose(1, 2).pad((None, None, (before, BEHIND)))
    return [dq.sum(0)[:, :, :n, :d].cast(q.dtype), dk, dv, *(found.get(name) for name in names)]
