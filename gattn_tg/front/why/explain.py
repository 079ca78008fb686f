"""From a trained model and sequences to what its answers rest on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gattn_tg.errors import ConfigError
from gattn_tg.explain.attribution.gradients import Gradients, InputGradient, PathGradient
from gattn_tg.explain.attribution.mutagenesis import Mutagenesis
from gattn_tg.explain.attribution.sequences import Asked, Attribution
from gattn_tg.explain.attribution.strands import BothStrands
from gattn_tg.explain.attribution.target import SequenceTarget, Target
from gattn_tg.front.asked_model import AskedModel
from gattn_tg.front.attention import motif_attention
from gattn_tg.front.sequences import Sequences
from gattn_tg.front.why.explanations import SHOWN, Explanations
from gattn_tg.front.why.subjects import Subject, captured, subject_of, window_bp
from gattn_tg.io import Genome, Record
from gattn_tg.score.along import check_places, intervals_of
from gattn_tg.seq import Interval

METHODS = ("mutagenesis", "gradient", "integrated", "expected")
STEPS, REFERENCES = 64, 16
BASES_AT_ONCE = 1 << 17  # of a batch, so that long windows need no more memory than many short ones
Counted = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class Question:
    """How an answer is explained.

    Args:
        method: one of `METHODS`; None takes the gradient along a sequence, and mutagenesis elsewhere.
        target: class, label, value, base or track; None as `Trained.explain` says.
        at: the base, or the bases from the first up to the second, whose answer is explained; None as there.
        stretch: mutagenesis: only these bases are changed.
        head: of models of tracks.
        hold_motifs: mutagenesis: keep the motif ids of the sequence in every mutant.
        steps: integrated and expected: places on the ways where the gradient is taken.
        references: expected: shuffles of every sequence.
        seed: of the shuffles.
        batch_size: rows per call of the network.
        with_attention: also where the model looks, for the sequences that a page shows.
        both_strands: the answer is the mean over both strands; None where training turned strands.
    """

    method: str | None = None
    target: str | None = None
    at: int | tuple[int, int] | None = None
    stretch: tuple[int, int] | None = None
    head: str | None = None
    hold_motifs: bool = False
    steps: int = STEPS
    references: int = REFERENCES
    seed: int = 0
    batch_size: int = 64
    with_attention: bool = True
    both_strands: bool | None = None

    def __post_init__(self) -> None:
        if self.method is not None and self.method not in METHODS:
            raise ConfigError(f"explain: expected as method one of {', '.join(METHODS)}, got {self.method!r}; correct "
                              "it")
        for name in ("steps", "references", "batch_size"):
            if getattr(self, name) < 1:
                raise ConfigError(f"explain: {name}: expected a number from 1 up, got {getattr(self, name)}; correct "
                                  "it")
        for name in ("at", "stretch"):
            value = getattr(self, name)
            first, last = (0, 1) if value is None else (value, value + 1) if isinstance(value, int) else value
            if not 0 <= first < last:
                raise ConfigError(f"explain: {name}: expected bases from 0 up, the first before the end, got {value}; "
                                  "correct it")


def explained(
    model: AskedModel, sequences: Sequences, question: Question, counted: Counted | None = None
) -> Explanations:
    """What the bases of sequences give to what a model says of them; see `Trained.explain`."""
    return _explained(model, list(model.records(sequences)), question, counted)


def explained_places(
    model: AskedModel, genome: Sequences, where: str | Interval | Iterable[str | Interval] | Path, question: Question,
    counted: Counted | None = None,
) -> Explanations:
    """The same for places in a genome, contig by contig.

    Of models of tracks and of sites the answer is that of the place, or of `at` in it; the window of training around
    its middle is what is explained.

    Raises:
        ConfigError: the genome is no file, or no place is named.
        CoordinateError: a place outside the genome, or two that overlap, which a BigWig file cannot hold.
    """
    if not isinstance(genome, str | Path):
        raise ConfigError(f"explain: expected the FASTA file of a genome with places in it, got "
                          f"{type(genome).__name__}; name the file, or leave the places out")
    with Genome(genome) as opened:
        order = {chrom: i for i, chrom in enumerate(opened.sizes)}
        found = sorted(intervals_of(where) or [], key=lambda place: (order.get(place.chrom, len(order)), place.start))
        if not found:
            raise ConfigError("explain: expected at least one place in the genome, got none; name one")
        check_places(found, opened.sizes, is_bigwig=True)
        sizes, wide = dict(opened.sizes), window_bp(model, question.head)
        seen = found if wide is None else [_around(place, wide) for place in found]
        check_places([_inside(place, sizes) for place in seen], sizes, is_bigwig=True)
        records = [Record(str(place), "", opened.fetch(window, pad=True))
                   for place, window in zip(found, seen, strict=True)]  # fmt: skip
    offsets = [place.start - window.start if place.strand != "-" else window.end - place.end
               for place, window in zip(found, seen, strict=True)]  # fmt: skip
    inner = None if wide is None else [(k, k + len(place)) for k, place in zip(offsets, found, strict=True)]
    return replace(_explained(model, records, question, counted, inner), places=tuple(seen), sizes=sizes)


def _explained(
    model: AskedModel, records: list[Record], question: Question, counted: Counted | None,
    inner: list[tuple[int, int]] | None = None,
) -> Explanations:  # fmt: skip
    """Explanations of records; `inner` are the bases of each whose answer is asked where `at` counts from them."""
    for record in records:
        model.require_length(record)
    both = model.over_strands(question.both_strands)
    subject = subject_of(model, records, question.target, question.at, question.head, inner, question.batch_size, both)
    method = question.method or subject.usual
    if question.hold_motifs and method != "mutagenesis":
        raise ConfigError(f"explain: expected hold_motifs for mutagenesis only, got {method}, which counts "
                          "bases and motifs apart; leave it out")
    if question.stretch is not None and method != "mutagenesis":
        raise ConfigError(f"explain: expected a stretch for mutagenesis only, got {method}, which costs the same "
                          "for all bases; leave it out")
    batch = min(question.batch_size, max(BASES_AT_ONCE // subject.asked.bases.shape[1], 1))
    ask = _method(model, subject, replace(question, method=method, batch_size=batch, both_strands=both))
    found: list[Attribution] = []
    for one in model.each_here(ask(subject.asked, subject.wanted)):
        found.append(one)
        if counted is not None:
            counted(1)
    with_attention = question.with_attention and not model.config.weighs_motifs
    looks = [motif_attention(model, record) for record in subject.records[:SHOWN]] if with_attention else []
    return Explanations(
        names=tuple(record.name for record in records), sequences=tuple(subject.rows), targets=subject.told,
        attributions=tuple(found), method=method, unit=subject.target.unit, vocabulary=model.vocabulary,
        attention=tuple(looks),
    )  # fmt: skip


def _method(
    model: AskedModel, subject: Subject, question: Question
) -> Callable[[Asked, np.ndarray], Iterator[Attribution]]:
    """The method, with its network captured once for equal options."""
    target: Target = subject.target
    key, size = (type(target), question.head, question.batch_size), question.batch_size
    both = bool(question.both_strands)
    if question.method == "mutagenesis":
        run = captured(model, target, size) if isinstance(target, SequenceTarget) else None
        return model.held(("mutagenesis", key, question.hold_motifs, question.stretch, both), lambda: Mutagenesis(
            target, model.vocabulary, size, question.hold_motifs, question.stretch, both, run))
    gradients = model.held(("gradients", key), lambda: Gradients(target, size))
    shuffles = question.references if question.method == "expected" else 0
    method = InputGradient(gradients) if question.method == "gradient" else PathGradient(
        gradients, model.vocabulary, question.steps, shuffles, question.seed)  # fmt: skip
    return BothStrands(method, model.vocabulary) if both else method


def _around(place: Interval, wide: int) -> Interval:
    """A window of so many bases around the middle of a place."""
    start = (place.start + place.end - wide) // 2
    return replace(place, start=start, end=start + wide)


def _inside(window: Interval, sizes: dict[str, int]) -> Interval:
    """What of a window lies in its contig."""
    return replace(window, start=max(window.start, 0), end=min(window.end, sizes[window.chrom]))
