"""A NaN in one row reaches exactly the outputs and gradients that depend on it, in every operation with a kernel.

Each case says in NumPy, of a mask of broken inputs, what must be broken: outputs first, then one gradient per operand.
Both ways of an operation are run, the kernel and plain operations (which serve what is small).
"""

from __future__ import annotations

import numpy as np
import pytest
from tinygrad import Tensor

from gattn_tg.ops import cross_entropy as cross_entropy_module
from gattn_tg.ops import lookup, norm, pooling
from gattn_tg.ops.activation import gelu
from gattn_tg.ops.attention.merge import merge
from gattn_tg.ops.convolution import convolution
from gattn_tg.ops.cross_entropy import cross_entropy
from gattn_tg.ops.linear import linear
from gattn_tg.ops.lookup import rows_at, rows_of
from gattn_tg.ops.norm import layer_norm
from gattn_tg.ops.poisson import poisson, softplus
from gattn_tg.ops.pooling import halved

RNG = np.random.default_rng(0)
BROKEN = (np.nan, np.inf, -np.inf)


def numbers(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def on(array):
    return Tensor(array, device="CPU").realize()


def called(function, *arrays):
    """Output of an operation and the gradients of its operands, where the loss weighs every output by 1."""
    tensors = [on(x) for x in arrays]
    y = function(*tensors)
    gradients = y.sum().gradient(*tensors)
    Tensor.realize(y, *gradients)
    return [x.numpy() for x in (y, *gradients)]


def is_broken(*arrays):
    return [~np.isfinite(x) for x in arrays]


def where(shape, *places):
    mask = np.zeros(shape, bool)
    for place in places:
        mask[place] = True
    return mask


@pytest.mark.parametrize("activation", [None, "gelu", "relu"])
@pytest.mark.parametrize("rows_", [24, 400], ids=["plain", "kernel"])
def test_linear_breaks_one_row_and_the_columns_of_the_weight_that_met_it(activation, rows_):
    x, weight, bias = numbers(rows_, 40), numbers(33, 40), numbers(33)
    x[rows_ - 1, 7] = np.nan
    y, dx, dw, db = called(lambda *t: linear(*t, activation=activation), x, weight, bias)
    assert np.array_equal(np.isnan(y), where(y.shape, rows_ - 1))
    assert not np.isnan(dx[:-1]).any()
    assert np.isnan(dx[-1]).all() == (activation == "gelu"), "the slopes of relu and of the identity are 1 at nan"
    assert np.isnan(dw[:, 7]).all()
    assert np.isnan(dw).sum() in (33, dw.size), "one column, or where slopes are nan all"
    assert np.isnan(db).all() == (activation == "gelu")


@pytest.mark.parametrize("way", ["kernel", "plain"])
def test_layer_norm_breaks_one_row(way, monkeypatch):
    if way == "plain":
        monkeypatch.setattr(norm, "on_one_cpu", lambda x: False)
    for value in BROKEN:
        x = numbers(37, 70)
        x[36, 69] = value
        y, dx, dw, db = called(lambda *t: (layer_norm(*t) * on(numbers(37, 70))), x, numbers(70), numbers(70))
        assert np.array_equal(is_broken(y)[0], where(y.shape, 36))
        assert np.array_equal(is_broken(dx)[0], where(dx.shape, 36))
        assert np.isnan(dw[69])
        assert np.isfinite(db).all()


@pytest.mark.parametrize("n", [60, 700], ids=["plain", "kernel"])
def test_convolution_breaks_the_rows_whose_windows_hold_it(n):
    x, weight = numbers(2, n, 4), numbers(32, 4, 5)
    for row in (0, n // 2, n - 1):
        broken = x.copy()
        broken[0, row, 1] = np.nan
        y, dx, dw = called(convolution, broken, weight)
        seen = slice(max(0, row - 2), row + 3)
        assert np.array_equal(np.isnan(y), where(y.shape, (0, seen)))
        assert np.isfinite(dx).all()
        assert not np.isnan(dw[:, [0, 2, 3]]).any()
        assert np.isnan(dw[:, 1, 2]).all()


@pytest.mark.parametrize("n", [60, 700], ids=["plain", "kernel"])
def test_convolution_passes_broken_gradients_to_the_rows_of_their_windows(n):
    x, weight, factor = numbers(2, n, 4), numbers(32, 4, 5), np.ones((2, n, 32), np.float32)
    factor[1, n - 2, 3] = np.nan
    _, dx, dw = called(lambda x, w: convolution(x, w) * on(factor), x, weight)
    assert np.array_equal(np.isnan(dx), where(dx.shape, (1, slice(n - 4, n))))
    assert np.array_equal(np.isnan(dw), where(dw.shape, 3))


@pytest.mark.parametrize("way", ["kernel", "plain"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_shows_a_broken_row_that_counts_and_no_other(way, smoothing, monkeypatch):
    if way == "plain":
        monkeypatch.setattr(cross_entropy_module, "on_one_cpu", lambda x: False)
    labels = np.arange(37) % 7
    labels[5] = -1
    for column in (0, 6):
        for row, value in ((5, np.nan), (5, np.inf), (36, np.nan)):
            logits = numbers(37, 7)
            logits[row, column] = value
            loss, dx = called(lambda x: cross_entropy(x, on(labels), smoothing)[0], logits)
            assert np.isnan(loss) == (row == 36)
            assert np.array_equal(np.isnan(dx).any(1), where(37, *([36] if row == 36 else [])))


@pytest.mark.parametrize("way", ["kernel", "plain"])
@pytest.mark.parametrize("place", [6, 7])
def test_pooling_never_hides_one_of_its_two_rows(way, place, monkeypatch):
    if way == "plain":
        monkeypatch.setattr(pooling, "on_one_cpu", lambda x: False)
    x, factor = numbers(2, 10, 5), np.ones((2, 5, 5), np.float32)
    x[1, place, 2], factor[0, 4, 1] = np.nan, np.nan
    y, dx = called(lambda x: halved(x) * on(factor), x)
    assert np.array_equal(np.isnan(y), where(y.shape, (1, 3, 2), (0, 4, 1)))
    taken = 8 + int(x[0, 9, 1] > x[0, 8, 1])
    assert np.array_equal(np.isnan(dx), where(dx.shape, (0, taken, 1)))
    assert dx[1, place, 2] == 1
    assert dx[1, 13 - place, 2] == 0


@pytest.mark.parametrize("way", ["kernel", "plain", "large table"])
def test_rows_of_a_table_keep_to_themselves(way, monkeypatch):
    if way == "plain":
        monkeypatch.setattr(lookup, "on_one_cpu", lambda x: False)
    if way == "large table":
        monkeypatch.setattr(lookup, "LARGEST_TABLE", 1)
    table, ids, factor = numbers(6, 5), np.arange(20, dtype=np.int32).reshape(4, 5) % 5, np.ones((4, 5, 5), np.float32)
    table[2, 3], table[5], factor[1, 1, 2] = np.nan, np.inf, np.nan  # nobody looks row 5 up
    y, dtable = called(lambda t: rows_of(t, on(ids)) * on(factor), table)
    true = np.isnan(table[ids]) | np.isnan(factor)
    assert np.array_equal(np.isnan(y), true)
    assert np.array_equal(np.isnan(dtable), where(dtable.shape, (1, 2)))
    assert (dtable[5] == 0).all()


@pytest.mark.parametrize("function", [softplus, gelu, lambda x: x.exp(), lambda z: poisson(z.abs(), z * 0 + 1)])
def test_elementwise_operations_show_nan(function):
    x = numbers(70)
    x[33] = np.nan
    y, dx = called(function, x)
    assert np.array_equal(np.isnan(y), where(70, 33)) if y.ndim else np.isnan(y)
    assert np.array_equal(np.isnan(dx), where(70, 33))


def test_two_halves_of_the_keys_are_merged_with_their_nan():
    lse = np.array([0.5, np.nan, -np.inf, -np.inf, -np.inf], np.float32)
    other_lse = np.array([np.nan, 0.5, -np.inf, np.nan, 0.25], np.float32)
    o = np.where(np.isneginf(lse), 0, lse)[None, None, :, None].astype(np.float32)
    other = np.where(np.isneginf(other_lse), 0, other_lse)[None, None, :, None].astype(np.float32)
    mixed, total = merge(*(on(x) for x in (o, lse[None, None], other, other_lse[None, None])))
    np.testing.assert_array_equal(total.numpy()[0, 0], np.array([np.nan, np.nan, -np.inf, np.nan, 0.25], np.float32))
    np.testing.assert_array_equal(mixed.numpy()[0, 0, :, 0], np.array([np.nan, np.nan, 0, np.nan, 0.25], np.float32))


@pytest.mark.parametrize("device", [None, ("CPU:0", "CPU:1")])
def test_rows_at_places_are_those_of_their_own_batch_row_with_its_nan(device: tuple[str, ...] | None) -> None:
    x = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)
    x[0, 1] = np.nan
    places = np.array([[1, 4], [0, 1]], np.int32)
    given, at = (Tensor(a) if device is None else Tensor(a).shard(device, axis=0) for a in (x, places))
    found = rows_at(given, at).numpy()
    np.testing.assert_array_equal(found, x[np.arange(2)[:, None], places])
