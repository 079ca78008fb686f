"""Attention by matrix units: the `mma` schedule, one kernel forward and two backward, nothing of size n*m."""

from __future__ import annotations

import functools

from tinygrad import Tensor, dtypes
from tinygrad.dtype import DType

from gattn_tg.kernels.mma import backward as mma_backward
from gattn_tg.kernels.mma import forward as mma_forward
from gattn_tg.kernels.mma import plan as mma_plan
from gattn_tg.kernels.mma.plan import Plan
from gattn_tg.kernels.tiles.score import Score
from gattn_tg.kernels.tiles.tile import ceildiv
from gattn_tg.ops.attention import anchors
from gattn_tg.ops.attention.broken import without_broken
from gattn_tg.ops.attention.operands import contained, largest_score, output_cotangent, piece, score_of, table_gradient
from gattn_tg.ops.attention.problem import Problem
from gattn_tg.ops.attention.rope import cos_sin, rotate
from gattn_tg.ops.launch import Output, launch, pieces
from gattn_tg.types import Float

STEP = 16  # head widths are padded with zeros to multiples of it
# Where no compiler of the vendor has read these kernels yet; a device leaves this list when a test for it is there.
UNPROVEN = {"METAL": "only their syntax was checked", "AMD": "only those for CDNA were compiled"}


@functools.cache
def plan(score: Score, d: int, e: int, device: str, dtype: DType) -> Plan | str:
    """Fragment and layouts of the three kernels on a device, or why there are none."""
    return mma_plan.plan(mma_plan.machine(device), score, _padded(d), _padded(e), dtype)


def refuse(problem: Problem) -> str | None:
    """Why this implementation does not serve the call, or None."""
    if problem.relative is not None:
        return "it adds no products by distance (relative=)"
    if (reason := anchors.refuse(problem)) is not None:
        return reason
    *_, d, e = problem.sizes
    axes = {pieces(x)[0] for x in (problem.q, problem.k, problem.v)}
    if len(axes) > 1 or axes - {-1, 0, 1}:
        return f"expected q, k and v sharded alike, over the batch or over heads, got shards of axes {axes}"
    found = plan(largest_score(problem), d, e, _device(problem.q), problem.q.dtype)
    return found if isinstance(found, str) else None


def doubt(problem: Problem) -> str | None:
    """Why `auto` does not take this implementation where it may be asked for by name, or None."""
    reason = UNPROVEN.get(_device(problem.q).split(":")[0])
    return f"{reason}, nothing ran on such a device yet; impl=\"mma\" takes it nevertheless" if reason else None


def run(problem: Problem) -> tuple[Float[Tensor, "b h n e"], Float[Tensor, "b h n"]]:
    """Output and log-sum-exp.

    Numerics: products read the dtype of the operands, rotated q and k, probabilities and score gradients rounded to it,
    and accumulate in float32; softmax and sums are float32.
    """
    if problem.anchors is not None:
        return anchors.run(problem, run)
    *_, d, e = problem.sizes
    problem, marks = contained(problem)
    score, tensors = score_of(problem, marks)
    found = plan(score, d, e, _device(problem.q), problem.q.dtype)
    assert not isinstance(found, str)
    q, k = _rotated(problem)
    q, k, v = (_pad(x) for x in (q, k, problem.v))
    (b, h, n, _), along = piece(q), max(pieces(q)[0], 0)
    outputs = [Output((b, h, n, v.shape[-1]), v.dtype, along), *[Output((b, h, n), dtypes.float32, along)] * 3]

    def gradient(cotangents: list[Tensor], made: list[Tensor], given: list[Tensor]) -> list[Tensor | None]:
        return _gradient(score, found, cotangents, made, given)

    o, lse, *_ = launch(
        mma_forward.kernel(score, found.fragment, found.forward), outputs, (q, k, v, *tensors), gradient
    )
    return o[..., :e], lse


def _gradient(
    score: Score, plan: Plan, cotangents: list[Tensor], made: list[Tensor], given: list[Tensor]
) -> list[Tensor | None]:
    """Gradients of q, k, v and the operands of the score, from those of the outputs o, lse, top, inverse."""
    o, _, top, inverse = made
    q, k, v, *tensors = given
    do, delta = output_cotangent(cotangents, o)
    do = without_broken(do)

    (b, h, n, d), (_, g, m, e), along = piece(q), piece(v), max(pieces(q)[0], 0)
    read = (q, k, v, do.cast(q.dtype), top, inverse, delta, *tensors)
    columns = score.columns
    by_rows = [Output((b, h, n, d), q.dtype, along)]
    by_rows += [Output((b, h, n, columns), dtypes.float32, along)] if columns else []
    by_keys = [Output((b, g, m, d), k.dtype, along), Output((b, g, m, e), v.dtype, along)]
    dq, *sums = launch(mma_backward.rows_kernel(score, plan.fragment, plan.rows), by_rows, read)
    dk, dv = launch(mma_backward.keys_kernel(score, plan.fragment, plan.keys), by_keys, read)
    named = dict(zip(score.operands, tensors, strict=True))
    # a broken number has the gradient of its row: nan, or 0 where nothing sees it
    found = {"broken_q": dq[..., 0].cast(dtypes.float32), "broken_k": dk[..., 0].cast(dtypes.float32)}
    if columns:
        found["table"] = table_gradient(score, sums[0], named, named["table"])
    return [dq, dk, dv, *(found.get(name) for name in named)]


def _rotated(problem: Problem) -> tuple[Tensor, Tensor]:
    """q and k turned once each, by plain operations: groups of queries would turn every key again."""
    if problem.rope is None:
        return problem.q, problem.k
    d, device, is_interleaved = problem.q.shape[-1], problem.q.device, problem.rope.interleaved
    at_q, at_k = problem.coordinates()
    of_k = cos_sin(problem.rope, d, at_k, device)
    is_same = problem.turns_alike
    of_q = of_k if is_same else cos_sin(problem.rope, d, at_q, device)
    return rotate(problem.q, *of_q, is_interleaved), rotate(problem.k, *of_k, is_interleaved)


def _pad(x: Float[Tensor, "b h n d"]) -> Float[Tensor, "b h n p"]:
    width = _padded(x.shape[-1])
    return x if width == x.shape[-1] else x.pad((None, None, None, (0, width - x.shape[-1])))


def _padded(width: int) -> int:
    return ceildiv(width, STEP) * STEP


def _device(x: Tensor) -> str:
    return x.device if isinstance(x.device, str) else x.device[0]
