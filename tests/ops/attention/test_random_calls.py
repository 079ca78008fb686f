"""A few random calls against float64; `python tests/random_calls.py 300` runs many."""

from __future__ import annotations

import dataclasses

import broken_numbers
import numpy as np
import promise
import pytest
import random_calls
from tinygrad import dtypes

from gattn_tg.ops.attention.cases import Case


@pytest.mark.parametrize(("seed", "impl"), [(1, "lazy"), (14, "loops"), (32, "loops"), (1264, "loops")])
def test_random_calls_agree_with_float64(seed, impl):
    assert not random_calls.faults(seed, impl)


@pytest.mark.parametrize("impl", ["lazy", "loops"])
def test_products_of_bfloat16_are_summed_unrounded(impl):
    """Scores of magnitude 100: rounded products would put lse off by several tenths."""
    case = Case("plain")
    x = case.inputs()
    x = dataclasses.replace(x, q=10 * x.q, k=10 * x.k).rounded(promise.rounding("bfloat16"))
    lse, true = broken_numbers.answers(x, impl, "CPU", dtypes.bfloat16)[1], broken_numbers.truth(x)[1]
    np.testing.assert_allclose(lse, true, rtol=2e-6, atol=1e-5)
