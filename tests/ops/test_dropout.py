"""Dropout from a key: the share it drops, what its mask depends on, the same mask for rows that are shared out."""

from __future__ import annotations

import numpy as np
import pytest
from tinygrad import Tensor
from tinygrad.helpers import Context

from gattn_tg.errors import ConfigError
from gattn_tg.ops.dropout import drawn_from, dropout

P = 0.1
X = np.ones((8, 4096), np.float32)
DEVICES = ("CPU:0", "CPU:1")


def key(a: int, b: int = 5) -> Tensor:
    return Tensor(np.array([a, b], np.uint32), device="CPU").realize()


def mask(first: Tensor, *, p: float = P, x: np.ndarray = X, block: int | None = None) -> np.ndarray:
    place = None if block is None else Tensor(np.array([block], np.uint32), device="CPU").realize()
    with Context(TRAINING=1), drawn_from(first, place):
        return dropout(Tensor(x, device="CPU"), p).numpy()


def test_share_and_scale() -> None:
    y = mask(key(1))
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / (1 - P))}
    # 32,768 draws: three standard deviations are 0.005
    assert abs((y == 0).mean() - P) < 0.005
    assert np.abs((y == 0).mean(0).reshape(64, 64).mean(0) - P).max() < 0.06


def test_the_mask_is_a_function_of_key_number_and_place() -> None:
    np.testing.assert_array_equal(mask(key(1)), mask(key(1)))
    assert 0.15 < (mask(key(1)) != mask(key(2))).mean() < 0.21  # 2 p (1 - p) = 0.18 of independent masks
    assert 0.15 < (mask(key(1)) != mask(key(1, 6))).mean() < 0.21
    with Context(TRAINING=1), drawn_from(key(1)):
        first, second = (dropout(Tensor(X, device="CPU"), P).numpy() for _ in range(2))
    np.testing.assert_array_equal(first, mask(key(1)))
    assert 0.15 < (first != second).mean() < 0.21


def test_blocks_and_devices_share_one_mask() -> None:
    whole = mask(key(1))
    halves = [mask(key(1), x=X[:4], block=i) for i in range(2)]
    np.testing.assert_array_equal(np.concatenate(halves), whole)
    with Context(TRAINING=1), drawn_from(key(1).shard(DEVICES).realize()):
        cut = dropout(Tensor(X, device="CPU").shard(DEVICES, axis=0), P)
    np.testing.assert_array_equal(cut.numpy(), whole)


def test_the_gradient_has_the_mask() -> None:
    x = Tensor(X, device="CPU").realize()
    with Context(TRAINING=1), drawn_from(key(1)):
        y = dropout(x, P)
    np.testing.assert_array_equal(y.sum().gradient(x)[0].numpy(), mask(key(1)))


def test_outside_of_training_and_without_a_key() -> None:
    x = Tensor(X, device="CPU")
    assert dropout(x, P) is x
    with Context(TRAINING=1):
        assert dropout(x, 0.0) is x
        drawn = dropout(x, P).numpy()
    assert abs((drawn == 0).mean() - P) < 0.005


def test_not_a_share() -> None:
    with pytest.raises(ConfigError) as raised:
        dropout(Tensor(X), 1.0)
    assert str(raised.value) == (
        "dropout: expected a share from 0 up to 1 (1 excluded), got 1.0; change dropout"
    )
