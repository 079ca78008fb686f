"""Words of byte-pair encoding: neighbours are joined, the pair that training found first before all others."""

from __future__ import annotations

import functools
import heapq
from collections.abc import Sequence

import numpy as np

from gattn_tg.seq import decode
from gattn_tg.types import Int, UInt8

NONE = -1  # where no word begins


class Pairs:
    """Cuts sequences into words.

    Args:
        pieces: the words, each in its row.
        merges: pairs of words that are joined to one, "TA TA", the first ones first.

    Source: Sennrich, Haddow and Birch 2016, ACL, p. 1715.
    """

    def __init__(self, pieces: Sequence[str], merges: Sequence[str]) -> None:
        self.row = {piece: i for i, piece in enumerate(pieces)}
        self.rank = {tuple(pair.split(" ")): i for i, pair in enumerate(merges)}

    def starts(self, bases: UInt8[np.ndarray, "n"], unknown: int) -> Int[np.ndarray, "n"]:
        """The row of the word that begins at each base; NONE where none does, `unknown` at a letter that is no word."""
        text: list[str | None] = [letter if letter in self.row else None for letter in decode(bases)]
        n = len(text)
        left, right = list(range(-1, n - 1)), list(range(1, n + 1))
        is_word = [True] * n
        heap: list[tuple[int, int, str | None, str | None]] = []

        def offer(i: int) -> None:
            if i >= 0 and right[i] < n:
                pair = text[i], text[right[i]]
                if (rank := self.rank.get(pair)) is not None:  # type: ignore[arg-type]
                    heapq.heappush(heap, (rank, i, *pair))

        for i in range(n):
            offer(i)
        while heap:
            _, i, first, second = heapq.heappop(heap)
            j = right[i]
            if not is_word[i] or j >= n or (text[i], text[j]) != (first, second):
                continue  # one of the two was joined with another in the meantime
            assert first is not None
            assert second is not None
            text[i], is_word[j] = first + second, False
            right[i] = right[j]
            if right[i] < n:
                left[right[i]] = i
            offer(left[i])
            offer(i)
        found = np.full(n, NONE, np.int32)
        for i in range(n):
            if is_word[i]:
                word = text[i]
                found[i] = unknown if word is None else self.row[word]
        return found


@functools.lru_cache(maxsize=4)
def pairs(pieces: tuple[str, ...], merges: tuple[str, ...]) -> Pairs:
    """The same for equal words."""
    return Pairs(pieces, merges)
