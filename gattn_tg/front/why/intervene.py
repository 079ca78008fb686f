"""From a trained model, sequences and names of motifs to what the motifs do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from gattn_tg.errors import ConfigError
from gattn_tg.explain.attribution.target import SequenceTarget
from gattn_tg.explain.interventions.changed import Ask, Rows
from gattn_tg.explain.interventions.insertion import Put, effect, effect_of_pair
from gattn_tg.explain.interventions.named import named, words
from gattn_tg.explain.interventions.removal import removed
from gattn_tg.front.asked_model import AskedModel
from gattn_tg.front.sequences import Sequences, ids_of
from gattn_tg.front.why.interventions import NOTHING, Insertion, Insertions, Interval, Removal, Removals
from gattn_tg.front.why.subjects import network_of
from gattn_tg.metrics.chance import mean
from gattn_tg.motif import MotifClass, annotate
from gattn_tg.types import Float

ROWS_AT_ONCE = 1 << 12  # that are annotated in one pass
STRANDS = "+-"
Counted = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class Layouts:
    """Where and how motifs are put in; the fields are the arguments of `Trained.marginalize`.

    Raises:
        ConfigError: an option out of its range, or two that exclude each other.
    """

    strands: str = STRANDS
    positions: Sequence[int] | None = None
    distances: Sequence[int] | None = None
    sampled: bool = False
    shuffle: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.strands or not set(self.strands) <= set(STRANDS) or len(set(self.strands)) < len(self.strands):
            raise ConfigError(f"marginalize: expected as strands +, - or +-, got {self.strands!r}; correct it")
        if self.positions is not None and self.distances is not None:
            raise ConfigError("marginalize: expected positions of one motif or distances of two, got both; leave one "
                              "out")
        for what, several in (("positions", self.positions), ("distances", self.distances)):
            if several is not None and (not several or min(several) < 0 or len(set(several)) < len(several)):
                raise ConfigError(f"marginalize: expected as {what} different whole numbers from 0 up, got "
                                  f"{list(several)}; correct them")


def asking(
    model: AskedModel, target: str | None, batch_size: int, both_strands: bool | None = None
) -> tuple[Ask, str, str]:
    """What gives the answers of rows, of both strands their mean where asked for, what they are of, and their unit.

    Raises:
        UnsupportedError: a model that says nothing of whole sequences.
        ConfigError: no such target, or none where there are several.
    """
    found = SequenceTarget.of(model.checkpoint)
    chosen = found.one(target)
    run = network_of(model, found, batch_size, model.over_strands(both_strands))

    def ask(rows: Rows) -> Float[np.ndarray, "b"]:
        told = []
        for first in range(0, len(rows.bases), ROWS_AT_ONCE):
            some = slice(first, first + ROWS_AT_ONCE)
            told.append(run(rows.bases[some], annotate(rows.bases[some], model.vocabulary), rows.lengths[some]))
        answers: np.ndarray = np.concatenate(told)[:, chosen].astype(np.float64)
        return answers

    return ask, found.readout.labels[chosen], found.unit


def rows_of(model: AskedModel, sequences: Sequences) -> Rows:
    """Sequences as padded rows.

    Raises:
        FormatError: a malformed one, or one longer than the model can read.
    """
    records = list(model.records(sequences))
    for record in records:
        model.require_length(record)
    rows = [ids_of(record) for record in records]
    return Rows.of(rows, model.width(max(map(len, rows))))


def insertions(
    model: AskedModel, sequences: Sequences, motifs: str | Iterable[str], layouts: Layouts, *, target: str | None,
    matrices: str | Path | None, batch_size: int, both_strands: bool | None, counted: Counted | None,
) -> Insertions:  # fmt: skip
    """What motifs do when they are put in; see `Trained.marginalize`."""
    chosen = named([motifs] if isinstance(motifs, str) else motifs, model.vocabulary, matrices)
    if layouts.distances is not None and len(chosen) != 2:
        raise ConfigError(f"marginalize: expected two motifs for distances, got {len(chosen)}; name two")
    ask, label, unit = asking(model, target, batch_size, both_strands)
    backgrounds = rows_of(model, sequences)
    backgrounds = backgrounds.shuffled(layouts.seed) if layouts.shuffle else backgrounds
    n = len(backgrounds.bases)
    without = ask(backgrounds)
    drawn = [words(motif, n, layouts.seed + k if layouts.sampled else None) for k, motif in enumerate(chosen)]
    found = []
    for one in _pairs(chosen, layouts) if layouts.distances is not None else _singles(chosen, layouts):
        puts = _puts(one, backgrounds, chosen, drawn)
        if len(puts) == 1:
            own, beyond = effect(ask, backgrounds, without, puts[0], layouts.seed)
        else:
            own, beyond = effect_of_pair(ask, backgrounds, without, *puts)
        found.append(one._replace(n=n, effect=_interval(own), beyond=_interval(beyond)))
        if counted is not None:
            counted(n)
    colours = {motif.name: motif.colour for motif in chosen}
    return Insertions(n=n, target=label, unit=unit, colours=colours, found=tuple(found), is_shuffled=layouts.shuffle)


def removals(
    model: AskedModel, sequences: Sequences, motifs: str | Iterable[str], *, target: str | None, shuffles: int,
    seed: int, matrices: str | Path | None, batch_size: int, both_strands: bool | None, counted: Counted | None,
) -> Removals:  # fmt: skip
    """What motifs do when they are taken out; see `Trained.ablate`."""
    if shuffles < 1:
        raise ConfigError(f"ablate: shuffles: expected a number from 1 up, got {shuffles}; correct it")
    chosen = named([motifs] if isinstance(motifs, str) else motifs, model.vocabulary, matrices)
    ask, label, unit = asking(model, target, batch_size, both_strands)
    rows = rows_of(model, sequences)
    answers, others, found = ask(rows), [rows.shuffled(seed + k) for k in range(shuffles)], []
    for motif in chosen:
        one = removed(ask, rows, answers, motif, others, seed=seed)
        told = map(_interval, (one.effect, one.control, one.effect - one.control))
        found.append(Removal(motif.name, len(one.rows), one.n_sites, *told))
        if counted is not None:
            counted(len(one.rows))
    colours = {motif.name: motif.colour for motif in chosen}
    return Removals(n=len(rows.bases), target=label, unit=unit, colours=colours, found=tuple(found))


def _singles(motifs: Sequence[MotifClass], layouts: Layouts) -> list[Insertion]:
    return [
        Insertion((motif.name,), strand, position, None, 0, NOTHING, NOTHING)
        for motif in motifs for strand in ("+" if motif.rule.is_symmetric else layouts.strands)
        for position in ([None] if layouts.positions is None else layouts.positions)
    ]  # fmt: skip


def _pairs(motifs: Sequence[MotifClass], layouts: Layouts) -> list[Insertion]:
    strands = ["+" if motif.rule.is_symmetric else layouts.strands for motif in motifs]
    names = tuple(motif.name for motif in motifs)
    return [Insertion(names, "".join(both), None, distance, 0, NOTHING, NOTHING)
            for both in product(*strands) for distance in layouts.distances or ()]


def _puts(
    one: Insertion, backgrounds: Rows, motifs: Sequence[MotifClass], drawn: Sequence[Sequence[np.ndarray]]
) -> list[Put]:
    """The motifs of a layout at their places.

    Raises:
        ConfigError: a background that is too short for it.
    """
    names = [motif.name for motif in motifs]
    several = [drawn[names.index(name)] for name in one.motifs]
    widths = [np.array([len(word) for word in words]) for words in several]
    total = np.sum(widths, axis=0) + (one.distance or 0) * (len(widths) - 1)
    starts = (backgrounds.lengths - total) // 2 if one.position is None else np.full(len(total), one.position)
    wrong = np.flatnonzero((starts < 0) | (starts + total > backgrounds.lengths))
    if wrong.size:
        raise ConfigError(f"marginalize: expected backgrounds of at least {int((starts + total)[wrong[0]])} bases for "
                          f"{one.name}, got one of {int(backgrounds.lengths[wrong[0]])}; leave it out, or choose "
                          "other places")
    found = []
    for word, width, strand in zip(several, widths, one.strands, strict=True):
        found.append(Put(word, starts, np.full(len(starts), strand == "-")))
        starts = starts + width + (one.distance or 0)
    return found


def _interval(values: Float[np.ndarray, "n"]) -> Interval:
    return Interval(*(float(x[0]) for x in mean(values[:, None])))
