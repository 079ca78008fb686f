"""Positions, labels and lengths of 64 bits are served exactly or refused; nothing is cut to 32 without a word."""

from __future__ import annotations

import numpy as np
import pytest
from tinygrad import Tensor

from gattn_tg import MotifBias, Rope, attention
from gattn_tg.errors import ShapeError
from gattn_tg.ops.cross_entropy import cross_entropy

N, D = 33, 8
RNG = np.random.default_rng(0)
X = RNG.standard_normal((2, 1, N, D)).astype(np.float32)
IDS = Tensor(RNG.integers(0, 3, (2, N)).astype(np.uint8))


def attended(impl: str, **options: object) -> np.ndarray:
    return attention(Tensor(X), Tensor(X), Tensor(X), impl=impl, **options).numpy()  # type: ignore[arg-type, call-overload, no-any-return]


@pytest.mark.parametrize("impl", ["loops", "lazy"])
def test_positions_across_two_to_the_31_turn_like_others(impl: str) -> None:
    places = np.arange(N, dtype=np.int64) * 3
    near = attended(impl, rope=Rope(), positions=Tensor(places))
    for start in (2**31 - N, 2**32 - 5, -(2**40)):
        far = attended(impl, rope=Rope(), positions=Tensor(places + start))
        np.testing.assert_allclose(far, near, atol=1e-5)


def test_labels_that_differ_beyond_32_bits_are_refused() -> None:
    labels = np.where(np.arange(N) < 9, 7, 7 + 2**32)
    with pytest.raises(ShapeError) as raised:
        attended("lazy", segments=Tensor(labels))
    assert str(raised.value) == (
        "attention: expected segments that fit 32 bits here, got 7 to 4294967303; number the labels from 0"
    )
    small = (labels > 7).astype(np.int64)
    np.testing.assert_array_equal(attended("lazy", segments=Tensor(small)),
                                  attended("lazy", segments=Tensor(small.astype(np.int32))))


def test_places_that_are_compared_must_fit() -> None:
    bias = MotifBias.ordered(Tensor.zeros(3, 3), IDS)
    with pytest.raises(ShapeError, match="expected positions that fit 32 bits here, got 2147483640 to"):
        attended("lazy", bias=bias, positions=Tensor(np.arange(N, dtype=np.int64) + 2**31 - 8))


def test_a_length_beyond_32_bits_is_all_keys() -> None:
    # not bit for bit: with lengths tinygrad makes other kernels, which sum in another order
    np.testing.assert_allclose(attended("lazy", lengths=Tensor(np.array([2**32, N]))), attended("lazy"), rtol=1e-5,
                               atol=1e-6)


@pytest.mark.parametrize("device", ["CPU", "PYTHON"])
def test_a_label_beyond_32_bits_does_not_count(device: str) -> None:
    logits = Tensor(RNG.standard_normal((3, 4)).astype(np.float32), device=device)
    loss, count = cross_entropy(logits, Tensor(np.array([2**32, 1, -(2**32)]), device=device))
    one, _ = cross_entropy(logits[1:2], Tensor(np.array([1]), device=device))
    assert count.item() == 1
    np.testing.assert_allclose(loss.item(), one.item(), rtol=1e-5)
