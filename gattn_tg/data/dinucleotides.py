"""Shuffles that keep every dinucleotide: the null model of a sequence."""

from __future__ import annotations

import numpy as np

from gattn_tg.errors import ShapeError
from gattn_tg.seq.alphabet import N
from gattn_tg.types import UInt8


def dinucleotide_shuffle(ids: UInt8[np.ndarray, "n"], seed: int, *key: int) -> UInt8[np.ndarray, "n"]:
    """Return a random sequence with exactly the dinucleotides of this one; all such sequences are equally likely.

    The sequence is a walk over its letters, each dinucleotide an edge. A random walk from every letter draws the last
    edge by which it is left, so that these form a tree towards the last letter; the other edges are shuffled. First
    and last letter stay, N is a letter like the others.

    Args:
        ids: base ids of one sequence.
        seed: together with `key`, for example the number of the sequence and of the shuffle, decides everything.

    Raises:
        ShapeError: more than one axis.

    Source: Altschul and Erickson (1985) Mol Biol Evol 2:526; trees by Wilson (1996) STOC, page 296.

    Example:
        >>> dinucleotide_shuffle(np.array([0, 1, 0, 2, 0, 3], dtype=np.uint8), seed=1).tolist()[::5]
        [0, 3]
    """
    ids = np.asarray(ids, dtype=np.uint8)
    if ids.ndim != 1:
        raise ShapeError(
            f"dinucleotide_shuffle: expected one sequence, got {ids.ndim} axes; shuffle row by row"
        )
    if len(ids) < 4:
        return ids.copy()  # no other sequence has these dinucleotides
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, *key))))
    edges = [ids[1:][ids[:-1] == letter] for letter in range(N + 1)]
    tree = _tree(edges, int(ids[-1]), random)
    queues = []
    for letter, following in enumerate(edges):
        order = random.permutation(following)
        if letter in tree:
            # One edge to the letter that the tree names goes last.
            at = int(np.flatnonzero(order == tree[letter])[0])
            order = np.append(np.delete(order, at), np.uint8(tree[letter]))
        queues.append(iter(order.tolist()))
    walk = [int(ids[0])]
    for _ in range(len(ids) - 1):
        walk.append(next(queues[walk[-1]]))
    return np.array(walk, dtype=np.uint8)


def _tree(edges: list[np.ndarray], root: int, random: np.random.Generator) -> dict[int, int]:
    """Return, for each letter that is left, the letter its last edge leads to: a uniform tree towards the root."""
    tree: dict[int, int] = {}
    inside = {root}
    for letter, following in enumerate(edges):
        at = letter
        way: dict[int, int] = {}
        while following.size and at not in inside:
            way[at] = int(random.choice(edges[at]))  # going round a loop overwrites it
            at = way[at]
        at = letter
        while following.size and at not in inside:
            tree[at] = way[at]
            inside.add(at)
            at = way[at]
    return tree
