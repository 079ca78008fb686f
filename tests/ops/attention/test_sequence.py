"""One sequence in blocks on two devices: outputs and gradients of the whole, merged by log-sum-exp."""

from __future__ import annotations

import numpy as np
import pytest
from tinygrad import Tensor

from gattn_tg import reference
from gattn_tg.errors import ShapeError, UnsupportedError
from gattn_tg.ops.attention.bias import MotifBias
from gattn_tg.ops.attention.merge import merge
from gattn_tg.ops.attention.rope import Rope
from gattn_tg.ops.attention.sequence import blocks_of, sequence_parallel_attention

DEVICES = ("CPU:0", "CPU:1")
B, H, G, N, D, T = 2, 4, 2, 24, 8, 5
RNG = np.random.default_rng(0)
Q, K, V, DO = (RNG.standard_normal((B, heads, N, D)).astype(np.float32) for heads in (H, G, G, H))
IDS = RNG.integers(0, T, (B, N)).astype(np.uint8)
TABLES = {"pair": (H, T, T), "ordered": (T, T)}


def on_first(*arrays: np.ndarray) -> list[Tensor]:
    return [Tensor(x, device="CPU:0").realize() for x in arrays]


@pytest.mark.parametrize(
    ("kind", "is_causal", "has_rope", "masked"),
    [
        ("pair", True, True, False),
        ("ordered", False, True, True),
        (None, True, False, True),
    ],
)
def test_two_devices_are_one(kind: str | None, is_causal: bool, has_rope: bool, masked: bool) -> None:
    """Of the reference in float64, which knows of no devices; that one device gives its numbers is tested elsewhere."""
    table = np.random.default_rng(1).standard_normal(TABLES[kind]).astype(np.float32) if kind else None
    lengths, segments = np.array([N, 7], np.int32), (np.arange(N) // 10)[None].repeat(B, 0).astype(np.int32)
    true = {
        "bias": reference.Bias(kind, table, IDS) if kind else None,
        "rope": reference.Rope() if has_rope else None,
        "is_causal": is_causal,
        "lengths": lengths if masked else None,
        "segments": segments if masked else None,
    }
    slopes = reference.attention_backward(DO, Q, K, V, **true)
    expected = [reference.attention(Q, K, V, **true), slopes.dq, slopes.dk, slopes.dv, slopes.dtable]

    q, k, v, do = on_first(Q, K, V, DO)
    learnt = [q, k, v, *on_first(*([] if table is None else [table]))]
    options = {
        "bias": MotifBias(kind, learnt[3], *on_first(IDS)) if kind else None,
        "rope": Rope() if has_rope else None,
        "is_causal": is_causal,
        "lengths": on_first(lengths)[0] if masked else None,
        "segments": on_first(segments)[0] if masked else None,
    }
    blocks = [blocks_of(x, DEVICES) for x in (q, k, v)]
    o = sequence_parallel_attention(*blocks, **options)  # type: ignore[arg-type]
    assert [x.device for x in o] == ["CPU", "CPU:1"]
    assert all(x.shape == (B, H, N // 2, D) for x in o)
    parts = [(x * y).sum().to("CPU:0") for x, y in zip(o, blocks_of(do, DEVICES), strict=True)]
    gradients = (parts[0] + parts[1]).gradient(*learnt)
    got = [np.concatenate([x.numpy() for x in o], 2), *(x.numpy() for x in gradients)]
    for ours, wanted in zip(got, expected[: len(got)], strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=1e-4, atol=1e-5)


def test_merge_of_what_sees_nothing() -> None:
    """Two empty sets give zero and -inf, one empty set changes nothing, huge scores do not overflow."""
    o, other = Tensor(DO[:1, :1, :3]), Tensor(Q[:1, :1, :3])
    lse = Tensor(np.array([[[-np.inf, 5.0, 1e30]]], np.float32))
    other_lse = Tensor(np.array([[[-np.inf, -np.inf, 1e30]]], np.float32))
    mixed, total = (x.numpy() for x in merge(o * (lse > -1e38).unsqueeze(-1), lse, other * 0, other_lse))
    np.testing.assert_array_equal(mixed[0, 0, 0], 0)
    np.testing.assert_allclose(mixed[0, 0, 1], DO[0, 0, 1], rtol=1e-6)
    np.testing.assert_allclose(mixed[0, 0, 2], DO[0, 0, 2] / 2, rtol=1e-6)
    np.testing.assert_allclose(total, [[[-np.inf, 5.0, 1e30]]])


def test_refusals() -> None:
    q, k, v = on_first(Q, K, V)
    with pytest.raises(ShapeError) as raised:
        blocks_of(q, ("CPU:0",) * 5)
    assert str(raised.value) == (
        "blocks_of: expected a multiple of 5 devices along axis 2, got 24; pad the sequence and pass lengths"
    )
    halves = [blocks_of(x, DEVICES) for x in (q, k, v)]
    with pytest.raises(ShapeError) as raised:
        sequence_parallel_attention(halves[0], halves[1], [v])
    assert str(raised.value) == (
        "sequence_parallel_attention: expected blocks of q, k and v of the same lengths, got [12, 12], "
        "[12, 12] and [24]; cut all three alike with blocks_of"
    )
    bias = MotifBias.between(Tensor.zeros(T), Tensor(IDS))
    with pytest.raises(UnsupportedError) as unsupported:
        sequence_parallel_attention(*halves, bias=bias)
    assert str(unsupported.value) == (
        "sequence_parallel_attention: expected a bias of kind key, pair, same, ordered, got between, which "
        "depends on more than two blocks; choose another kind, or one device"
    )


def test_devices_without_hardware() -> None:
    """On tinygrad's NULL devices everything is scheduled and rendered, nothing computed."""
    devices = ("NULL:0", "NULL:1")
    q, k, v = (
        [Tensor.empty(1, H, N // 2, D, device=device).realize() for device in devices] for _ in range(3)
    )  # fmt: skip
    outputs = sequence_parallel_attention(q, k, v, is_causal=True, impl="lazy")
    Tensor.realize(*outputs)
    assert [x.device for x in outputs] == ["NULL", "NULL:1"]
