"""Scores are numbers, or there is an error: NaN and infinity never leave a model as an answer."""

from __future__ import annotations

import numpy as np

from gattn_tg.errors import DivergedError
from gattn_tg.types import Float


def finite(scores: Float[np.ndarray, "..."], of: str) -> Float[np.ndarray, "..."]:
    """The scores as they are.

    Args:
        scores: What a model says.
        of: Whose they are, for the message.

    Raises:
        DivergedError: Some are NaN or infinite; tells how many.
    """
    if n := scores.size - int(np.isfinite(scores).sum()):
        raise DivergedError(
            f"{of}: expected finite scores, got {n:,} of {scores.size:,} that are NaN or infinite: the weights are too "
            "large; take an earlier checkpoint, or train with a lower learning_rate"
        )
    return scores
