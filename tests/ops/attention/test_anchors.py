"""Anchors of attention: what they are equal to, what is the same bit for bit, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tinygrad import Tensor

from gattn_tg import MotifBias, attention
from gattn_tg.errors import ShapeError, UnsupportedError
from gattn_tg.ops.attention.problem import build
from gattn_tg.reference import Bias
from gattn_tg.reference import attention as reference

H, N, D, T = 2, 37, 8, 3
RNG = np.random.default_rng(0)
Q, K, V = (RNG.standard_normal((1, H, N, D)).astype(np.float32) for _ in range(3))
TABLE, IDS = RNG.standard_normal(T).astype(np.float32), RNG.integers(0, T, (1, N)).astype(np.uint8)
ALL = np.arange(N)[None]


def answer(impl: str, anchors: np.ndarray) -> np.ndarray:
    """The output of a row for each row of anchors, with a bias by key; operands are computed, not leaves."""
    b = len(anchors)
    q, k, v = (Tensor(np.repeat(x, b, 0), device="CPU") * 2.0 for x in (Q, K, V))
    bias = MotifBias.key(Tensor(TABLE, device="CPU"), Tensor(np.repeat(IDS, b, 0), device="CPU"))
    given = Tensor(anchors.astype(np.int32), device="CPU")
    found: np.ndarray = attention(q, k, v, bias=bias, window_size=4, anchors=given, impl=impl).numpy()
    return found


@pytest.mark.parametrize("impl", ["lazy", "loops"])
def test_all_keys_as_anchors_are_full_attention_and_none_are_the_window(impl: str) -> None:
    some = np.where(ALL % 5 == 0, ALL, -1)
    twice = np.where(some < 0, some.max(), some)  # named more than once
    beyond = np.where(some < 0, N, some)  # no places
    given = np.concatenate([ALL, np.full_like(ALL, -1), some, some[:, ::-1], twice, beyond])
    found = answer(impl, given)

    def true(**masks: Any) -> np.ndarray:
        o: np.ndarray = reference(2.0 * Q, 2.0 * K, 2.0 * V, Bias.key(TABLE, IDS), **masks)[0]
        return o

    full, window, of_some = true(), true(window_size=4), true(window_size=4, anchors=some)
    assert np.abs(full - of_some).max() > 0.1 < np.abs(window - of_some).max()
    for o, expected in zip(found, (full, window, of_some, of_some, of_some, of_some), strict=True):
        np.testing.assert_allclose(o, expected, rtol=0, atol=5e-6)
    np.testing.assert_array_equal(answer(impl, given), found)  # bit for bit


def test_anchors_change_nothing_where_the_window_hides_nothing() -> None:
    x, anchors = Tensor(Q, device="CPU"), Tensor(ALL, device="CPU")
    hides: list[tuple[Any, bool, bool]] = [
        (None, False, False), (2 * N, False, False), ((None, 0), True, False), ((None, 0), False, True),
        (4, True, True),
    ]  # fmt: skip
    for window, is_causal, is_needed in hides:
        problem = build(x, x, x, bias=None, rope=None, positions=None, is_causal=is_causal, window_size=window,
                        lengths=None, segments=None, scale=None, anchors=anchors)  # fmt: skip
        assert (problem.anchors is not None) == is_needed


def test_anchors_that_do_not_fit_are_refused() -> None:
    x = Tensor(Q, device="CPU")
    ids = Tensor(np.zeros((1, N, N), np.uint8), device="CPU")
    table = Tensor(TABLE, device="CPU")
    with pytest.raises(ShapeError, match=r"anchors of integers of shape \(1, a\), places of keys, got .*\(37,\)"):
        attention(x, x, x, window_size=4, anchors=Tensor(ALL[0], device="CPU"))
    anchors = Tensor(ALL, device="CPU")
    dense = MotifBias.dense(table, ids)
    with pytest.raises(UnsupportedError, match="serves no anchors beside a bias of kind dense, whose ids are of pairs"):
        attention(x, x, x, bias=dense, window_size=4, anchors=anchors, impl="loops")
    assert attention(x, x, x, bias=dense, window_size=4, anchors=anchors).shape == x.shape  # auto takes lazy
