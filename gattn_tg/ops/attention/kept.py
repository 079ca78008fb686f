"""Attention on one CPU that keeps of its forward pass what its gradients need: the output, and two numbers per row.

What `anchors.py` takes apart stays apart here, near, far and own, each in memory before the next begins. With the
log-sum-exp of all parts together, probabilities of part x are p_x exp(lse_x - lse) and delta = rowsum(do * o) is the
same for all, so neither outputs of parts nor their cotangents are kept or made:

    ds = p_x exp(lse_x - lse) (dp - delta)        rows of anchors count in own alone

Source: Dao 2023, FlashAttention-2, algorithm 2, of which every part is one block of keys.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from tinygrad import Tensor, dtypes

from gattn_tg.ops.attention import anchors, loops
from gattn_tg.ops.attention.merge import merge
from gattn_tg.ops.attention.problem import Problem
from gattn_tg.ops.recompute import in_memory
from gattn_tg.types import Float

NEAR, OWN, FAR = range(3)  # the parts of a call with anchors; the last one does not need all keys any more
Rows = list[tuple[Tensor, Tensor]]  # of each part: the largest score of every row, and the factor of its probabilities


@dataclass(frozen=True)
class Gradients:
    """Of q, k, v, and of the table as the scores read it (`MotifBias.tied_table`); None without one."""

    q: Float[Tensor, "b h n d"]
    k: Float[Tensor, "b g m d"]
    v: Float[Tensor, "b g m e"]
    table: Float[Tensor, "h t ..."] | None


def forward(problem: Problem, found: anchors.Anchors | None) -> tuple[Float[Tensor, "b h n e"], Rows]:
    """Output, and what `backward` reads beside it; all in memory.

    Args:
        problem: a call that `loops` serves.
        found: its anchors, where it has some.
    """
    results = [in_memory(*_run(part)) for part in _parts(problem, found)]
    if found is None:
        (o, _, top, inverse), = results
        return o, [(top, inverse)]
    (near, near_lse, *_), (own, _, *of_own), (far, far_lse, *_) = results
    o, lse = merge(near.cast(dtypes.float32), near_lse, far.cast(dtypes.float32), far_lse)
    is_anchor, at = (found.slots_q >= 0).unsqueeze(1), found.slots_q.maximum(0)
    o = is_anchor.unsqueeze(-1).where(anchors.rows_of_heads(own, at), o.cast(own.dtype))
    rows = [(top, (is_anchor | (part_lse == -math.inf)).where(0.0, inverse * (part_lse - lse).exp()))
            for _, part_lse, top, inverse in (results[NEAR], results[FAR])]  # fmt: skip
    o, *kept = in_memory(o, *(x for pair in rows for x in pair))
    return o, [(kept[0], kept[1]), (of_own[0], of_own[1]), (kept[2], kept[3])]


def backward(
    problem: Problem, found: anchors.Anchors | None, o: Float[Tensor, "b h n e"], rows: Rows,
    do: Float[Tensor, "b h n e"],
) -> Gradients:
    """The gradients of a call from its output, what `forward` gave, and the cotangent of the output; in memory."""
    total: Gradients | None = None
    for number, (part, (top, inverse)) in enumerate(zip(_parts(problem, found), rows, strict=True)):
        is_own = number == OWN and found is not None
        out, slope = (_at_anchors(x, problem, found) if is_own else x for x in (o, do))
        score, rotation, inputs = loops.operands_of(part)
        dq, dk, dv, *others = loops.gradients(score, rotation, [slope], [out, top, top, inverse, top], inputs)
        named = dict(zip((*score.operands, *rotation.operands), others, strict=True))
        got = _whole(problem, found, number, Gradients(dq, dk, dv, named.get("table")))
        total = got if total is None else _sum(total, got)
        made = [x for x in (total.q, total.k, total.v, total.table) if x is not None]
        in_memory(*made)
    assert total is not None
    return total


def _parts(problem: Problem, found: anchors.Anchors | None) -> list[Problem]:
    """The call, or near, far and own of one with anchors."""
    whole = replace(problem, anchors=None)
    if found is None:
        return [whole]
    far = anchors.far(whole, found)
    k, v = in_memory(far.k.contiguous(), far.v.contiguous())
    return [whole, anchors.own(whole, found), replace(far, k=k, v=v)]


def _run(problem: Problem) -> list[Tensor]:
    """o, lse, and the two numbers per row."""
    return loops.launched(*loops.operands_of(problem))[:4]


def _at_anchors(x: Tensor, problem: Problem, found: anchors.Anchors | None) -> Tensor:
    """The rows of the anchors that are queries."""
    assert found is not None
    n, m = x.shape[2], problem.k.shape[2]
    return anchors.rows_of_heads(x, (found.places + (n - m)).maximum(0))


def _whole(problem: Problem, found: anchors.Anchors | None, number: int, got: Gradients) -> Gradients:
    """Gradients of a part among all queries and keys: those of far keys and of own queries put where they stand."""
    if found is None or number == NEAR:
        return got
    n, m = problem.q.shape[2], problem.k.shape[2]
    if number == FAR:
        at = found.places.maximum(0)
        dk, dv = (_put(x, d, at) for x, d in ((problem.k, got.k), (problem.v, got.v)))
        return replace(got, k=dk, v=dv)
    return replace(got, q=_put(problem.q, got.q, (found.places + (n - m)).maximum(0)))


def _put(like: Tensor, rows: Tensor, at: Tensor) -> Tensor:
    """Rows added up at their places, zeros elsewhere."""
    return anchors.rows_of_heads(like, at).gradient(like, gradient=rows)[0]


def _sum(one: Gradients, other: Gradients) -> Gradients:
    table = one.table if other.table is None or one.table is None else one.table + other.table
    return Gradients(one.q + other.q, one.k + other.k, one.v + other.v, table)
