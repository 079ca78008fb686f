"""Ridge regression: against the normal equations, and left-out rows against fits without them."""

from __future__ import annotations

import numpy as np

from gattn_tg.metrics.ridge import ridge


def test_weights_solve_the_normal_equations_and_left_out_rows_are_told_by_the_others() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((12, 30)), rng.standard_normal((12, 2))
    scaled = (x**2).sum() / len(x)

    def solved(rows: np.ndarray, penalty: float) -> np.ndarray:
        squares = x[rows].T @ x[rows] + penalty * scaled * np.eye(30)
        return np.linalg.solve(squares, x[rows].T @ y[rows])

    everything = np.arange(12)
    found, left_out = ridge(x, y, [0.3])
    np.testing.assert_allclose(found, solved(everything, 0.3), rtol=1e-8, atol=1e-10)
    for i in range(12):
        np.testing.assert_allclose(left_out[i], x[i] @ solved(everything[everything != i], 0.3), rtol=1e-8, atol=1e-10)


def test_noise_takes_the_largest_penalty_and_a_line_the_smallest() -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((40, 5))
    noise, line = rng.standard_normal((40, 1)), x @ np.arange(5.0)[:, None]
    assert np.abs(ridge(x, noise)[0]).max() < 0.1
    np.testing.assert_allclose(ridge(x, line)[0][:, 0], np.arange(5.0), atol=0.05)


def test_rows_without_a_number_give_none() -> None:
    found, left_out = ridge(np.zeros((4, 3)), np.ones((4, 1)))
    assert not found.any()
    assert not left_out.any()
