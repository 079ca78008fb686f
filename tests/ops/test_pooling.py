"""The larger of two neighbours: values, gradient, and agreement of the kernel with plain operations."""

from __future__ import annotations

import numpy as np
import pytest
from tinygrad import Tensor

from gattn_tg.errors import ShapeError
from gattn_tg.ops.pooling import halved


@pytest.mark.parametrize("shape", [(2, 6, 32), (3, 200, 5)])
def test_values_and_gradient(shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(np.float32)
    x[:, 0] = x[:, 1]  # of equal neighbours the first gets the gradient
    b, n, w = shape
    dy = rng.standard_normal((b, n // 2, w)).astype(np.float32)
    t = Tensor(x, device="CPU")
    y = halved(t)
    pairs = x.reshape(b, n // 2, 2, w)
    slope = (y * Tensor(dy, device="CPU")).sum().gradient(t)[0]
    assert np.array_equal(y.numpy(), pairs.max(2))
    first = pairs[:, :, 0] >= pairs[:, :, 1]
    expected = np.stack([np.where(first, dy, 0), np.where(first, 0, dy)], axis=2).reshape(shape)
    assert np.array_equal(slope.numpy(), expected)


def test_an_odd_number_of_positions_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"halved: expected an even number of positions, got x \(1, 5, 2\)"):
        halved(Tensor.zeros(1, 5, 2))
