"""Pairs of motifs that a model reads: which two, how far apart, on which strands, and what they give to answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from gattn_tg.errors import counted
from gattn_tg.explain.drawings.page import section, table
from gattn_tg.models.classifier import ClassifierConfig
from gattn_tg.nn.motif_pairs import distances
from gattn_tg.score.table import Table
from gattn_tg.types import Float

MOST, SHOWN = 1000, 15  # pairs that are kept, and on the page: those that give most
STRANDS = "+-"


@dataclass(frozen=True, repr=False)
class ReadPairs(Table):
    """Pairs of motifs, those first that give most to an answer; 1,000 at most.

    Args:
        filters: place of the first motif among the filters of the model, and of the second.
        first: name of the motif that stands first: of the known one that it resembles most.
        first_strands: its strand.
        second: name of the motif behind it.
        second_strands: its strand.
        from_bp: least distance between the middles of both sites, in bases.
        to_bp: largest one.
        merges_strands: a pair stands for itself and for what it is on the other strand.
        answers: names of what the model answers: of two classes the second, as log odds.
        effects: what one standard deviation more of the pair gives to each answer.
    """

    filters: tuple[tuple[int, int], ...]
    first: tuple[str, ...]
    first_strands: tuple[str, ...]
    second: tuple[str, ...]
    second_strands: tuple[str, ...]
    from_bp: tuple[int, ...]
    to_bp: tuple[int, ...]
    merges_strands: bool
    answers: tuple[str, ...]
    effects: Float[np.ndarray, "p a"]

    @property
    def summary(self) -> str:
        """How many there are."""
        return counted(len(self.first), "pair")

    @property
    def header(self) -> list[str]:
        """Both motifs, their distance, and what they give to each answer."""
        return ["first", "strand", "second", "strand of second", "from bp", "to bp", "filters", *self.answers]

    def rows(self) -> Iterator[list[Any]]:
        """One per pair."""
        filters = (f"{one},{other}" for one, other in self.filters)
        columns = (self.first, self.first_strands, self.second, self.second_strands, self.from_bp, self.to_bp, filters)
        for row, effects in zip(zip(*columns, strict=True), self.effects.tolist(), strict=True):
            yield [*row, *effects]

    def drawn(self) -> str:
        """The section of a page."""
        rows = [[f"{first} {strand}", f"{second} {other}", f"{least} to {most}" if most > least else str(least),
                 *(f"{effect:+.3f}" for effect in effects)]
                for first, strand, second, other, least, most, _, *effects in islice(self.rows(), SHOWN)]  # fmt: skip
        about = "What one standard deviation more of two motifs at a distance gives. Distances are between the middles."
        turned = " A pair stands for itself and for what it is on the other strand." if self.merges_strands else ""
        return section("Pairs of motifs", about + turned,
                       table(["first", "then", "bases apart", *self.answers], rows), wide=True)  # fmt: skip


def read_pairs(
    config: ClassifierConfig, names: Sequence[str], answers: tuple[str, ...], effects: Float[np.ndarray, "p a"]
) -> ReadPairs:
    """The pairs that give most.

    Args:
        config: of the model.
        names: of its first `motif_pairs` filters.
        answers: names of the answers.
        effects: what one standard deviation of each number of `nn.motif_pairs.pair_sums` gives to each.
    """
    m, groups = config.motif_pairs, distances(config.pair_reach_bp)
    each = effects.reshape(len(groups), 2 * m, 2 * m, -1)
    if config.merge_strands:  # a before b is one number with b turned before a turned: the sum of both stands once
        other = (np.arange(2 * m) + m) % (2 * m)
        turned = each[:, other][:, :, other].swapaxes(1, 2)
        a, b = np.indices((2 * m, 2 * m))
        place, of_turned = a * 2 * m + b, other[b] * 2 * m + other[a]
        is_two, is_named = ((place < of_turned)[..., None], (place <= of_turned)[..., None])
        each = is_named * np.where(is_two, each + turned, each)
    size = np.abs(each).sum(-1).reshape(-1)
    order = np.argsort(-size, kind="stable")[:MOST]
    k, a, b = np.unravel_index(order[size[order] > 0], each.shape[:3])
    first, second = ((i % m).tolist() for i in (a, b))
    return ReadPairs(
        tuple(zip(first, second, strict=True)), tuple(names[i] for i in first), tuple(STRANDS[i // m] for i in a),
        tuple(names[i] for i in second), tuple(STRANDS[i // m] for i in b), tuple(groups[i][0] for i in k),
        tuple(groups[i][1] - 1 for i in k), config.merge_strands, answers, each[k, a, b],
    )  # fmt: skip
