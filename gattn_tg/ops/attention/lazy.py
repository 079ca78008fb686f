"""Attention as plain tensor operations: the implementation that runs on every tinygrad device."""

from __future__ import annotations

from tinygrad import Tensor, dtypes

from gattn_tg.ops.attention.bias import MotifBias
from gattn_tg.ops.attention.problem import Problem
from gattn_tg.ops.attention.rope import cos_sin, rotate
from gattn_tg.types import Bool, Float, Int

# Scores are kept inside +-1e30: beyond it float32 sums overflow, and inf - inf would be no number at all.
LIMIT = 1e30


def refuse(problem: Problem) -> str | None:
    """Why this implementation does not serve the call; it serves every one."""
    return None


def run(problem: Problem) -> tuple[Float[Tensor, "b h n e"], Float[Tensor, "b h n"]]:
    """Output and log-sum-exp, `softmax(scale q k^T + bias) v`; memory grows with n m.

    Numerics: products read the input dtype and accumulate in float32, softmax and sums are float32.
    """
    b, h, g, n, m, d, e = problem.sizes
    q, k, v = problem.q, problem.k, problem.v
    if problem.rope is not None:
        at_q, at_k = problem.coordinates()
        q = rotate(q, *cos_sin(problem.rope, d, at_q, q.device), problem.rope.interleaved)
        k = rotate(k, *cos_sin(problem.rope, d, at_k, q.device), problem.rope.interleaved)
    grouped = q.reshape(b, g, h // g, n, d)
    s = grouped.matmul(k.unsqueeze(2).transpose(-1, -2), dtype=dtypes.float32) * problem.scale
    s = s.reshape(b, h, n, m).clamp(-LIMIT, LIMIT)
    if problem.bias is not None:
        s = s + scores(problem, problem.bias).clamp(-LIMIT, LIMIT)
    seen = visible(problem)
    if seen is not None:
        s = seen.where(s, -float("inf"))
    # the maximum only guards exp against overflow: it cancels, so no gradient flows through it
    top = s.max(-1, keepdim=True).detach()
    top = (top == -float("inf")).where(0.0, top)
    p = (s - top).exp()
    total = p.sum(-1, keepdim=True)
    some = total > 0
    safe = some.where(total, 1.0)
    lse = some.where(top + safe.log(), -float("inf")).squeeze(-1)
    p = (p / safe).cast(v.dtype).reshape(b, g, h // g, n, m)
    o = p.matmul(v.unsqueeze(2), dtype=dtypes.float32).cast(v.dtype)
    return o.reshape(b, h, n, e), lse


def visible(problem: Problem) -> Bool[Tensor, "b 1 n m"] | None:
    """Which keys each query sees, broadcastable to (b, h, n, m); None when it sees all."""
    _, _, _, n, m, _, _ = problem.sizes
    i = Tensor.arange(m - n, m, dtype=dtypes.int32).reshape(1, 1, n, 1)
    j = Tensor.arange(m, dtype=dtypes.int32).reshape(1, 1, 1, m)
    left, right = problem.window
    rules = []
    if problem.is_causal:
        rules.append(j <= i)
    if left is not None:
        rules.append(j >= i - left)
    if right is not None:
        rules.append(j <= i + right)
    if problem.lengths is not None:
        rules.append(j < problem.lengths.reshape(-1, 1, 1, 1))
    if problem.segments_q is not None and problem.segments_k is not None:
        rules.append(problem.segments_q.unsqueeze(1).unsqueeze(-1) == problem.segments_k.unsqueeze(1).unsqueeze(1))
    seen = None
    for rule in rules:
        seen = rule if seen is None else seen & rule
    return seen


def scores(problem: Problem, bias: MotifBias) -> Float[Tensor, "b h n m"]:
    """The motif bias of every pair of bases, broadcastable to (b, h, n, m)."""
    table = bias.tied_table()  # (1 or h, t) or (1 or h, t, t)
    if bias.kind == "dense":
        return _look_up(table, bias.ids)
    ids_q, ids_k = problem.ids()
    if bias.kind == "key":
        return _look_up(table, ids_k.unsqueeze(1))
    if bias.kind == "same":
        return (ids_q.unsqueeze(-1) == ids_k.unsqueeze(1)).unsqueeze(1).where(_look_up(table, ids_q.unsqueeze(-1)), 0.0)
    if bias.kind == "between":
        return _look_up(table, occurrences_between(ids_k, problem.q.shape[2]).clamp(0, bias.n_motifs - 1))
    one_hot_q = ids_q.one_hot(bias.n_motifs).cast(dtypes.float32).unsqueeze(1)  # (b, 1, n, t)
    one_hot_k = ids_k.one_hot(bias.n_motifs).cast(dtypes.float32).unsqueeze(1)
    forth = one_hot_q.matmul(table.unsqueeze(0)).matmul(one_hot_k.transpose(-1, -2))
    if bias.kind == "pair":
        return forth
    at_q, at_k = problem.coordinates()
    back = one_hot_q.matmul(table.unsqueeze(0).transpose(-1, -2)).matmul(one_hot_k.transpose(-1, -2))
    return (at_q.unsqueeze(-1) <= at_k.unsqueeze(1)).unsqueeze(1).where(forth, back)


def occurrences_between(ids_k: Int[Tensor, "b m"], n: int) -> Int[Tensor, "b n m"]:
    """Motif occurrences strictly between query i (at key index i + m - n) and key j, from prefix sums."""
    upto, before = occurrence_counts(ids_k)
    m = ids_k.shape[1]
    i = Tensor.arange(m - n, m, dtype=dtypes.int32).reshape(1, n, 1)
    j = Tensor.arange(m, dtype=dtypes.int32).reshape(1, 1, m)
    upto_i, before_i = upto[:, m - n :].unsqueeze(-1), before[:, m - n :].unsqueeze(-1)
    forth, back = before.unsqueeze(1) - upto_i, before_i - upto.unsqueeze(1)
    return (i <= j).where(forth, back).maximum(0)


def occurrence_counts(ids_k: Int[Tensor, "b m"]) -> tuple[Int[Tensor, "b m"], Int[Tensor, "b m"]]:
    """Occurrences that start at or before each base, and strictly before it, int32."""
    ids = ids_k.cast(dtypes.int32)
    previous = ids[:, :-1].pad(((0, 0), (1, 0)))
    starts = ((ids != 0) & (ids != previous)).cast(dtypes.int32)
    upto = starts.cumsum(1)
    return upto, upto - starts


def _look_up(table: Float[Tensor, "h t"], ids: Int[Tensor, "b x y"]) -> Float[Tensor, "b h x y"]:
    """table[head, ids] for every head, as a sum over the table: its gradient is a sum in fixed order."""
    hot = ids.unsqueeze(1).unsqueeze(-1) == Tensor.arange(table.shape[-1], dtype=dtypes.int32)
    return hot.where(table.reshape(1, table.shape[0], 1, 1, -1), 0.0).sum(-1)
