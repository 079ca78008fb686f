"""Consensus patterns in IUPAC letters: one bit per base, four bits per letter."""

from __future__ import annotations

from functools import cache

import numpy as np

from gattn_tg.errors import ConfigError
from gattn_tg.motif.spans import Spans
from gattn_tg.seq.alphabet import IUPAC, LETTERS
from gattn_tg.types import Int, UInt8

BITS = np.array([1, 2, 4, 8, 0], dtype=np.uint8)
"""Base id -> its bit. N has none: an unknown base is no evidence for any pattern, and padding stays invisible."""


@cache
def masks(pattern: str) -> tuple[int, ...]:
    """Return one set of base bits per letter of the pattern.

    Raises:
        ConfigError: the pattern is empty, all N, or has a letter that is not an IUPAC one.
    """
    bits = []
    for at, letter in enumerate(pattern):
        if letter not in IUPAC:
            raise ConfigError(
                f"motif pattern {pattern!r}: expected upper-case IUPAC letters ({''.join(IUPAC)}), "
                f"got {letter!r} at position {at}; U is written T"
            )
        bits.append(sum(1 << LETTERS.index(base) for base in IUPAC[letter].encode()))
    if set(bits) <= {15}:
        raise ConfigError(
            f"motif pattern {pattern!r}: expected at least one letter other than N, "
            f"got {pattern!r}; a pattern of any bases matches everywhere"
        )
    return tuple(bits)


def find_pattern(ids: UInt8[np.ndarray, "n"], pattern: str) -> Int[np.ndarray, "k"]:
    """Return the start of every match on the strand as given, overlapping ones included.

    Letters are tested from the most selective to the least: the first two over the whole sequence, the rest only
    where those agreed, so the cost is about two passes over the bytes whatever the pattern's length.

    Args:
        ids: base ids; N (4) matches no letter, not even a pattern's N.
        pattern: upper-case IUPAC letters.

    Raises:
        ConfigError: see `masks`.

    Example:
        >>> from gattn_tg.seq import encode
        >>> find_pattern(encode("CGCGNCG"), "CG").tolist()
        [0, 2, 5]
    """
    letters = masks(pattern)
    n_starts = len(ids) - len(letters) + 1
    if n_starts <= 0:
        return np.zeros(0, dtype=np.int64)
    bits = BITS[ids]
    order = sorted(range(len(letters)), key=lambda at: letters[at].bit_count())
    dense, sparse = order[:2], order[2:]
    agree = np.ones(n_starts, dtype=bool)
    for at in dense:
        agree &= (bits[at : at + n_starts] & letters[at]) != 0
    starts = np.flatnonzero(agree)
    for at in sparse:
        starts = starts[(bits[starts + at] & letters[at]) != 0]
    return starts


def find_patterns(ids: UInt8[np.ndarray, "n"], patterns: tuple[str, ...]) -> Spans:
    """Return the spans that any of the patterns matches on the strand as given; every score is 1."""
    found = [(find_pattern(ids, pattern), len(pattern)) for pattern in patterns]
    starts = np.concatenate([starts for starts, _ in found])
    ends = np.concatenate([starts + length for starts, length in found])
    if len(found) > 1:
        order = np.lexsort((ends, starts))
        starts, ends = starts[order], ends[order]
        again = np.zeros(len(starts), dtype=bool)
        again[1:] = (np.diff(starts) == 0) & (np.diff(ends) == 0)
        starts, ends = starts[~again], ends[~again]
    return Spans(starts, ends, np.ones(len(starts)))
