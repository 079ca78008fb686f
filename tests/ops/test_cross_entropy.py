"""Cross-entropy against NumPy: value, count, gradient, rows that do not count; look-ups in large tables."""

from __future__ import annotations

import numpy as np
import pytest
from tinygrad import Tensor

from gattn_tg.errors import ConfigError, ShapeError
from gattn_tg.ops.cross_entropy import cross_entropy
from gattn_tg.ops.lookup import rows_of
from gattn_tg.types import Float


def by_numpy(
    x: np.ndarray, labels: np.ndarray, s: float
) -> tuple[float, int, Float[np.ndarray, "m c"]]:
    x = x.astype(np.float64)
    top = x.max(1, keepdims=True)
    p = np.exp(x - top)
    log_p = x - top - np.log(p.sum(1, keepdims=True))
    n = x.shape[1]
    inside = (labels >= 0) & (labels < n)
    target = np.full_like(x, s / n)
    target[np.flatnonzero(inside), labels[inside]] += 1 - s
    loss = -(target * log_p).sum(1)
    return loss[inside].sum(), int(inside.sum()), (np.exp(log_p) - target) * inside[:, None]


@pytest.mark.parametrize(("m", "n", "s", "devices"), [
    (700, 4, 0.0, 1), (300, 5, 0.1, 1), (140, 200, 0.0, 1), (3, 2, 0.2, 1), (40, 6, 0.1, 2),
])
def test_value_and_gradient(m: int, n: int, s: float, devices: int) -> None:
    rng = np.random.default_rng(m)
    x = (rng.standard_normal((m, n)) * 5).astype(np.float32)
    x[0] += 1000.0
    labels = rng.integers(-1, n + 1, m).astype(np.int32)
    wanted, count, slope = by_numpy(x, labels, s)
    logits = Tensor(x)
    if devices > 1:  # there it is made of tensor operations
        logits.shard_(tuple(f"CPU:{i}" for i in range(devices)), axis=0)
    total, counted = cross_entropy(logits, Tensor(labels, device="CPU").to(logits.device), s)
    (gradient,) = (total * 3.0 / counted).gradient(logits)
    np.testing.assert_allclose(total.item(), wanted, rtol=2e-6)
    assert counted.item() == count
    np.testing.assert_allclose(gradient.numpy(), slope * 3.0 / count, atol=1e-6 * 3)


def test_bases_as_labels_leave_n_out() -> None:
    labels = np.array([[0, 3, 4], [4, 4, 1]], np.uint8)
    total, counted = cross_entropy(Tensor.zeros(2, 3, 4).contiguous(), Tensor(labels))
    assert counted.item() == 3
    assert total.item() == pytest.approx(3 * np.log(4))


def test_refusals() -> None:
    x = Tensor.zeros(3, 4)
    with pytest.raises(ShapeError, match=r"expected integer labels of shape \(3,\), one per row of logits, got"):
        cross_entropy(x, Tensor.zeros(2).int())
    with pytest.raises(ConfigError, match=r"expected smoothing in \[0, 1\), got 1.0"):
        cross_entropy(x, Tensor.zeros(3).int(), 1.0)


@pytest.mark.parametrize("width", [24, 64])
def test_large_tables_sum_their_gradient_by_row(width: int) -> None:
    rng = np.random.default_rng(0)
    v, m = 5000, 333
    table = rng.standard_normal((v, width)).astype(np.float32)
    ids = rng.integers(0, v, m).astype(np.int32)
    ids[:50] = 7
    weight = rng.standard_normal((m, width)).astype(np.float32)
    t = Tensor(table)
    out = rows_of(t, Tensor(ids))
    (gradient,) = (out * Tensor(weight)).sum().gradient(t)
    wanted = np.zeros((v, width))
    np.add.at(wanted, ids, weight.astype(np.float64))
    np.testing.assert_array_equal(out.numpy(), table[ids])
    np.testing.assert_allclose(gradient.numpy(), wanted, atol=1e-4)
