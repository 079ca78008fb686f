"""Sequences as base ids, and several of them as one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gattn_tg.errors import ShapeError
from gattn_tg.seq.alphabet import N
from gattn_tg.seq.codec import encode
from gattn_tg.types import UInt8


def base_ids(sequence: str | bytes | UInt8[np.ndarray, "... n"], where: str) -> UInt8[np.ndarray, "... n"]:
    """Return letters as base ids, and base ids as they are.

    Raises:
        FormatError: a letter that is no nucleotide.
        ShapeError: base ids with neither one nor two axes; `where` begins the message.
    """
    ids = encode(sequence) if isinstance(sequence, str | bytes) else np.asarray(sequence)
    if ids.ndim not in (1, 2):
        raise ShapeError(
            f"{where}: expected one sequence (n) or one per row (N, n), got {ids.ndim} axes; "
            "reshape the base ids"
        )
    return ids


def as_one(
    ids: UInt8[np.ndarray, "... n"], behind: int = N
) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """Return all rows as one long sequence, and what gives values of its bases their shape back.

    An N behind each row, or another value, keeps motifs from crossing into the next.
    """
    if ids.ndim == 1:
        return ids, lambda values: values
    apart = np.pad(ids, ((0, 0), (0, 1)), constant_values=behind)
    return apart.ravel(), lambda values: values.reshape(apart.shape)[:, :-1]
