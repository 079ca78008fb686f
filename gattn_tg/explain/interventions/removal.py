"""Motifs taken out of sequences: their bases give way to those that a shuffle of the sequence has there.

Source: `tangermeme.ablate`, which shuffles the stretch itself; short words have too few shuffles of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gattn_tg.explain.interventions.changed import Ask, Places, Rows, places
from gattn_tg.motif import MotifClass
from gattn_tg.types import Float, Int


class Removed(NamedTuple):
    """What the removal of all sites of a motif does to the answers of the sequences that have one.

    Args:
        rows: which sequences have one.
        n_sites: in all of them; those that overlap are one.
        effect: the answer without them minus the answer with them, the mean over shuffles, for each sequence.
        control: the same when stretches of the same widths at random other places give way.
    """

    rows: Int[np.ndarray, "k"]
    n_sites: int
    effect: Float[np.ndarray, "k"]
    control: Float[np.ndarray, "k"]


def removed(
    ask: Ask, sequences: Rows, with_them: Float[np.ndarray, "b"], motif: MotifClass, shuffled: Sequence[Rows], *,
    seed: int = 0, most: int | None = None,
) -> Removed:  # fmt: skip
    """Take a motif out.

    Args:
        ask: gives the answers.
        sequences: any.
        with_them: their answers.
        motif: what is taken out.
        shuffled: the sequences shuffled, several times; every time gives one answer.
        seed: of the other places.
        most: so many sequences at most, the first ones that have a site; None takes all.
    """
    sites = places(motif, sequences.bases)
    rows = np.unique(sites.rows)[:most]
    sites = Places(*(column[np.isin(sites.rows, rows)] for column in sites))
    if not len(rows):
        return Removed(rows, 0, np.zeros(0), np.zeros(0))
    others = _elsewhere(sites, sequences, np.random.default_rng(seed))
    effect, control = (np.mean([ask(_given_way(sequences, rows, some, other)) for other in shuffled], axis=0)
                       - with_them[rows] for some in (sites, others))  # fmt: skip
    return Removed(rows, len(sites.rows), effect, control)


def _given_way(sequences: Rows, rows: Int[np.ndarray, "k"], sites: Places, other: Rows) -> Rows:
    """Some sequences, in which the bases of sites are those that other sequences have there."""
    found = sequences.taken(rows)
    at = np.searchsorted(rows, sites.rows)
    for k, row, start, end in zip(*(x.tolist() for x in (at, sites.rows, sites.starts, sites.ends)), strict=True):
        found.bases[k, start:end] = other.bases[row, start:end]
    return found


def _elsewhere(sites: Places, sequences: Rows, rng: np.random.Generator) -> Places:
    """Stretches of the same rows and widths, at random places."""
    widths = sites.ends - sites.starts
    room = sequences.lengths[sites.rows].astype(np.int64) - widths
    starts = (rng.random(len(widths)) * (room + 1)).astype(np.int64)
    return Places(sites.rows, starts, starts + widths)
