"""Products by distance: the reference against the double loop, plain tensors against the reference, and refusals."""

from __future__ import annotations

import numpy as np
import pytest
from reference import double_loop
from tinygrad import Tensor

from gattn_tg import MotifBias, Rope, attention
from gattn_tg.errors import ShapeError, UnsupportedError
from gattn_tg.ops.attention import lazy
from gattn_tg.ops.attention.cases import Case
from gattn_tg.reference import Bias, attention_backward
from gattn_tg.reference import Rope as ReferenceRope
from gattn_tg.reference import attention as reference

C = 6  # width of the relative queries and keys; q and k have 8
CASES = (
    Case("square"),
    Case("more_keys", n=37, m=41, h=4, g=2, d=4, kind="pair", lengths=(41, 24), segments=2),
    Case("fewer_keys", n=43, m=37, kind="key", per_head=True, is_causal=True, rope={}, window_size=(9, None)),
)


def relative(case: Case) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(case.n + case.m)
    return draw.normal(size=(case.b, case.h, case.n, C)), draw.normal(size=(case.h, case.n + case.m - 1, C))


def gradients(found) -> list[np.ndarray]:
    return [x for x in (found.dq, found.dk, found.dv, *found.drelative, found.dtable) if x is not None]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_reference_agrees_with_the_double_loop(case: Case) -> None:
    x = case.inputs()
    keywords = {**x.keywords(Bias, ReferenceRope, np.asarray), "relative": relative(case)}
    for found, true in zip(reference(x.q, x.k, x.v, return_lse=True, **keywords),
                           double_loop.attention(x.q, x.k, x.v, **keywords), strict=True):  # fmt: skip
        np.testing.assert_allclose(found, true, rtol=0, atol=1e-12)
    ours, theirs = (f(x.do, x.q, x.k, x.v, dlse=x.dlse, **keywords)
                    for f in (attention_backward, double_loop.attention_backward))
    for found, true in zip(gradients(ours), gradients(theirs), strict=True):
        np.testing.assert_allclose(found, true, rtol=0, atol=1e-12)


@pytest.mark.parametrize("case", CASES[1:], ids=str)
def test_auto_falls_back_to_plain_tensors_which_keep_to_the_reference(case: Case) -> None:
    """float32 sums of at most 43 terms of size 1: outputs and all six gradients within 2e-6 of the largest."""
    x = case.inputs().rounded(lambda array: array.astype(np.float32).astype(np.float64))
    by_distance = tuple(a.astype(np.float32) for a in relative(case))
    true = x.keywords(Bias, ReferenceRope, np.asarray)
    o, lse = reference(x.q, x.k, x.v, return_lse=True, relative=by_distance, **true)
    of_truth = attention_backward(x.do, x.q, x.k, x.v, relative=by_distance, **true)
    q, k, v, do, table, *both = (Tensor(np.asarray(a, np.float32)).realize()
                                 for a in (x.q, x.k, x.v, x.do, x.table, *by_distance))
    keywords = x.keywords(MotifBias, Rope, lambda a: Tensor(np.asarray(a)).realize(), table=table)
    found, found_lse = attention(q, k, v, return_lse=True, relative=(both[0], both[1]), **keywords)
    wanted = [q, k, v, *both, *([] if case.kind is None else [table])]
    learnt = (found * do).sum().gradient(*wanted)
    Tensor.realize(found, found_lse, *learnt)
    for got, expected in zip((found, found_lse, *learnt), (o, lse, *gradients(of_truth)), strict=True):
        got, is_finite = got.numpy(), np.isfinite(expected)
        np.testing.assert_array_equal(got[~is_finite], expected[~is_finite])
        largest = np.abs(expected[is_finite]).max()
        np.testing.assert_allclose(got[is_finite], expected[is_finite], rtol=0, atol=2e-6 * largest)


def test_large_products_are_taken_head_by_head_and_small_ones_together(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)
    q, k, v, of_q, of_k = (draw.normal(size=s).astype(np.float32) for s in (
        (1, 4, 5, 6), (1, 2, 5, 6), (1, 2, 5, 7), (1, 4, 5, 2), (4, 9, 2)))
    monkeypatch.setattr(lazy, "SMALL", 0)
    found = attention(*map(Tensor, (q, k, v)), relative=(Tensor(of_q), Tensor(of_k))).numpy()
    np.testing.assert_allclose(found, reference(q, k, v, relative=(of_q, of_k)), rtol=0, atol=1e-6)


def test_a_broken_relative_number_reaches_the_queries_that_see_it_alone() -> None:
    n, (of_q, of_k) = 5, (np.ones((1, 1, 5, 2)), np.ones((1, 9, 2)))
    of_q[0, 0, 1, 0], of_k[0, 8, 1] = np.nan, np.inf  # query 1; distance 4, which is query 0 and key 4
    q = np.ones((1, 1, n, 4))
    true = reference(q, q, q, relative=(of_q, of_k), window_size=4)
    assert np.isnan(true[0, 0]).any(-1).tolist() == [True, True, False, False, False]
    x, a, b = (Tensor(array.astype(np.float32)) for array in (q, of_q, of_k))
    np.testing.assert_allclose(attention(x, x, x, relative=(a, b), window_size=4).numpy(), true, atol=1e-6)
    unseen = attention(x, x, x, relative=(a, b), window_size=3).numpy()
    assert np.isnan(unseen[0, 0]).any(-1).tolist() == [False, True, False, False, False]


def test_relative_factors_that_do_not_fit_are_refused_and_so_are_kernels_without_them() -> None:
    q = Tensor.zeros(1, 2, 5, 4)
    with pytest.raises(ShapeError, match=r"relative queries of floats of shape \(1, 2, 5\) and a width, got"):
        attention(q, q, q, relative=(Tensor.zeros(1, 2, 4, 3), Tensor.zeros(2, 9, 3)))
    with pytest.raises(ShapeError, match=r"shape \(2, 9, 3\), one for each distance from -4 to 4, got"):
        attention(q, q, q, relative=(Tensor.zeros(1, 2, 5, 3), Tensor.zeros(2, 8, 3)))
    for impl in ("loops", "simt", "mma"):
        with pytest.raises(UnsupportedError, match=r"it adds no products by distance \(relative=\)"):
            attention(q, q, q, relative=(Tensor.zeros(1, 2, 5, 3), Tensor.zeros(2, 9, 3)), impl=impl)
