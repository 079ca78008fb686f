"""Causal motif ids of a sequence that grows base by base."""

from __future__ import annotations

from collections import deque

import numpy as np

from gattn_tg.motif.causal import lookback
from gattn_tg.motif.iupac import masks
from gattn_tg.motif.rules import Consensus, Rule
from gattn_tg.motif.sites import strands
from gattn_tg.motif.vocabulary import MotifVocabulary
from gattn_tg.seq.alphabet import N
from gattn_tg.seq.strand import reverse_complement


class Follower:
    """`push(base)` gives what `causal_ids` gives for the last base of all bases pushed so far.

    All consensus patterns run as one automaton, a bit per letter of a pattern: a set bit means that the pattern fits
    the last bases up to that letter. The other rules look at the last bases again, which costs some 50 us each.

    Args:
        vocabulary: the motif classes.

    Source: Baeza-Yates and Gonnet 1992, Communications of the ACM 35:74 (shift-and).
    """

    def __init__(self, vocabulary: MotifVocabulary) -> None:
        classes = dict(enumerate(vocabulary.classes, start=1))
        # from the lowest to the highest, as `causal_ids` paints; the highest bit that matches is then the winner
        order = sorted(classes, key=lambda k: (classes[k].priority, -k))
        self._rank = {k: rank for rank, k in enumerate(order)} | {0: -1}
        self._fits = [0] * (N + 1)  # base -> letters of patterns that it fits
        self._first = self._last = 0
        self._id_at: dict[int, int] = {}
        self._others: list[tuple[int, str, Rule]] = []
        at = 0
        for k in order:
            rule = classes[k].rule
            for strand in strands(classes[k]):
                if type(rule) is not Consensus:  # a measured site is one, but letters do not show it
                    self._others.append((k, strand, rule))
                    continue
                for pattern in rule.patterns:
                    letters = masks(reverse_complement(pattern) if strand == "-" else pattern)
                    self._first |= 1 << at
                    for i, bits in enumerate(letters):
                        for base in range(N):
                            self._fits[base] |= (bits >> base & 1) << (at + i)
                    at += len(letters)
                    self._last |= 1 << (at - 1)
                    self._id_at[at - 1] = k
        self._state = 0
        self._tail: deque[int] = deque(maxlen=lookback(vocabulary))

    def push(self, base: int) -> int:
        """Append a base id, N included, and return its causal motif id."""
        self._state = (self._state << 1 | self._first) & self._fits[base]
        matched = self._state & self._last
        best = self._id_at[matched.bit_length() - 1] if matched else 0
        if self._others:
            self._tail.append(base)
            tail = np.array(self._tail, dtype=np.uint8)
            for k, strand, rule in self._others:
                if self._rank[k] > self._rank[best]:
                    last = rule.last_bases(tail, reverse=strand == "-")
                    if last.size and last[-1] == len(tail) - 1:
                        best = k
        return best
