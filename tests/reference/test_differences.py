"""The analytic gradients of the reference against central differences of its forward."""

from __future__ import annotations

import numpy as np
import pytest

from gattn_tg.ops.attention.cases import CASES
from gattn_tg.reference import Bias, Rope, attention, attention_backward, directional, gradient


def loss_of(x, name):
    """The scalar sum(do o) + sum(dlse lse) as a function of one of q, k, v, table."""
    seen = np.isfinite(attention(x.q, x.k, x.v, return_lse=True, **x.keywords(Bias, Rope, np.asarray))[1])

    def loss(value):
        arrays = {"q": x.q, "k": x.k, "v": x.v, "table": x.table, name: value}
        keywords = x.keywords(Bias, Rope, np.asarray, table=arrays["table"])
        o, lse = attention(arrays["q"], arrays["k"], arrays["v"], return_lse=True, **keywords)
        return float(np.sum(x.do * o) + np.sum((x.dlse * lse)[seen]))

    return loss


@pytest.mark.parametrize("case", CASES, ids=str)
def test_backward_agrees_with_central_differences_along_random_directions(case):
    x = case.inputs()
    gradients = attention_backward(x.do, x.q, x.k, x.v, dlse=x.dlse, **x.keywords(Bias, Rope, np.asarray))
    draw = np.random.default_rng(1)
    for name in ("q", "k", "v") if case.kind is None else ("q", "k", "v", "table"):
        analytic = getattr(gradients, f"d{name}")
        size = np.linalg.norm(analytic) + 1e-300
        for _ in range(2):
            u = draw.normal(size=analytic.shape)
            u /= np.linalg.norm(u)
            numerical = directional(loss_of(x, name), getattr(x, name), u)
            assert abs(np.sum(analytic * u) - numerical) <= 1e-10 * size, name


def test_gradient_of_a_cubic_is_exact():
    x = np.array([[1.0, -2.0], [0.5, 3.0]])
    np.testing.assert_allclose(gradient(lambda y: float(np.sum(y**3)), x), 3 * x**2, rtol=1e-11)


def test_directional_is_the_gradient_along_the_direction():
    x, u = np.array([1.0, 2.0]), np.array([0.3, -0.4])
    f = lambda y: float(np.exp(y[0]) * y[1])  # noqa: E731 - the formula is the name
    assert directional(f, x, u) == pytest.approx(np.e * (2 * 0.3 - 0.4), rel=1e-11)
