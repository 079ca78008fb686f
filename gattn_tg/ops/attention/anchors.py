"""Window attention with anchors in three parts, for every implementation that has kernels: O(n (window + anchors)).

    near: all queries, the keys of their windows
    far:  all queries, those anchors that are outside of their windows
    own:  the queries of the anchors, all keys

No part knows the others. Near and far have no key in common, so their outputs are put together by their log-sum-exp,
`o = sum_x exp(lse_x - lse) o_x`; own takes the place of the rows of the anchors. Gradients are those of these steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tinygrad import Tensor, dtypes

from gattn_tg.ops.attention.merge import merge
from gattn_tg.ops.attention.problem import Problem, hiding
from gattn_tg.ops.launch import pieces
from gattn_tg.ops.lookup import rows_at
from gattn_tg.types import Float, Int

Run = Callable[[Problem], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Anchors:
    """Where the anchors of a call are, each once.

    Args:
        slots_q, slots_k: of every query and key its number among the anchors; -1 for none.
        places: of every anchor its key; -1 for those that are no anchor after all.
    """

    slots_q: Int[Tensor, "b n"]
    slots_k: Int[Tensor, "b m"]
    places: Int[Tensor, "b a"]


def found(problem: Problem) -> Anchors:
    """The anchors of a call that has some. Of equal ones the last counts, and none in the padding."""
    assert problem.anchors is not None
    _, _, _, n, m, _, _ = problem.sizes
    given, keys = problem.anchors, Tensor.arange(m, dtype=dtypes.int32)
    numbers = Tensor.arange(given.shape[1], dtype=dtypes.int32)
    slots = (given.unsqueeze(1) == keys.unsqueeze(-1)).where(numbers, -1).max(-1)
    if problem.lengths is not None:
        slots = (keys < problem.lengths.unsqueeze(-1)).where(slots, -1)
    slots = slots.contiguous()  # once for all layers that are given the same anchors
    is_one = (given >= 0) & (given < m) & (picked(slots, given.clamp(0, m - 1)) == numbers)
    of_q = slots[:, m - n :] if n <= m else slots.pad(((0, 0), (n - m, 0)), value=-1)
    return Anchors(of_q, slots, is_one.where(given, -1))


def refuse(problem: Problem) -> str | None:
    """Why a call with anchors cannot be taken apart, or None."""
    if problem.anchors is None:
        return None
    if problem.bias is not None and problem.bias.rule.is_map:
        return f"it serves no anchors beside a bias of kind {problem.bias.kind}, whose ids are of pairs"
    if pieces(problem.q)[0] == 1:
        return "expected q, k and v with anchors sharded over the batch or not at all, got shards of heads"
    if pieces(problem.anchors)[0] != pieces(problem.q)[0]:
        return "expected anchors sharded over the batch exactly when q is, got one sharded without the other"
    return None


def run(problem: Problem, of_part: Run) -> tuple[Float[Tensor, "b h n e"], Float[Tensor, "b h n"]]:
    """Output and log-sum-exp of a call with anchors.

    Args:
        problem: the call.
        of_part: computes a call without anchors.
    """
    anchors = found(problem)
    whole = replace(problem, anchors=None)
    o, lse = of_part(whole)
    far_o, far_lse = of_part(far(whole, anchors))
    own_o, own_lse = of_part(own(whole, anchors))
    o, lse = merge(o.cast(dtypes.float32), lse, far_o.cast(dtypes.float32), far_lse)
    is_anchor, at = (anchors.slots_q >= 0).unsqueeze(1), anchors.slots_q.maximum(0)
    own_lse = rows_of_heads(own_lse.unsqueeze(-1), at).squeeze(-1)
    o = is_anchor.unsqueeze(-1).where(rows_of_heads(own_o, at), o.cast(own_o.dtype))
    return o, is_anchor.where(own_lse, lse)


def far(problem: Problem, anchors: Anchors) -> Problem:
    """All queries and the keys of the anchors outside of their windows."""
    _, _, _, n, m, _, _ = problem.sizes
    left, right = hiding(problem.window, n + m)
    at = anchors.places.maximum(0)
    return replace(
        _picked(problem, "k", at), k=rows_of_heads(problem.k, at), v=rows_of_heads(problem.v, at), lengths=None,
        window=(left, None if problem.is_causal else right), is_beyond=True, stands=anchors.places, ahead=m - n,
    )  # fmt: skip


def own(problem: Problem, anchors: Anchors) -> Problem:
    """The queries of the anchors and all keys."""
    _, _, _, n, m, _, _ = problem.sizes
    rows = anchors.places + (n - m)  # below 0 for keys before the first query
    at, stands = rows.maximum(0), (rows >= 0).where(anchors.places, -1)
    return replace(_picked(problem, "q", at), q=rows_of_heads(problem.q, at), window=(None, None), stands=stands)


def _picked(problem: Problem, side: str, at: Int[Tensor, "b a"]) -> Problem:
    """The call with what stands beside its queries (q) or keys (k) picked at these rows."""
    changes: dict[str, object] = {"picked": side}
    for name in (f"positions_{side}", f"segments_{side}"):
        if (x := getattr(problem, name)) is not None:
            changes[name] = picked(x, at)
    bias = problem.bias
    if bias is not None:
        ids_q, ids_k = problem.ids()
        ids_q, ids_k = (picked(ids_q, at), ids_k) if side == "q" else (ids_q, picked(ids_k, at))
        changes["bias"] = replace(bias, ids=ids_q, ids_k=ids_k)
        if bias.rule.is_counted:
            counts = problem.counted()
            changes["counts"] = {name: picked(x, at) if name.endswith(side) else x for name, x in counts.items()}
    return replace(problem, **changes)  # type: ignore[arg-type]


def picked(x: Int[Tensor, "b n"], at: Int[Tensor, "b a"]) -> Int[Tensor, "b a"]:
    """Numbers of some tokens."""
    return rows_at(x.unsqueeze(-1), at).squeeze(-1)


def rows_of_heads(x: Float[Tensor, "b h n d"], at: Int[Tensor, "b a"]) -> Float[Tensor, "b h a d"]:
    """Rows of some tokens, the same ones of every head; differentiable in x."""
    b, h, n, d = x.shape
    a = at.shape[1]
    of_head = at.unsqueeze(1).expand(b, h, a).reshape(b * h, a)
    return rows_at(x.reshape(b * h, n, d), of_head).reshape(b, h, a, d)
