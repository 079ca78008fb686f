"""Motifs put into backgrounds: what one does to an answer, and what two do together at a distance.

Source: marginalisation of motifs as in Nair et al. 2022, Bioinformatics 38:2397, and `tangermeme.marginalize`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gattn_tg.explain.interventions.changed import Ask, Rows
from gattn_tg.seq import N
from gattn_tg.seq.strand import reverse_complement
from gattn_tg.types import Bool, Float, Int, UInt8

Words = Sequence[UInt8[np.ndarray, "w"]]


class Put(NamedTuple):
    """A motif to put in: a word for each background, where its first base goes, and whether it is turned around.

    The bases of the background stay where a word has N.
    """

    words: Words
    starts: Int[np.ndarray, "b"]
    reverse: Bool[np.ndarray, "b"]


def inserted(backgrounds: Rows, *several: Put) -> Rows:
    """The backgrounds with motifs in them; bases are replaced, so that no sequence becomes longer."""
    bases = backgrounds.bases.copy()
    for put in several:
        for row, word, start, is_turned in zip(bases, put.words, put.starts.tolist(), put.reverse.tolist(),
                                               strict=True):  # fmt: skip
            letters = reverse_complement(word) if is_turned else word
            here = row[start : start + len(letters)]
            row[start : start + len(letters)] = np.where(letters == N, here, letters)
    return backgrounds._replace(bases=bases)


def effect(
    ask: Ask, backgrounds: Rows, without: Float[np.ndarray, "b"], put: Put, seed: int = 0
) -> tuple[Float[np.ndarray, "b"], Float[np.ndarray, "b"]]:
    """What a motif does, and how much of it is beyond what its letters do in another order at the same place.

    Args:
        ask: gives the answers.
        backgrounds: any.
        without: their answers.
        put: the motif.
        seed: of the orders, one for each background.
    """
    rng = np.random.default_rng(seed)
    own = ask(inserted(backgrounds, put)) - without
    letters = put._replace(words=[another_order(word, rng) for word in put.words])
    return own, own - (ask(inserted(backgrounds, letters)) - without)


def effect_of_pair(
    ask: Ask, backgrounds: Rows, without: Float[np.ndarray, "b"], one: Put, other: Put
) -> tuple[Float[np.ndarray, "b"], Float[np.ndarray, "b"]]:
    """What two motifs do together, and how much of it is beyond the sum of what each does alone at its place."""
    together, *alone = (ask(inserted(backgrounds, *puts)) - without for puts in ((one, other), (one,), (other,)))
    return together, together - sum(alone)


def another_order(word: UInt8[np.ndarray, "w"], rng: np.random.Generator) -> UInt8[np.ndarray, "w"]:
    """The letters of a word in a random order that is not the word; the word where there is none."""
    if len(set(word.tolist())) == 1:
        return word
    while True:
        found: np.ndarray = rng.permutation(word)
        if (found != word).any():
            return found
