"""From trained models and two groups of sequences to the motifs and positions that tell the groups apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gattn_tg.errors import ConfigError
from gattn_tg.explain.attribution.seqlets import seqlets
from gattn_tg.explain.evidence import Tested, agreed, of_effects, of_labels
from gattn_tg.explain.interventions.changed import Places, Rows, places
from gattn_tg.explain.interventions.insertion import Put, Words, effect
from gattn_tg.explain.interventions.named import all_named, words
from gattn_tg.explain.interventions.removal import removed
from gattn_tg.front.asked_model import AskedModel
from gattn_tg.front.attention import motif_excess
from gattn_tg.front.sequences import Sequences
from gattn_tg.front.why.discoveries import Discoveries, Position
from gattn_tg.front.why.explain import Question, explained
from gattn_tg.front.why.intervene import Counted, asking, rows_of
from gattn_tg.motif import MotifClass
from gattn_tg.types import Bool, Float, Int

BINS = 30  # of a sequence, for positions


@dataclass(frozen=True, kw_only=True)
class Search:
    """How motifs are looked for; the fields are the arguments of `Trained.discover`.

    `method` is one of `front.why.explain.METHODS`; None takes gradients, and mutagenesis where a model has none in its
    bases.

    Raises:
        ConfigError: an option out of its range.
    """

    target: str | None = None
    matrices: str | Path | None = None
    method: str | None = None
    backgrounds: int = 64
    shuffles: int = 4
    asked: int = 40
    seed: int = 0
    batch_size: int = 64
    both_strands: bool | None = None

    def __post_init__(self) -> None:
        for name in ("backgrounds", "shuffles", "asked", "batch_size"):
            if getattr(self, name) < 1:
                raise ConfigError(f"discover: {name}: expected a number from 1 up, got {getattr(self, name)}; correct "
                                  "it")


def discovered(
    models: Sequence[AskedModel], positives: Sequences, negatives: Sequences, search: Search,
    counted: Counted | None = None,
) -> Discoveries:
    """What tells positives from negatives; see `Trained.discover`."""
    if search.method is None:
        has_gradients = all(model.config.has_base_gradients for model in models)
        search = replace(search, method="gradient" if has_gradients else "mutagenesis")
    assert search.method is not None
    rows, positive = _groups(models[0], positives, negatives)
    motifs = all_named(models[0].vocabulary, search.matrices)
    sites = [places(motif, rows.bases) for motif in motifs]
    label, unit = asking(models[0], search.target, search.batch_size, search.both_strands)[1:]
    contributions = [_contributions(model, rows, label, search, counted) for model in models]
    joint = np.mean(contributions, axis=0)
    hits = of_labels(_hits(joint, rows, sites), positive, search.seed)
    order = np.argsort(hits.p, kind="stable")[: search.asked]
    insertion = [[np.zeros(0)] * len(motifs) for _ in models]
    removal = [[np.zeros(0)] * len(motifs) for _ in models]
    for k, model in enumerate(models):
        for m in order.tolist():
            insertion[k][m], removal[k][m] = _interventions(model, rows, positive, motifs[m], sites[m], label, search)
            if counted is not None:
                counted(search.backgrounds)
    put_in, taken_out = (of_effects([np.mean(values, axis=0) for values in zip(*several, strict=True)], search.seed)
                         for several in (insertion, removal))  # fmt: skip
    attention = _attention(models, rows, positive, motifs, search)
    found = agreed(hits, put_in)
    return Discoveries(
        n_positive=int(positive.sum()), n_negative=int((~positive).sum()), n_models=len(models), target=label,
        method=search.method, unit=unit, motifs=tuple(motifs), shares=_shares(sites, positive), hits=hits,
        insertion=put_in, removal=taken_out, attention=attention, agree=_agree(insertion, put_in), found=found,
        positions=_positions(joint, rows, positive, search.seed),
    )  # fmt: skip


def _groups(model: AskedModel, positives: Sequences, negatives: Sequences) -> tuple[Rows, Bool[np.ndarray, "s"]]:
    """Both groups as rows of one width.

    Raises:
        ConfigError: a sequence that is in both groups, or a group of one sequence.
    """
    several = [rows_of(model, sequences) for sequences in (positives, negatives)]
    width = max(rows.bases.shape[1] for rows in several)
    texts = [{row[:n].tobytes() for row, n in zip(*rows, strict=True)} for rows in several]
    if both := texts[0] & texts[1]:
        raise ConfigError(f"discover: expected positives that are not among the negatives, got {len(both):,} sequences "
                          "in both; leave them out")
    for name, rows in zip(("positives", "negatives"), several, strict=True):
        if len(rows.bases) < 2:
            raise ConfigError(f"discover: expected two {name} or more, got {len(rows.bases)}; give more")
    together = [row[:n] for rows in several for row, n in zip(*rows, strict=True)]
    positive = np.arange(len(together)) < len(several[0].bases)
    return Rows.of(together, width), positive


def _contributions(
    model: AskedModel, rows: Rows, label: str, search: Search, counted: Counted | None
) -> Float[np.ndarray, "s n"]:
    """What every base gives to the answer, by its letter and by its motif id."""
    question = Question(method=search.method, target=label, batch_size=search.batch_size, with_attention=False,
                        both_strands=search.both_strands)
    found = np.zeros(rows.bases.shape)
    told = explained(model, [row[:n] for row, n in zip(*rows, strict=True)], question, counted).attributions
    for held, one in zip(found, told, strict=True):
        held[: len(one.contributions)] = one.contributions + one.by_motif
    return found


def _hits(contributions: Float[np.ndarray, "s n"], rows: Rows, sites: Sequence[Places]) -> Float[np.ndarray, "s m"]:
    """How many places of each motif overlap a stretch that the answer rests on."""
    inside = np.zeros((rows.bases.shape[0], rows.bases.shape[1] + 1), np.int64)
    for k, n in enumerate(rows.lengths.tolist()):
        for one in seqlets(contributions[k, :n]):
            inside[k, 1 + one.start : 1 + one.end] = 1
    sums = inside.cumsum(1)
    found = np.zeros((len(rows.bases), len(sites)))
    for m, some in enumerate(sites):
        touched = sums[some.rows, some.ends] > sums[some.rows, some.starts]
        found[:, m] = np.bincount(some.rows[touched], minlength=len(found))
    return found


def _interventions(
    model: AskedModel, rows: Rows, positive: Bool[np.ndarray, "s"], motif: MotifClass, sites: Places, label: str,
    search: Search,
) -> tuple[Float[np.ndarray, "b"], Float[np.ndarray, "k"]]:  # fmt: skip
    """What a motif does in shuffled negatives where positives have it, beyond its letters; and what is missing without
    it in positives, beyond random places.

    A model of aligned sequences may take a motif for one class at one place and for the other a base further on. So
    what is put in are sites of positives as they stand there: their letters, their place and their strand, drawn anew
    for every background and shuffle. Of a motif that no positive has it is the likeliest word in the middle.
    """
    ask = asking(model, label, search.batch_size, search.both_strands)[0]
    backgrounds = rows.taken(np.flatnonzero(~positive)[: search.backgrounds]).shuffled(search.seed)
    without, drawn = ask(backgrounds), []
    for k in range(search.shuffles):
        put = _as_they_stand(rows, sites, positive, backgrounds, search.seed + k) or _in_the_middle(motif, backgrounds)
        if put.starts.min() < 0:
            break  # a background is shorter than the motif
        drawn.append(effect(ask, backgrounds, without, put, search.seed + k)[1])
    put_in: np.ndarray = np.mean(drawn, axis=0) if drawn else np.zeros(0)
    own = rows.taken(np.flatnonzero(positive))
    with_it = np.unique(places(motif, own.bases).rows)[: search.backgrounds]
    if not len(with_it):
        return put_in, np.zeros(0)
    some = own.taken(with_it)
    others = [some.shuffled(search.seed + k) for k in range(search.shuffles)]
    missing = removed(ask, some, ask(some), motif, others, seed=search.seed)
    return put_in, missing.effect - missing.control


def _as_they_stand(
    rows: Rows, sites: Places, positive: Bool[np.ndarray, "s"], backgrounds: Rows, seed: int
) -> Put | None:
    """Sites of positives, one drawn for each background; None where positives have none."""
    here = np.flatnonzero(positive[sites.rows])
    if not len(here):
        return None
    drawn = np.random.default_rng(seed).choice(here, len(backgrounds.bases))
    spans = zip(*(column[drawn].tolist() for column in sites), strict=True)
    return _put([rows.bases[row, start:end] for row, start, end in spans], sites.starts[drawn], backgrounds)


def _in_the_middle(motif: MotifClass, backgrounds: Rows) -> Put:
    word = words(motif, len(backgrounds.bases))
    return _put(word, (backgrounds.lengths - len(word[0])) // 2, backgrounds)


def _put(word: Words, starts: Int[np.ndarray, "b"], backgrounds: Rows) -> Put:
    """Words at their places, or where they end with a background that is shorter; below 0 where it has no room."""
    room = backgrounds.lengths - np.array([len(letters) for letters in word])
    return Put(word, np.minimum(starts, room), np.zeros(len(word), bool))


def _attention(
    models: Sequence[AskedModel], rows: Rows, positive: Bool[np.ndarray, "s"], motifs: Sequence[MotifClass],
    search: Search,
) -> Tested:
    """How much more attention than its share of bases a motif receives, in positives against negatives.

    nan for motifs that are not in the vocabularies of the models; only the first sequences of each group are asked.
    """
    asked = [np.flatnonzero(group)[: search.backgrounds] for group in (positive, ~positive)]
    chosen = np.concatenate(asked)
    values, known = np.zeros((len(chosen), len(motifs))), np.ones(len(motifs), bool)
    for model in models:
        names = {name: k for k, name in enumerate(model.vocabulary.names)}
        known &= np.array([motif.name in names for motif in motifs]) & (not model.config.weighs_motifs)
        if not known.any():
            break
        excess = motif_excess(model, rows.bases[chosen], rows.lengths[chosen])
        known &= not np.isnan(excess).any()
        values += np.stack([excess[:, names.get(motif.name, 0)] for motif in motifs], axis=1)
    columns = np.flatnonzero(known)
    told = np.full((5, len(motifs)), np.nan)
    if len(columns):
        is_positive = np.arange(len(chosen)) < len(asked[0])
        told[:, columns] = of_labels(values[:, columns] / len(models), is_positive, search.seed)
    return Tested(*told)


def _shares(sites: Sequence[Places], positive: Bool[np.ndarray, "s"]) -> Float[np.ndarray, "m 2"]:
    """Share of the positives, and of the negatives, that have a motif."""
    has = np.array([np.isin(np.arange(len(positive)), some.rows) for some in sites]).reshape(len(sites), -1)
    return np.stack([has[:, positive].mean(1), has[:, ~positive].mean(1)], axis=1)


def _agree(insertion: Sequence[Sequence[np.ndarray]], together: Tested) -> Int[np.ndarray, "m"]:
    """In how many models the effect of insertion points as it does on the mean."""
    signs = np.array([[np.sign(values.mean()) if len(values) else 0 for values in one] for one in insertion])
    found: np.ndarray = (signs == np.sign(together.value)).sum(0)
    return found


def _positions(
    contributions: Float[np.ndarray, "s n"], rows: Rows, positive: Bool[np.ndarray, "s"], seed: int
) -> tuple[Position, ...]:
    """What stretches of the sequences give to answers, in positives against negatives; () where lengths differ."""
    n = int(rows.lengths[0])
    if (rows.lengths != n).any():
        return ()
    edges = np.unique(np.linspace(0, n, min(BINS, n) + 1).astype(int))
    sums = np.add.reduceat(contributions[:, :n], edges[:-1], axis=1)
    tested = of_labels(sums, positive, seed)
    return tuple(Position(int(start), int(end), *map(float, one)) for start, end, *one in
                 zip(edges[:-1], edges[1:], *tested, strict=True))  # fmt: skip
