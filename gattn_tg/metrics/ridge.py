"""Ridge regression on more numbers than rows, its penalty chosen by leaving out each row in turn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gattn_tg.types import Float

PENALTIES = tuple(10.0 ** (i / 2) for i in range(-6, 5))  # of squares of weights, in mean squared lengths of rows


def ridge(
    x: Float[np.ndarray, "n f"], y: Float[np.ndarray, "n o"], penalties: Sequence[float] = PENALTIES
) -> tuple[Float[np.ndarray, "f o"], Float[np.ndarray, "n o"]]:
    """Weights whose sums x w fit y best, and what each row would be told by weights that the other rows give.

    The squared error and penalty * |w|^2 times the mean squared length of a row are least together. Of the penalties,
    one for all columns of y, that one is taken which tells left-out rows best.

    Args:
        x: rows about 0; there is no level.
        y: what came true of each.
        penalties: those to choose from.

    Numerics: products of rows in the precision of x, the rest in float64. Time O(n^2 f + n^3), memory O(n^2).

    Source: leaving out one row without a fit for each, Golub, Heath and Wahba 1979, Technometrics 21:215.
    """
    products = (x @ x.T).astype(np.float64)
    size = float(np.trace(products)) / len(x) or 1.0
    values, vectors = np.linalg.eigh(products / size)
    along = vectors.T @ y
    best: tuple[float, np.ndarray, np.ndarray] | None = None
    for penalty in penalties:
        inverse = 1.0 / (np.maximum(values, 0.0) + penalty)
        row_weights = vectors @ (inverse[:, None] * along)
        left_out = y - row_weights / ((vectors**2) @ inverse)[:, None]
        error = float(((y - left_out) ** 2).sum())
        if best is None or error < best[0]:
            best = error, row_weights, left_out
    assert best is not None
    return x.T @ (best[1] / size).astype(x.dtype), best[2]
