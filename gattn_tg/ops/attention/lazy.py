"""Attention as plain tensor operations: the implementation that runs on every tinygrad device."""

from __future__ import annotations

import math
from collections.abc import Callable

from tinygrad import Tensor, dtypes

from gattn_tg.ops.attention import anchors
from gattn_tg.ops.attention.bias import MotifBias, occurrence_counts
from gattn_tg.ops.attention.broken import broken, without_broken
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

    Numerics: products of the stored values, softmax and sums are float32. The gradient is tinygrad's own: a NaN in the
        gradient of o, of a row that has none itself, makes NaN of dv of all keys of its head, also of those that the
        row does not see. The kernels of the other implementations pass it to those that it sees.
    """
    b, h, g, n, m, d, _ = problem.sizes
    of_q, of_k, of_v = (x.cast(dtypes.float32) for x in (problem.q, problem.k, problem.v))
    q, k, v = (without_broken(x) for x in (of_q, of_k, of_v))
    if problem.rope is not None:
        at_q, at_k = problem.coordinates()
        # turned once and stored: inside the products each pair would be turned again for every score, in a kernel whose
        # source grows to hundreds of kilobytes
        q = rotate(q, *cos_sin(problem.rope, d, at_q, q.device), problem.rope.interleaved).contiguous()
        k = rotate(k, *cos_sin(problem.rope, d, at_k, q.device), problem.rope.interleaved).contiguous()
    s = products(q, k) * problem.scale
    s = (s < LIMIT).where(s, LIMIT)  # nan, inf - inf in a product of large numbers, becomes a number
    s = (s > -LIMIT).where(s, -LIMIT)
    of_row, of_key = broken(of_q), (broken(of_k) + broken(of_v)).unsqueeze(2).expand(b, g, h // g, m).reshape(b, h, m)
    of_row = of_row.unsqueeze(-1)
    if problem.bias is not None:
        added = scores(problem, problem.bias)
        s, of_row = s + added, (added == -math.inf).where(0.0, of_row)
    if problem.slopes is not None:
        s = s - problem.slopes.reshape(1, h, 1, 1) * distances(n, m)
    s = s + of_row + of_key.unsqueeze(2)
    if problem.relative is not None:
        s = s + by_distance(problem, *problem.relative)
    seen = visible(problem)
    if seen is not None:
        s = seen.where(s, -math.inf)
    # the maximum only guards exp against overflow: it cancels, so no gradient flows through it
    top = s.max(-1, keepdim=True).detach()
    top = (top == -math.inf).where(0.0, top)
    p = (s - top).exp()
    total = p.sum(-1, keepdim=True)
    none = total == 0
    safe = none.where(1.0, total)
    lse = none.where(-math.inf, top + safe.log()).squeeze(-1)
    p = p / safe
    if seen is not None:
        p = seen.where(p, 0.0)  # also in a row that is nan
    p = p.contiguous()  # once: inside the product every probability would be computed again for each channel of a value
    o = products(p, v.transpose(-1, -2))
    # the gradient of a row that is nan stays out of the values that the row does not see
    o = total.isnan().where(math.nan, o)
    return o.cast(problem.v.dtype), lse


def distances(n: int, m: int) -> Float[Tensor, "n m"]:
    """Tokens from query i to key j, |i + m - n - j|, as float32."""
    return (Tensor.arange(m - n, m).reshape(n, 1) - Tensor.arange(m)).abs().cast(dtypes.float32)


def products(x: Float[Tensor, "b h n k"], y: Float[Tensor, "b g r k"]) -> Float[Tensor, "b h n r"]:
    """x y^T of every head."""
    (b, h, n, k), (_, g, r, _) = x.shape, y.shape
    return x.reshape(b, g, h // g, n, k).matmul(y.unsqueeze(2).transpose(-1, -2)).reshape(b, h, n, r)


def by_distance(
    problem: Problem, q: Float[Tensor, "b h n c"], keys: Float[Tensor, "h r c"]
) -> Float[Tensor, "b h n m"]:
    """<q[i], keys[j - i + n - 1]> of every query i and key j, nan where one of both holds a nan or an infinity.

    The products with all r = n + m - 1 distances are taken and shifted, so that row i begins n - 1 - i later.
    """
    b, _, _, n, m, _, _ = problem.sizes
    q, keys, (h, r, c) = q.cast(dtypes.float32), keys.cast(dtypes.float32), keys.shape
    s = products(without_broken(q), without_broken(keys).unsqueeze(0).expand(b, h, r, c))
    s = (s < LIMIT).where(s, LIMIT)
    s = (s > -LIMIT).where(s, -LIMIT) + broken(q).unsqueeze(-1) + broken(keys).reshape(1, h, 1, r)
    flat = s.reshape(b, h, n * r).pad((None, None, (0, n)))[:, :, n - 1 : n - 1 + n * (r - 1)]
    return flat.reshape(b, h, n, r - 1)[..., :m] if r > 1 else s


def visible(problem: Problem) -> Bool[Tensor, "b 1 n m"] | None:
    """Which keys each query sees, broadcastable to (b, h, n, m); None when it sees all."""
    _, _, _, n, m, _, _ = problem.sizes
    i = Tensor.arange(m - n, m, dtype=dtypes.int32).reshape(1, 1, n, 1)
    j = Tensor.arange(m, dtype=dtypes.int32).reshape(1, 1, 1, m)
    left, right = problem.window
    rules = [j <= i] if problem.is_causal else []
    sides = ([] if left is None else [j >= i - left]) + ([] if right is None else [j <= i + right])
    if problem.anchors is None:
        rules += sides
    else:
        found = anchors.found(problem)
        is_anchor = (found.slots_q >= 0).unsqueeze(-1) | (found.slots_k >= 0).unsqueeze(1)
        rules.append((sides[0] if len(sides) == 1 else sides[0] & sides[1]) | is_anchor.unsqueeze(1))
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
    table = saturated(bias.tied_table())  # (1 or h, t) or (1 or h, t, t)
    return FORMULAS[bias.kind](problem, bias, table)


def _dense(problem: Problem, bias: MotifBias, table: Tensor) -> Tensor:
    return _look_up_keys(table, bias.ids)


def _key(problem: Problem, bias: MotifBias, table: Tensor) -> Tensor:
    return _look_up_keys(table, problem.ids()[1].unsqueeze(1))


def _same(problem: Problem, bias: MotifBias, table: Tensor) -> Tensor:
    ids_q, ids_k = problem.ids()
    is_same = (ids_q.unsqueeze(-1) == ids_k.unsqueeze(1)).unsqueeze(1)
    return is_same.where(_look_up_keys(table, ids_q.unsqueeze(-1)), 0.0)


def _between(problem: Problem, bias: MotifBias, table: Tensor) -> Tensor:
    counts = occurrences_between(problem.ids()[1], problem.q.shape[2])
    return _look_up_keys(table, counts.clamp(0, bias.n_motifs - 1))


def _pair(problem: Problem, bias: MotifBias, table: Tensor) -> Tensor:
    return _look_up_pairs(table, *problem.ids())


def _ordered(problem: Problem, bias: MotifBias, table: Tensor) -> Tensor:
    ids_q, ids_k = problem.ids()
    at_q, at_k = problem.coordinates()
    forth, back = _look_up_pairs(table, ids_q, ids_k), _look_up_pairs(table.transpose(-1, -2), ids_q, ids_k)
    return (at_q.unsqueeze(-1) <= at_k.unsqueeze(1)).unsqueeze(1).where(forth, back)


# what is added to the scores, (1 or b, 1 or h, n, m), by the name of the kind
FORMULAS: dict[str, Callable[[Problem, MotifBias, Tensor], Tensor]] = {
    "key": _key, "pair": _pair, "same": _same, "ordered": _ordered, "between": _between, "dense": _dense,
}  # fmt: skip


def saturated(table: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """A table as scores add it: finite entries kept in +-LIMIT, -inf hides its pairs, +inf is nan (inf - inf)."""
    table = (table > LIMIT).where((table == math.inf).where(table + math.nan, LIMIT), table)
    return ((table < -LIMIT) & (table != -math.inf)).where(-LIMIT, table)


def occurrences_between(ids_k: Int[Tensor, "b m"], n: int) -> Int[Tensor, "b n m"]:
    """Motif occurrences strictly between query i (at key index i + m - n) and key j, from prefix sums."""
    upto, before = occurrence_counts(ids_k)
    m = ids_k.shape[1]
    i = Tensor.arange(m - n, m, dtype=dtypes.int32).reshape(1, n, 1)
    j = Tensor.arange(m, dtype=dtypes.int32).reshape(1, 1, m)
    upto_i, before_i = upto[:, m - n :].unsqueeze(-1), before[:, m - n :].unsqueeze(-1)
    forth, back = before.unsqueeze(1) - upto_i, before_i - upto.unsqueeze(1)
    return (i <= j).where(forth, back).maximum(0)


def _look_up_keys(table: Float[Tensor, "h t"], ids: Int[Tensor, "b x y"]) -> Float[Tensor, "b h x y"]:
    """table[head, ids] for every head, as a sum over the table: its gradient is a sum in fixed order."""
    hot = ids.unsqueeze(1).unsqueeze(-1) == Tensor.arange(table.shape[-1], dtype=dtypes.int32)
    return hot.where(table.reshape(1, table.shape[0], 1, 1, -1), 0.0).sum(-1)


def _look_up_pairs(
    table: Float[Tensor, "h t t"], ids_q: Int[Tensor, "b n"], ids_k: Int[Tensor, "b m"]
) -> Float[Tensor, "b h n m"]:
    """table[head, id_i, id_j]: rows of the table, then its columns; selected, for 0 times -inf would be nan."""
    (b, n), m, (h, t, _) = ids_q.shape, ids_k.shape[1], table.shape
    classes = Tensor.arange(t, dtype=dtypes.int32)
    is_row = (ids_q.unsqueeze(-1) == classes).reshape(b, 1, n, t, 1)
    rows = is_row.where(table.reshape(1, h, 1, t, t), 0.0).sum(-2)
    is_column = (ids_k.unsqueeze(-1) == classes).reshape(b, 1, 1, m, t)
    return is_column.where(rows.unsqueeze(-2), 0.0).sum(-1)
