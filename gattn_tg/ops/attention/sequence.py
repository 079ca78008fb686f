"""Attention over one sequence in blocks on several devices: each keeps its queries, keys and values come by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

import numpy as np
from tinygrad import Tensor, dtypes

from gattn_tg.errors import ShapeError, UnsupportedError
from gattn_tg.kernels.tiles.kinds import KINDS
from gattn_tg.ops.attention.api import attention
from gattn_tg.ops.attention.bias import MotifBias
from gattn_tg.ops.attention.merge import merge
from gattn_tg.ops.attention.rope import Rope
from gattn_tg.types import Float, Int


def blocks_of(x: Tensor, devices: Sequence[str], axis: int = 2) -> list[Tensor]:
    """x in equal blocks along an axis, one per device and on it; differentiable.

    Raises:
        ShapeError: The axis does not divide.
    """
    size, rest = divmod(int(x.shape[axis]), len(devices))
    if rest:
        raise ShapeError(
            f"blocks_of: expected a multiple of {len(devices)} devices along axis {axis}, got "
            f"{x.shape[axis]}; pad the sequence and pass lengths"
        )
    whole = tuple((0, int(n)) for n in x.shape)
    return [
        x.shrink((*whole[:axis], (i * size, (i + 1) * size), *whole[axis + 1 :])).to(device)
        for i, device in enumerate(devices)
    ]


def sequence_parallel_attention(
    q: Sequence[Float[Tensor, "b h n d"]],
    k: Sequence[Float[Tensor, "b g n d"]],
    v: Sequence[Float[Tensor, "b g n e"]],
    bias: MotifBias | None = None,
    rope: Rope | None = None,
    positions: Int[np.ndarray, "n"] | None = None,
    is_causal: bool = False,
    lengths: Int[Tensor, "b"] | None = None,
    segments: Int[Tensor, "b n"] | None = None,
    scale: float | None = None,
    impl: str = "auto",
) -> list[Float[Tensor, "b h n e"]]:
    """`attention` of consecutive blocks of one sequence, differentiable in q, k, v and the table.

        o = sum_j exp(lse_j - lse) o_j,  lse = log sum_j exp(lse_j)   over the blocks j of keys

    Args:
        q: Queries, one block per device, in the order of the sequence; `blocks_of` makes them.
        k: Keys, in blocks of the same lengths.
        v: Values, in blocks of the same lengths.
        bias: Table and the ids of the whole sequence, on any device; kinds key, pair, same and ordered.
        rope: Rotary positions; None adds none.
        positions: Coordinates of the whole sequence, the same for all rows; default 0 .. n - 1.
        is_causal: A base sees only bases before it and itself; blocks behind it are not visited.
        lengths: Valid bases per row.
        segments: Labels of the whole sequence; only equal ones see each other.
        scale: Factor on the products; d**-0.5 by default.
        impl: As for `attention`.

    Returns:
        One block of the output per device, in the dtype of v.

    Raises:
        ShapeError: The blocks of q, k and v do not go together.
        UnsupportedError: The kind of bias depends on more than the two blocks.

    Numerics: blocks are merged in float32 in the order of the sequence, so two runs agree bit for bit. A device keeps
        O(n / devices) of q, o and their gradients; of k and v it gets one block after another, which stay until the
        backward pass has used them when a gradient is asked for.
    Source: Liu, Zaharia and Abbeel 2023, Ring Attention, section 3; merging as in Dao 2022, FlashAttention, eq. 3.
    """
    _check(q, k, v, bias)
    stops = list(accumulate(int(x.shape[2]) for x in q))
    places = np.arange(stops[-1], dtype=np.int32) if positions is None else np.asarray(positions)
    spans = [slice(stop - int(x.shape[2]), stop) for x, stop in zip(q, stops, strict=True)]
    needs_places = rope is not None or (bias is not None and bias.rule.is_ordered)
    outputs = []
    for i, rows in enumerate(spans):
        device = q[i].device
        merged: tuple[Tensor, Tensor] | None = None
        for j, columns in enumerate(spans[: i + 1] if is_causal else spans):
            new = attention(
                q[i],
                k[j].to(device),
                v[j].to(device),
                bias=None if bias is None else _bias(bias, rows, columns, device),
                rope=rope,
                positions=_pair(places[None], rows, columns, device) if needs_places else None,
                is_causal=is_causal and i == j,
                lengths=None if lengths is None else _inside(lengths.to(device), columns),
                segments=None if segments is None else (segments[:, rows].to(device), segments[:, columns].to(device)),
                scale=scale,
                impl=impl,
                return_lse=True,
            )
            wide = new[0].cast(dtypes.float32), new[1]
            merged = wide if merged is None else merge(*merged, *wide)
        assert merged is not None, "a block sees at least itself"
        outputs.append(merged[0].cast(v[i].dtype))
    return outputs


def _bias(bias: MotifBias, rows: slice, columns: slice, device: str) -> MotifBias:
    ids = bias.ids if bias.ids_k is None else bias.ids_k
    return replace(
        bias,
        table=bias.table.to(device),
        ids=bias.ids[:, rows].to(device).contiguous(),
        ids_k=ids[:, columns].to(device).contiguous(),
    )


def _pair(places: Int[np.ndarray, "1 n"], rows: slice, columns: slice, device: str) -> tuple[Tensor, Tensor]:
    at_q, at_k = (Tensor(np.ascontiguousarray(places[:, part]), device=device) for part in (rows, columns))
    return at_q, at_k


def _inside(lengths: Int[Tensor, "b"], columns: slice) -> Int[Tensor, "b"]:
    """Valid bases of a block of keys."""
    return (lengths.clamp(0, columns.stop).cast(dtypes.int32) - columns.start).maximum(0)


def _check(q: Sequence[Tensor], k: Sequence[Tensor], v: Sequence[Tensor], bias: MotifBias | None) -> None:
    sizes = [[int(x.shape[2]) for x in blocks] for blocks in (q, k, v)]
    if not q or sizes[1] != sizes[0] or sizes[2] != sizes[0]:
        raise ShapeError(
            f"sequence_parallel_attention: expected blocks of q, k and v of the same lengths, got {sizes[0]}, "
            f"{sizes[1]} and {sizes[2]}; cut all three alike with blocks_of"
        )
    if bias is not None and not bias.rule.is_by_id:
        served = ", ".join(name for name, kind in KINDS.items() if kind.is_by_id)
        raise UnsupportedError(
            f"sequence_parallel_attention: expected a bias of kind {served}, got {bias.kind}, which "
            "depends on more than two blocks; choose another kind, or one device"
        )
