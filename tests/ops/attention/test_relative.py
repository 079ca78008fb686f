"""Products by distance: the reference against the double loop, implementations against the reference, and refusals."""

from __future__ import annotations

import math

import numpy as np
import promise
import pytest
from reference import double_loop
from tinygrad import Tensor, dtypes

from gattn_tg import MotifBias, Rope, attention
from gattn_tg.errors import ShapeError, UnsupportedError
from gattn_tg.machine import threads
from gattn_tg.ops.attention import loops
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
# more than one block of keys, chunk of rows and unit; sizes that fill none
PAST_TILES = (
    Case("past_tiles", n=67, m=131, d=16, e=12, kind="key", is_causal=True, lengths=(131, 70), rope={}, slopes=True),
    Case("more_chunks", b=1, n=200, m=300, h=4, g=2, kind="pair", window_size=(50, 30)),
    Case("decode", n=1, m=70, kind="ordered", segments=2),
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


def rounded(case: Case, dtype: str = "float32"):
    """The arrays of a case and both factors, as a dtype stores them."""
    x = case.inputs().rounded(promise.rounding(dtype))
    return x, tuple(promise.rounding(dtype)(a) for a in relative(case))


def answers(case: Case, x, by_distance, impl: str, dtype: str = "float32", place=lambda a, _: a) -> list[np.ndarray]:
    """o, lse, and the gradients of q, k, v, both factors and the table, of sum(o do) + sum of finite lse dlse."""
    def tensor(a, kind=dtype):
        return place(Tensor(np.asarray(a, np.float32)).cast(getattr(dtypes, kind)), a).realize()

    q, k, v, of_q, of_k = map(tensor, (x.q, x.k, x.v, *by_distance))
    do, dlse, table = (tensor(a, "float32") for a in (x.do, x.dlse, x.table))
    keywords = x.keywords(MotifBias, Rope, lambda a: place(Tensor(np.asarray(a)), a).realize(), table=table)
    o, lse = attention(q, k, v, return_lse=True, relative=(of_q, of_k), impl=impl, **keywords)
    loss = (o.float() * do).sum() + (lse != -np.inf).where(lse * dlse, 0.0).sum()
    gradients = loss.gradient(q, k, v, of_q, of_k, *([] if case.kind is None else [table]))
    Tensor.realize(o, lse, *gradients)
    return [a.float().numpy() for a in (o, lse, *gradients)]


def truth(x, by_distance) -> list[np.ndarray]:
    """The same in float64."""
    keywords = {**x.keywords(Bias, ReferenceRope, np.asarray), "relative": by_distance}
    o, lse = reference(x.q, x.k, x.v, return_lse=True, **keywords)
    return [o, lse, *gradients(attention_backward(x.do, x.q, x.k, x.v, dlse=x.dlse, **keywords))]


def check_all(found: list[np.ndarray], true: list[np.ndarray], tolerance: float) -> None:
    for got, expected in zip(found, true, strict=True):
        is_finite = np.isfinite(expected)
        np.testing.assert_array_equal(got[~is_finite], expected[~is_finite])
        largest = np.abs(expected[is_finite]).max(initial=0)
        np.testing.assert_allclose(got[is_finite], expected[is_finite], rtol=0, atol=tolerance * largest)


@pytest.mark.parametrize("case", CASES[1:], ids=str)
def test_plain_tensors_keep_to_the_reference(case: Case) -> None:
    """float32 sums of at most 43 terms of size 1: outputs and all six gradients within 2e-6 of the largest."""
    x, by_distance = rounded(case)
    check_all(answers(case, x, by_distance, "lazy"), truth(x, by_distance), 2e-6)


@pytest.mark.parametrize("case", [*CASES, *PAST_TILES], ids=str)
def test_one_kernel_each_way_keeps_to_the_reference(case: Case) -> None:
    x, by_distance = rounded(case)
    check_all(answers(case, x, by_distance, "loops"), truth(x, by_distance), 2e-6)


@pytest.mark.parametrize(("dtype", "tolerance"), [("bfloat16", 2**-7), ("float16", 2**-10)])
def test_half_precision_is_rounded_at_the_end_alone(dtype: str, tolerance: float) -> None:
    """Sums are float32, so what differs is the rounding of o, in the slopes too, and of the gradients."""
    x, by_distance = rounded(PAST_TILES[0], dtype)
    check_all(answers(PAST_TILES[0], x, by_distance, "loops", dtype), truth(x, by_distance), tolerance)


def test_kernels_give_the_same_bits_again_and_on_any_number_of_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    x, by_distance = rounded(PAST_TILES[1])
    first = answers(PAST_TILES[1], x, by_distance, "loops")
    again = answers(PAST_TILES[1], x, by_distance, "loops")
    monkeypatch.setattr(threads, "count", lambda: 5)
    for a, b, c in zip(first, again, answers(PAST_TILES[1], x, by_distance, "loops"), strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)


def test_memory_of_kernels_grows_with_n_and_not_with_its_square(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    launch = loops.launch

    def counted(kernel, outputs, *others):
        taken.append(sum(math.prod(output.shape) for output in outputs))
        return launch(kernel, outputs, *others)

    monkeypatch.setattr(loops, "launch", counted)
    for n in (8192, 16384):
        q, of_k = Tensor.empty(1, 1, n, 8), Tensor.empty(1, 2 * n - 1, 8)
        attention(q, q, q, relative=(q, of_k), impl="loops").sum().gradient(q, of_k)
    small, large = (sum(taken[i : i + 2]) for i in (0, 2))
    assert large < 2.1 * small
    assert large < 16384**2 / 2


@pytest.mark.parametrize("axis", [0, 1])
def test_two_devices_are_one(axis: int) -> None:
    case = Case("sharded", h=4, g=2, n=6, m=9, d=4, kind="pair", t=3, per_head=True, lengths=(9, 4))
    x, by_distance = rounded(case)
    # rows: keys of distances and the table on both; heads: they go where their head is, ids and lengths on both
    axes = {id(by_distance[1]): (None, 0)[axis], id(x.table): (None, 0)[axis]}

    def cut(made: Tensor, a: np.ndarray) -> Tensor:
        is_per_row = np.asarray(a).dtype.kind in "iu"
        return made.shard(("CPU:0", "CPU:1"), axis=axes.get(id(a), (0, None)[axis] if is_per_row else axis))

    for ours, whole in zip(answers(case, x, by_distance, "loops", place=cut), answers(case, x, by_distance, "loops"),
                           strict=True):  # fmt: skip
        np.testing.assert_allclose(ours, whole, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("impl", ["lazy", "loops"])
def test_a_broken_relative_number_reaches_the_queries_that_see_it_alone(impl: str) -> None:
    n, (of_q, of_k) = 5, (np.ones((1, 1, 5, 2)), np.ones((1, 9, 2)))
    of_q[0, 0, 1, 0], of_k[0, 8, 1] = np.nan, np.inf  # query 1; distance 4, which is query 0 and key 4
    q = np.ones((1, 1, n, 4))
    true = reference(q, q, q, relative=(of_q, of_k), window_size=4)
    assert np.isnan(true[0, 0]).any(-1).tolist() == [True, True, False, False, False]
    x, a, b = (Tensor(array.astype(np.float32)) for array in (q, of_q, of_k))
    np.testing.assert_allclose(attention(x, x, x, relative=(a, b), window_size=4, impl=impl).numpy(), true, atol=1e-6)
    unseen = attention(x, x, x, relative=(a, b), window_size=3, impl=impl).numpy()
    assert np.isnan(unseen[0, 0]).any(-1).tolist() == [False, True, False, False, False]


def test_gradients_of_kernels_are_broken_where_those_of_the_reference_are() -> None:
    case = PAST_TILES[0]  # whose kernels are there
    x, (of_q, of_k) = rounded(case)
    of_q[0, 1, 9, 3], of_q[1, 0, 40, 0], of_k[0, 6, 2], x.do[1, 1, 20, 5] = np.nan, np.inf, -np.inf, np.nan
    check_all(answers(case, x, (of_q, of_k), "loops"), truth(x, (of_q, of_k)), 2e-6)


def test_large_finite_factors_make_no_gradient_nan() -> None:
    draw = np.random.default_rng(1)
    q = Tensor(draw.normal(size=(1, 1, 70, 8)).astype(np.float32))
    of_q, of_k = (Tensor((draw.normal(size=s) * 1e37).astype(np.float32)) for s in ((1, 1, 70, 8), (1, 139, 8)))
    o = attention(q, q, q, relative=(of_q, of_k), impl="loops")
    for found in (o, *(o * o).sum().gradient(q, of_q, of_k)):
        assert np.isfinite(found.numpy()).all()


def test_relative_factors_that_do_not_fit_are_refused_and_so_are_kernels_without_them() -> None:
    q = Tensor.zeros(1, 2, 5, 4)
    with pytest.raises(ShapeError, match=r"relative queries of floats of shape \(1, 2, 5\) and a width, got"):
        attention(q, q, q, relative=(Tensor.zeros(1, 2, 4, 3), Tensor.zeros(2, 9, 3)))
    with pytest.raises(ShapeError, match=r"shape \(2, 9, 3\), one for each distance from -4 to 4, got"):
        attention(q, q, q, relative=(Tensor.zeros(1, 2, 5, 3), Tensor.zeros(2, 8, 3)))
    with pytest.raises(UnsupportedError, match=r"anchors do not go together with products by distance"):
        attention(q, q, q, relative=(Tensor.zeros(1, 2, 5, 3), Tensor.zeros(2, 9, 3)), impl="loops", window_size=1,
                  anchors=Tensor([[2]]))  # fmt: skip
    with pytest.raises(UnsupportedError, match=r"relative factors of a width of at most 256, got 257"):
        attention(q, q, q, relative=(Tensor.zeros(1, 2, 5, 257), Tensor.zeros(2, 9, 257)), impl="loops")
    with pytest.raises(UnsupportedError, match=r"relative factors of float32, float16 or bfloat16, got"):
        attention(q, q, q, relative=(Tensor.zeros(1, 2, 5, 3, dtype="float64"), Tensor.zeros(2, 9, 3)), impl="loops")
    for impl in ("simt", "mma"):
        with pytest.raises(UnsupportedError, match=r"it adds no products by distance \(relative=\)"):
            attention(q, q, q, relative=(Tensor.zeros(1, 2, 5, 3), Tensor.zeros(2, 9, 3)), impl=impl)
