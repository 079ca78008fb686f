"""Anchors of attention: what they are equal to, what is the same bit for bit, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from tinygrad import Tensor

from gattn_tg import MotifBias, attention
from gattn_tg.errors import ShapeError, UnsupportedError

H, N, D, T = 2, 37, 8, 3
RNG = np.random.default_rng(0)
Q, K, V = (RNG.standard_normal((1, H, N, D)).astype(np.float32) for _ in range(3))
TABLE, IDS = RNG.standard_normal(T).astype(np.float32), RNG.integers(0, T, (1, N)).astype(np.uint8)
ALL = np.arange(N)[None]


def answer(impl: str, anchors: np.ndarray | None, window: int | None) -> np.ndarray:
    """The output of a row for each row of anchors, with a bias by key; operands are computed, not leaves."""
    b = 1 if anchors is None else len(anchors)
    q, k, v = (Tensor(np.repeat(x, b, 0), device="CPU") * 2.0 for x in (Q, K, V))
    given = None if anchors is None else Tensor(anchors.astype(np.int32), device="CPU")
    bias = MotifBias.key(Tensor(TABLE, device="CPU"), Tensor(np.repeat(IDS, b, 0), device="CPU"))
    found: np.ndarray = attention(q, k, v, bias=bias, window_size=window, anchors=given, impl=impl).numpy()
    return found


@pytest.mark.parametrize("impl", ["lazy", "loops"])
def test_all_keys_as_anchors_are_full_attention_and_none_are_the_window(impl: str) -> None:
    full, window = answer(impl, None, None)[0], answer(impl, None, 4)[0]
    some = np.where(ALL % 5 == 0, ALL, -1)
    turned = some[:, ::-1]
    twice = np.where(some < 0, some.max(), some)  # named more than once
    beyond = np.where(some < 0, N, some)  # no places
    given = np.concatenate([ALL, np.full_like(ALL, -1), some, turned, twice, beyond])
    of_all, of_none, *of_some = found = answer(impl, given, 4)
    np.testing.assert_allclose(of_all, full, rtol=0, atol=2e-6)
    np.testing.assert_allclose(of_none, window, rtol=0, atol=2e-6)
    assert np.abs(full - window).max() > 0.1 < np.abs(of_some[0] - window).max()
    for other in of_some[1:]:
        np.testing.assert_allclose(other, of_some[0], rtol=0, atol=2e-6)
    np.testing.assert_array_equal(answer(impl, given, 4), found)  # bit for bit


def test_anchors_without_a_window_are_plain_attention() -> None:
    np.testing.assert_array_equal(answer("loops", ALL, None), answer("loops", None, None))
    np.testing.assert_array_equal(answer("loops", ALL, 2 * N), answer("loops", None, 2 * N))


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
