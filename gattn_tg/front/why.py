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
from gattn_tg.explain.attribution.target import Target
from gattn_tg.front.asked_model import AskedModel
from gattn_tg.front.attention import motif_attention
from gattn_tg.front.explanations import SHOWN, Explanations
from gattn_tg.front.sequences import Sequences, ids_of, records_of
from gattn_tg.io import Genome, Record
from gattn_tg.models.forward import Forward
from gattn_tg.score.along import check_places, intervals_of
from gattn_tg.seq import Interval

METHODS = ("mutagenesis", "gradient", "integrated", "expected")
STEPS, REFERENCES = 64, 16
Counted = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class Question:
    """How an answer is explained.

    Args:
        method: one of `METHODS`.
        target: class, label or value; None takes the class that the model predicts, or the only answer.
        hold_motifs: mutagenesis: keep the motif ids of the sequence in every mutant.
        steps: integrated and expected: places on the ways where the gradient is taken.
        references: expected: shuffles of every sequence.
        seed: of the shuffles.
        batch_size: rows per call of the network.
        with_attention: also where the model looks, for the sequences that a page shows.
    """

    method: str = "mutagenesis"
    target: str | None = None
    hold_motifs: bool = False
    steps: int = STEPS
    references: int = REFERENCES
    seed: int = 0
    batch_size: int = 64
    with_attention: bool = True

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ConfigError(f"explain: expected as method one of {', '.join(METHODS)}, got {self.method!r}; correct "
                              "it")
        for name in ("steps", "references", "batch_size"):
            if getattr(self, name) < 1:
                raise ConfigError(f"explain: {name}: expected a number from 1 up, got {getattr(self, name)}; correct "
                                  "it")
        if self.hold_motifs and self.method != "mutagenesis":
            raise ConfigError(f"explain: expected hold_motifs for mutagenesis only, got {self.method}, which counts "
                              "bases and motifs apart; leave it out")


def explained(
    model: AskedModel, sequences: Sequences, question: Question, counted: Counted | None = None
) -> Explanations:
    """What the bases of sequences give to what a model says of them; see `Trained.explain`."""
    target = Target.of(model.checkpoint)
    records = list(records_of(sequences, most_bp=model.config.longest_bp))
    for record in records:
        model.require_length(record)
    rows = [ids_of(record) for record in records]
    asked = Asked.of(rows, model.width(max(map(len, rows))), model.vocabulary)
    key = ("explain", question.method, question.batch_size, question.hold_motifs)

    def answers() -> np.ndarray:
        return model.network(
            ("explain", question.batch_size), lambda: Forward(target.model, question.batch_size, None, target.run)
        )(*asked.inputs)

    chosen = target.chosen(question.target, answers)
    ask = _method(model, target, question, key)
    found: list[Attribution] = []
    for one in model.each_here(ask(asked, chosen)):
        found.append(one)
        if counted is not None:
            counted(1)
    with_attention = question.with_attention and not model.config.weighs_motifs
    looks = [motif_attention(model, record) for record in records[:SHOWN]] if with_attention else []
    return Explanations(
        names=tuple(record.name for record in records), sequences=tuple(rows),
        targets=tuple(target.readout.labels[k] for k in chosen.tolist()), attributions=tuple(found),
        method=question.method, unit=target.unit, vocabulary=model.vocabulary, attention=tuple(looks),
    )  # fmt: skip


def explained_places(
    model: AskedModel, genome: Sequences, where: str | Interval | Iterable[str | Interval] | Path, question: Question,
    counted: Counted | None = None,
) -> Explanations:
    """The same for places in a genome, contig by contig.

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
        records = [Record(str(place), "", opened.fetch(place)) for place in found]
        sizes = dict(opened.sizes)
    return replace(explained(model, records, question, counted), places=tuple(found), sizes=sizes)


def _method(
    model: AskedModel, target: Target, question: Question, key: object
) -> Callable[[Asked, np.ndarray], Iterator[Attribution]]:
    """The method, with its network captured once for equal options."""
    if question.method == "mutagenesis":
        return model.held(
            key, lambda: Mutagenesis(target, model.vocabulary, question.batch_size, question.hold_motifs))
    gradients = model.held(("gradients", question.batch_size), lambda: Gradients(target, question.batch_size))
    if question.method == "gradient":
        return InputGradient(gradients)
    shuffles = question.references if question.method == "expected" else 0
    return PathGradient(gradients, model.vocabulary, question.steps, shuffles, question.seed)
