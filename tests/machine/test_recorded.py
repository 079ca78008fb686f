"""Functions captured at their first call answer as they would without being captured, and run in Python once."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor

from gattn_tg.machine.recorded import recorded


def test_a_function_runs_once_in_python_and_is_right_at_every_call() -> None:
    weight, calls = Tensor(np.arange(6, dtype=np.float32).reshape(2, 3)), []

    def run(x: Tensor) -> Tensor:
        calls.append(1)
        return (x @ weight).relu().realize()

    captured = recorded(run, [weight])
    rng = np.random.default_rng(0)
    for _ in range(3):
        x = rng.standard_normal((4, 2), dtype=np.float32)
        np.testing.assert_allclose(captured(Tensor(x)).numpy(), np.maximum(x @ weight.numpy(), 0), rtol=1e-6)
    weight.assign(weight * 2).realize()  # in place: a replay sees it
    np.testing.assert_allclose(captured(Tensor(x)).numpy(), np.maximum(x @ weight.numpy(), 0), rtol=1e-6)
    assert len(calls) == 1


def test_what_a_function_writes_goes_on_from_call_to_call() -> None:
    total = Tensor.zeros(3).contiguous()  # not memory yet

    def run(x: Tensor) -> Tensor:
        total.assign(total + x)
        return total.sum().realize(total)

    captured = recorded(run, [total])
    sums = [captured(Tensor(np.full(3, i, np.float32)).realize()).item() for i in range(1, 5)]
    assert sums == [3, 9, 18, 30]


def test_weights_that_were_not_drawn_yet_are_drawn_once() -> None:
    Tensor.manual_seed(7)
    weight = Tensor.rand(5)
    captured = recorded(lambda x: (x * weight).realize(), [weight])
    one = Tensor(np.ones(5, np.float32)).realize()
    first, second = (captured(one).numpy().copy() for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, weight.numpy())
