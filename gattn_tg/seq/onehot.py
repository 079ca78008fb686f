"""One-hot, the form in which other genomic tools exchange sequence."""

from __future__ import annotations

import numpy as np

from gattn_tg.seq.alphabet import N
from gattn_tg.types import Float, UInt8


def one_hot(ids: UInt8[np.ndarray, "... n"]) -> Float[np.ndarray, "... 4 n"]:
    """Return float32 one-hot channels in the order A C G T; N has no channel, so its column is zero.

    Example:
        >>> one_hot(np.array([1, 4], dtype=np.uint8)).tolist()
        [[0.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    """
    channels = np.arange(N, dtype=np.uint8)[:, None]
    channel_first: np.ndarray = np.asarray(ids)[..., None, :] == channels
    return channel_first.astype(np.float32)
