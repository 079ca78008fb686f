"""Text to base ids and back."""

from __future__ import annotations

import numpy as np

from gattn_tg.errors import FormatError
from gattn_tg.seq.alphabet import ENCODE, ILLEGAL, LETTERS, N
from gattn_tg.types import UInt8


def encode(sequence: str | bytes | bytearray) -> UInt8[np.ndarray, "n"]:
    """Return the base ids of a sequence.

    Args:
        sequence: nucleotide letters; case is ignored, U is read as T, IUPAC ambiguity letters as N.

    Returns:
        One id per letter, `A, C, G, T, N = 0..4`.

    Raises:
        FormatError: a character is no nucleotide letter.

    Example:
        >>> encode("ACGTNacgu").tolist()
        [0, 1, 2, 3, 4, 0, 1, 2, 3]
    """
    # Latin-1 keeps one byte per character, so a position in the bytes is a position in the text.
    raw = sequence.encode("latin-1", errors="replace") if isinstance(sequence, str) else bytes(sequence)
    ids = ENCODE[np.frombuffer(raw, dtype=np.uint8)]
    if ids.size and ids.max() == ILLEGAL:
        at = int(np.argmax(ids == ILLEGAL))
        came = sequence[at] if isinstance(sequence, str) else chr(sequence[at])
        raise FormatError(
            "sequence: expected nucleotide letters (A C G T U N and the IUPAC ambiguity letters), "
            f"got {came!r} at position {at} of {len(sequence)}, counted from 0; "
            "remove it, or is this a protein sequence?"
        )
    return ids


def decode(ids: UInt8[np.ndarray, "n"]) -> str:
    """Return the letters of base ids.

    Raises:
        FormatError: an id is not one of 0..4.

    Example:
        >>> decode(np.array([0, 1, 2, 3, 4], dtype=np.uint8))
        'ACGTN'
    """
    ids = np.asarray(ids)
    if ids.size and (ids.min() < 0 or ids.max() > N):
        bad = ids[(ids < 0) | (ids > N)][0]
        raise FormatError(
            f"decode: expected base ids 0..4, got {bad}; were motif ids passed as bases?"
        )
    letters: np.ndarray = np.frombuffer(LETTERS, dtype=np.uint8)[ids]
    return letters.tobytes().decode("ascii")
