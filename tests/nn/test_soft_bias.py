"""The bias of weights over motif ids: its definition in float64, its gradients, and ids as its hard case."""

from __future__ import annotations

import numpy as np
import pytest
from tinygrad import Tensor

from gattn_tg.nn.soft_motifs import folded
from gattn_tg.ops.attention.api import attention
from gattn_tg.ops.attention.bias import MotifBias
from gattn_tg.ops.attention.rope import Rope
from gattn_tg.reference import Bias, attention_backward
from gattn_tg.reference import Rope as ReferenceRope
from gattn_tg.reference import attention as reference_attention
from gattn_tg.reference.soft import soft_bias, soft_bias_backward

B, H, G, N, D, T = 2, 4, 2, 13, 8, 3
EPS = 2.0**-23


def operands(seed: int = 0) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    q, do = (rng.standard_normal((B, H, N, D)).astype(np.float32) for _ in range(2))
    k, v = (rng.standard_normal((B, G, N, D)).astype(np.float32) for _ in range(2))
    return q, k, v, do, (3 * rng.random((B, N, T))).astype(np.float32)


def true(q: np.ndarray, k: np.ndarray, v: np.ndarray, do: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, ...]:
    """o, dq, dk, dv and the gradient of the bias, (b, h, n, n), by a table with an entry for every pair."""
    ids = np.broadcast_to(np.arange(N * N).reshape(1, N, N), (1, N, N))
    rope, found = ReferenceRope(), []
    for b in range(B):  # one table per head and batch row
        table = Bias.dense(bias[b].reshape(H, N * N), ids)
        x = [a[b : b + 1].astype(np.float64) for a in (q, k, v)]
        back = attention_backward(do[b : b + 1].astype(np.float64), *x, bias=table, rope=rope)
        o = reference_attention(*x, bias=table, rope=rope)
        found.append((o[0], back.dq[0], back.dk[0], back.dv[0], back.dtable.reshape(H, N, N)))
    return tuple(np.stack(parts) for parts in zip(*found, strict=True))


@pytest.mark.parametrize(("kind", "per_head"), [("key", True), ("key", False), ("pair", True), ("same", False)])
def test_bias_and_gradients_are_those_of_the_definition(kind: str, per_head: bool) -> None:
    q, k, v, do, s = operands()
    shape = (*((H,) if per_head else ()), *((T, T) if kind == "pair" else (T,)))
    table = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    want = true(q, k, v, do, soft_bias(kind, table, s, H))
    of_table, of_weights = soft_bias_backward(kind, table, s, want[-1])
    tensors = [Tensor(x) for x in (q, k, v, table, s)]
    bias = MotifBias(kind, tensors[3], Tensor(np.zeros((B, N), np.uint8)))
    qq, kk, options = folded(tensors[0], tensors[1], bias, tensors[4], Rope())
    o = attention(qq, kk, tensors[2], **options)
    gradients = (o * Tensor(do)).sum().gradient(*tensors)
    Tensor.realize(o, *gradients)
    for ours, truth in zip((o, *gradients), (*want[:4], of_table, of_weights), strict=True):
        largest = np.abs(truth).max()
        np.testing.assert_allclose(ours.numpy(), truth, rtol=0, atol=64 * EPS * largest)


def test_one_weight_of_one_is_an_id() -> None:
    q, k, v, _, _ = operands()
    ids = np.random.default_rng(2).integers(0, T, (B, N)).astype(np.uint8)
    table = np.random.default_rng(1).standard_normal((T, T)).astype(np.float32)
    bias = MotifBias.pair(Tensor(table), Tensor(ids))
    qq, kk, options = folded(Tensor(q), Tensor(k), bias, Tensor(np.eye(T, dtype=np.float32)[ids]), Rope())
    hard = attention(Tensor(q), Tensor(k), Tensor(v), bias=bias, rope=Rope())
    np.testing.assert_allclose(attention(qq, kk, Tensor(v), **options).numpy(), hard.numpy(), atol=2e-6)
