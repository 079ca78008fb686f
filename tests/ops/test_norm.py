"""Layer normalisation and sums over rows against NumPy in float64, with gradients, and bitwise equal on any cores."""

from __future__ import annotations

import numpy as np
import pytest
from tinygrad import Tensor, dtypes
from tinygrad.helpers import GlobalCounters

from gattn_tg.errors import ShapeError
from gattn_tg.machine import threads
from gattn_tg.ops.lookup import LARGEST_TABLE, column_sums, rows_of
from gattn_tg.ops.norm import layer_norm

SHAPES = [(1, 1), (7, 5), (300, 70), (2050, 64), (130, 256)]


def draw(m: int, w: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng([m, w])
    x, dy = rng.standard_normal((2, m, w)).astype(np.float32)
    weight, bias = rng.standard_normal((2, w)).astype(np.float32)
    return x * 3 + 1, weight, bias, dy


def truth(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, dy: np.ndarray, eps: float) -> list[np.ndarray]:
    x, weight, bias, dy = (a.astype(np.float64) for a in (x, weight, bias, dy))
    rstd = 1 / np.sqrt(x.var(-1, keepdims=True) + eps)
    xhat = (x - x.mean(-1, keepdims=True)) * rstd
    g = dy * weight
    dx = rstd * (g - g.mean(-1, keepdims=True) - xhat * (g * xhat).mean(-1, keepdims=True))
    return [xhat * weight + bias, dx, (dy * xhat).sum(0), dy.sum(0)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_layer_norm(shape: tuple[int, int]) -> None:
    x, weight, bias, dy = draw(*shape)
    tensors = [Tensor(a, device="CPU") for a in (x, weight, bias)]
    y = layer_norm(*tensors, eps=1e-3)
    gradients = (y * Tensor(dy, device="CPU")).sum().gradient(*tensors)
    for ours, true in zip((y, *gradients), truth(x, weight, bias, dy, 1e-3), strict=True):
        np.testing.assert_allclose(ours.numpy(), true, rtol=1e-4, atol=1e-4 * np.abs(true).max() + 1e-5)


def test_layer_norm_elsewhere_is_the_same() -> None:
    x, weight, bias, dy = draw(3, 6)
    tensors = [Tensor(a, device="PYTHON") for a in (x, weight, bias)]
    y = layer_norm(*tensors)
    gradients = (y * Tensor(dy, device="PYTHON")).sum().gradient(*tensors)
    for ours, true in zip((y, *gradients), truth(x, weight, bias, dy, 1e-5), strict=True):
        np.testing.assert_allclose(ours.numpy(), true, rtol=1e-4, atol=1e-5)


def test_layer_norm_of_half_precision_keeps_its_type() -> None:
    x, weight, bias, dy = draw(40, 96)
    tensors = [Tensor(a, device="CPU").cast(dtypes.float16).realize() for a in (x, weight, bias)]
    y = layer_norm(*tensors)
    gradients = (y.float() * Tensor(dy, device="CPU")).sum().gradient(*tensors)
    assert [t.dtype for t in (y, *gradients)] == [dtypes.float16] * 4
    rounded = [t.float().numpy() for t in tensors]
    for ours, true in zip((y, *gradients), truth(*rounded, dy, 1e-5), strict=True):
        np.testing.assert_allclose(ours.float().numpy(), true, rtol=0, atol=4e-3 * np.abs(true).max())


def test_layer_norm_is_one_kernel_forward_and_two_back() -> None:
    x, weight, bias, dy = draw(100, 64)
    tensors = [Tensor(a, device="CPU").realize() for a in (x, weight, bias)]
    cotangent = Tensor(dy, device="CPU").realize()
    y = layer_norm(*tensors)
    gradients = (y * cotangent).sum().gradient(*tensors)
    GlobalCounters.reset()
    Tensor.realize(*gradients)
    assert GlobalCounters.kernel_count <= 3


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_column_sums(shape: tuple[int, int]) -> None:
    x = draw(*shape)[0]
    np.testing.assert_allclose(column_sums(Tensor(x, device="CPU")).numpy(), x.sum(0, dtype=np.float64), 1e-4, 1e-3)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("id_type", [np.uint8, np.int32])
def test_rows_of_a_table(shape: tuple[int, int], id_type: type) -> None:
    m, w = shape
    rng = np.random.default_rng(0)
    table, dy, ids = rng.standard_normal((9, w)), rng.standard_normal((m, w)), rng.integers(0, 9, m).astype(id_type)
    tensor = Tensor(table.astype(np.float32), device="CPU")
    rows = rows_of(tensor, Tensor(ids, device="CPU").reshape(1, m))
    gradient = (rows[0] * Tensor(dy.astype(np.float32), device="CPU")).sum().gradient(tensor)[0]
    expected = np.zeros_like(table)
    np.add.at(expected, ids, dy)
    np.testing.assert_array_equal(rows.numpy()[0], table.astype(np.float32)[ids])
    np.testing.assert_allclose(gradient.numpy(), expected, 1e-4, 1e-4)


@pytest.mark.parametrize("v", [5, 3000])
@pytest.mark.parametrize("id_type", [np.uint8, np.int32])
def test_no_id_reaches_beside_the_table(v: int, id_type: type) -> None:
    ids = np.array([0, 4, 255, v - 1 if id_type is np.int32 else 3, 2**31 - 1 if id_type is np.int32 else 9], id_type)
    near = np.clip(ids.astype(np.int64), 0, v - 1)
    table = Tensor(np.arange(v * 32, dtype=np.float32).reshape(v, 32))
    out = rows_of(table, Tensor(ids))
    (gradient,) = out.sum().gradient(table)
    np.testing.assert_array_equal(out.numpy(), table.numpy()[near])
    np.testing.assert_array_equal(gradient.numpy()[:, 0], np.bincount(near, minlength=v))


def test_large_table_takes_the_plain_way() -> None:
    v = LARGEST_TABLE // 64 + 1
    table = np.arange(v * 64, dtype=np.float32).reshape(v, 64)
    ids = np.array([0, v - 1, 5], np.int32)
    np.testing.assert_array_equal(rows_of(Tensor(table, device="CPU"), Tensor(ids, device="CPU")).numpy(), table[ids])


def test_same_bits_on_any_number_of_cores() -> None:
    x, weight, bias, dy = draw(1030, 96)

    def run() -> list[bytes]:
        tensors = [Tensor(a, device="CPU") for a in (x, weight, bias)]
        y = layer_norm(*tensors)
        gradients = (y * Tensor(dy, device="CPU")).sum().gradient(*tensors)
        return [t.numpy().tobytes() for t in (y, *gradients, column_sums(tensors[0]))]

    try:
        threads.set_threads(1)
        one = run()
        for n_threads in (2, 5):
            threads.set_threads(n_threads)
            assert run() == one
    finally:
        threads.set_threads(None)


def test_widths_that_do_not_fit() -> None:
    with pytest.raises(ShapeError) as raised:
        layer_norm(Tensor.zeros(2, 3), Tensor.zeros(4), Tensor.zeros(3))
    assert str(raised.value) == (
        "layer_norm: expected weight and bias of shape (3,) like the last axis of x, got (4,) and (3,); "
        "normalise over the last axis"
    )
    with pytest.raises(ShapeError) as raised:
        rows_of(Tensor.zeros(3), Tensor.zeros(2))
    assert str(raised.value) == "rows_of: expected a table (v, w), got (3,); reshape it"
