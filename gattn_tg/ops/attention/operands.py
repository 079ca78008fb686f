"""What the kernels of every schedule read besides q, k and v: the score function and the rotation of a call."""

from __future__ import annotations

import math
from dataclasses import replace

from tinygrad import Tensor, dtypes

from gattn_tg.kernels.tiles.kinds import NONE
from gattn_tg.kernels.tiles.rotation import Rotation
from gattn_tg.kernels.tiles.score import Score
from gattn_tg.kernels.tiles.tile import LANES, LARGEST, ceildiv
from gattn_tg.ops.attention.broken import broken, without_broken
from gattn_tg.ops.attention.problem import Problem, hiding
from gattn_tg.ops.attention.rope import cos_sin
from gattn_tg.ops.launch import pieces
from gattn_tg.types import Float

RELATIVE = ("relative_q", "relative_k")  # what a score calls the factors of products by distance


def largest_score(problem: Problem) -> Score:
    """The score function that needs most of a device, where broken numbers are marked, of all kernels of a call."""
    return replace(static_score(problem, has_broken=True), picked="" if problem.anchors is None else "k")


def static_score(problem: Problem, has_broken: bool = False) -> Score:
    """The static part of the score function of a call."""
    _, _, _, n, m, _, _ = problem.sizes
    bias = problem.bias
    left, right = problem.window
    if not problem.picked:  # beyond all keys a reach says nothing, and sums with it would leave 32 bits
        left, right = hiding(problem.window, n + m)
    has_places = bias is not None and bias.rule.is_ordered and problem.positions_q is not None
    return Score(
        scale=problem.scale,
        kind=NONE if bias is None else bias.rule,
        classes=1 if bias is None else bias.n_motifs,
        is_causal=problem.is_causal,
        left=left,
        right=right,
        has_lengths=problem.lengths is not None,
        has_segments=problem.segments_q is not None,
        has_places=has_places,
        has_slopes=problem.slopes is not None,
        has_broken=has_broken,
        picked=problem.picked,
        ahead=problem.ahead,
        is_beyond=problem.is_beyond,
        relative=0 if problem.relative is None else problem.relative[0].shape[3],
    )


def contained(problem: Problem) -> tuple[Problem, dict[str, Tensor]]:
    """The call without NaN and infinities in q, k and v, and the marks of the queries and keys that had them."""
    q, k, v = problem.q, problem.k, problem.v
    marks = {"broken_q": broken(q.cast(dtypes.float32)),
             "broken_k": broken(k.cast(dtypes.float32)) + broken(v.cast(dtypes.float32))}  # fmt: skip
    return replace(problem, q=without_broken(q), k=without_broken(k), v=without_broken(v)), marks


def score_of(problem: Problem, marks: dict[str, Tensor] | None = None) -> tuple[Score, list[Tensor]]:
    """The score function of a call: its static part, and the tensors it reads, with the marks of `contained` if any."""
    m = problem.sizes[4]
    bias, tensors = problem.bias, {}
    if bias is not None:
        tensors["table"] = bias.tied_table()
        if bias.rule.is_map:
            tensors["ids"] = bias.ids.pad((None, None, (0, ceildiv(m, LANES) * LANES - m)))
        else:
            tensors["ids_q"], tensors["ids_k"] = problem.ids()
        if bias.rule.is_counted:
            tensors |= problem.counted()
    tensors |= {
        "at_q": problem.positions_q,
        "at_k": problem.positions_k,
        "lengths": problem.lengths,
        "slopes": problem.slopes,
        "segments_q": problem.segments_q,
        "segments_k": problem.segments_k,
        f"stands_{problem.picked}": problem.stands,
    }
    tensors |= {} if marks is None else marks
    tensors |= {} if problem.relative is None else dict(zip(RELATIVE, problem.relative, strict=True))
    score = static_score(problem, marks is not None)
    return score, [tensors[name] for name in score.operands]


def rotation_of(problem: Problem) -> tuple[Rotation, list[Tensor]]:
    """The rotation of a call: its static part, and the cosines and sines it reads."""
    if problem.rope is None:
        return Rotation(), []
    d, device = problem.q.shape[-1], problem.q.device
    at_q, at_k = problem.coordinates()
    of_k = cos_sin(problem.rope, d, at_k, device)
    is_same = problem.turns_alike
    of_q = of_k if is_same else cos_sin(problem.rope, d, at_q, device)
    return Rotation(problem.rope.width(d), problem.rope.interleaved), [*of_q, *of_k]


def piece(x: Tensor) -> tuple[int, ...]:
    """The shape that one device holds."""
    axis, count = pieces(x)
    return tuple(size // count if i == axis else size for i, size in enumerate(x.shape))


def output_cotangent(
    cotangents: list[Tensor], o: Float[Tensor, "b h n e"]
) -> tuple[Float[Tensor, "b h n e"], Float[Tensor, "b h n"]]:
    """do, and delta = rowsum(do * o) - dlse, from the cotangents of those of (o, lse) that are in use."""
    do = next((x for x in cotangents if len(x.shape) == 4), None)
    dlse = next((x for x in cotangents if len(x.shape) == 3), None)
    do = Tensor.zeros_like(o) if do is None else do
    wide = do.cast(dtypes.float32)
    # nan only where do or o is broken: the terms are kept so small that their sum is finite
    most = LARGEST / o.shape[-1]
    terms = wide * o.cast(dtypes.float32)
    terms = (terms > most).where(most, (terms < -most).where(-most, terms))
    delta = wide.isfinite().where(terms, math.nan).sum(-1)
    return do, delta if dlse is None else delta - dlse


def table_gradient(score: Score, sums: Tensor, named: dict[str, Tensor], table: Tensor) -> Tensor:
    """The gradient of a table from its `score.columns` sums for every row, added up over the rows of each class."""
    t = score.classes
    if score.kind.is_square:
        # selected, not multiplied by 0: a row that is nan stays in its class
        is_class = named["ids_q"].unsqueeze(-1) == Tensor.arange(t, dtype=dtypes.int32)  # (b, n, t)
        sums = is_class.unsqueeze(1).unsqueeze(-1).where(sums.unsqueeze(-2), 0.0).sum(2)
        if score.kind.is_ordered:
            sums = sums[..., :t] + sums[..., t:].transpose(-1, -2)
    else:
        sums = sums.sum(2)
    sums = sums.sum(0)
    return (sums if table.shape[0] > 1 else sums.sum(0)).reshape(table.shape)
