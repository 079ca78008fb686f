"""Numerical derivatives by central differences: the judge of analytic gradients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gattn_tg.types import Float

# Truncation grows as step**4 and cancellation as 1e-16 / step; near 1e-3 both are about 1e-13 for values near 1.
STEP = 1e-3


def directional(
    f: Callable[[Float[np.ndarray, "*shape"]], float],
    x: Float[np.ndarray, "*shape"],
    direction: Float[np.ndarray, "*shape"],
    step: float = STEP,
) -> float:
    """Computes the derivative of f at x along a direction, `<grad f(x), direction>`, from four values of f.

    `(8 (f(x + hu) - f(x - hu)) - (f(x + 2hu) - f(x - 2hu))) / 12h`

    Args:
        f: Scalar function of one array.
        x: Where.
        direction: Which way, u; best of length near 1.
        step: h.

    Numerics: the error is of order `step**4` times the fifth derivative.
    """
    near = f(x + step * direction) - f(x - step * direction)
    far = f(x + 2 * step * direction) - f(x - 2 * step * direction)
    return (8 * near - far) / (12 * step)


def gradient(
    f: Callable[[Float[np.ndarray, "*shape"]], float], x: Float[np.ndarray, "*shape"], step: float = STEP
) -> Float[np.ndarray, "*shape"]:
    """Computes the gradient of f at x, one element after the other, with `directional`."""
    answer = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        unit = np.zeros(x.shape)
        unit[place] = 1.0
        answer[place] = directional(f, x, unit, step)
    return answer
