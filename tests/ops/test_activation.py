"""Activations against float64: values over the whole range of float32, gradients by finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tinygrad import Tensor

from gattn_tg.ops.activation import exp2_nonpositive, gelu

X = np.concatenate([np.linspace(-12, 12, 4001), [-1e30, -3e4, -150.0, 150.0, 3e4, 1e10]]).astype(np.float32)


def true_gelu(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3).clip(-300, 300)))


def test_exp2() -> None:
    x = -np.abs(X)
    true = np.exp2(x.astype(np.float64))
    true[x < -126] = 0
    np.testing.assert_allclose(exp2_nonpositive(Tensor(x, device="CPU")).numpy(), true, rtol=2e-7, atol=2e-38)
    assert exp2_nonpositive(Tensor([-math.inf], device="CPU")).item() == 0


def test_gelu() -> None:
    x = X[np.abs(X) < 1e9]
    np.testing.assert_allclose(gelu(Tensor(x, device="CPU")).numpy(), true_gelu(x.astype(np.float64)), 2e-6, 1e-7)


@pytest.mark.parametrize("upstream", [1e-3, 1.0, 1e3])
def test_gradient_of_gelu(upstream: float) -> None:
    x = np.linspace(-8, 8, 2001)
    step = 1e-5
    true = (true_gelu(x + step) - true_gelu(x - step)) / (2 * step)
    tensor = Tensor(x.astype(np.float32), device="CPU")
    given = Tensor.full((2001,), upstream)
    np.testing.assert_allclose(
        gelu(tensor).gradient(tensor, gradient=given)[0].numpy() / upstream, true, atol=1e-5
    )
