"""The other strand."""

from __future__ import annotations

from typing import overload

import numpy as np

from gattn_tg.seq.alphabet import COMPLEMENT, COMPLEMENT_LETTERS
from gattn_tg.types import UInt8


@overload
def reverse_complement(sequence: str) -> str: ...
@overload
def reverse_complement(sequence: bytes) -> bytes: ...
@overload
def reverse_complement(sequence: np.ndarray) -> np.ndarray: ...


def reverse_complement(sequence: str | bytes | UInt8[np.ndarray, "... n"]) -> str | bytes | np.ndarray:
    """Return the opposite strand, read in its own 5' to 3' direction.

    Args:
        sequence: letters, or base ids whose last axis is the sequence. Letters keep their case, and ambiguity
            letters their meaning (R becomes Y); other characters are left as they are; U becomes A.

    Example:
        >>> reverse_complement("AACGRn")
        'nYCGTT'
        >>> reverse_complement(np.array([0, 0, 1, 4], dtype=np.uint8)).tolist()
        [4, 2, 3, 3]
    """
    if isinstance(sequence, str):
        return sequence.encode("utf-8").translate(COMPLEMENT_LETTERS).decode("utf-8")[::-1]
    if isinstance(sequence, bytes):
        return sequence.translate(COMPLEMENT_LETTERS)[::-1]
    paired: np.ndarray = COMPLEMENT[sequence[..., ::-1]]
    return paired
