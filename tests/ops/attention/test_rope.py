"""Rotation angles against float64, up to chromosome-sized positions."""

from __future__ import annotations

import numpy as np
import pytest
from tinygrad import Tensor, dtypes

from gattn_tg import Rope, attention
from gattn_tg.ops.attention.rope import cos_sin


@pytest.mark.parametrize("rope", [Rope(), Rope(linear_scale=4.0), Rope(ntk_scale=8.0), Rope(theta=500_000.0),
                                  Rope(yarn_scale=16.0, yarn_context=8_192)])
def test_angles_keep_their_accuracy_at_a_million_bases(rope: Rope) -> None:
    positions = np.array([[0, 1, 59, 10_000, 999_999, 1_000_000, 248_956_421, -7]])
    cos, sin = cos_sin(rope, 64, Tensor(positions.astype(np.int32)), "CPU")
    angle = positions[..., None] * rope.frequencies(64)
    assert np.abs(cos.numpy() - rope.gain * np.cos(angle)).max() < 1e-6 * rope.gain
    assert np.abs(sin.numpy() - rope.gain * np.sin(angle)).max() < 1e-6 * rope.gain


def test_yarn_slows_pairs_that_turned_less_than_once_in_training_and_leaves_fast_ones() -> None:
    plain, slowed = Rope().frequencies(64), Rope(yarn_scale=16.0, yarn_context=8_192).frequencies(64)
    turns = 8_192 * plain / (2 * np.pi)
    np.testing.assert_array_equal(slowed[turns > 32], plain[turns > 32])
    np.testing.assert_allclose(slowed[turns < 1], plain[turns < 1] / 16, rtol=1e-12)
    assert ((slowed < plain) & (slowed > plain / 16))[(turns > 1) & (turns < 32)].all()
    assert {(turns > 32).any(), (turns < 1).any()} == {True}


def test_shifting_all_positions_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    q, k, v = (Tensor(rng.standard_normal((1, 2, 17, 32)).astype(np.float32)) for _ in range(3))
    here = attention(q, k, v, rope=Rope(), positions=Tensor.arange(17, dtype=dtypes.int32)).numpy()
    there = attention(q, k, v, rope=Rope(), positions=Tensor.arange(17, dtype=dtypes.int32) + 900_000).numpy()
    assert np.abs(here - there).max() < 5e-6


def test_gaps_between_positions_matter() -> None:
    rng = np.random.default_rng(1)
    q, k, v = (Tensor(rng.standard_normal((1, 1, 3, 8)).astype(np.float32)) for _ in range(3))
    near = attention(q, k, v, rope=Rope(), positions=Tensor([0, 1, 2])).numpy()
    far = attention(q, k, v, rope=Rope(), positions=Tensor([0, 1, 1_000])).numpy()
    assert np.abs(near - far).max() > 1e-3
