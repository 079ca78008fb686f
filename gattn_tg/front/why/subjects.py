"""What is explained of sequences: of each kind of model the answer, what the network reads for it, and its name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gattn_tg.errors import ConfigError, FormatError, an
from gattn_tg.explain.attribution.along import SiteTarget, TrackTarget
from gattn_tg.explain.attribution.next_base import HiddenBase, NextBase
from gattn_tg.explain.attribution.sequences import Asked
from gattn_tg.explain.attribution.target import SequenceTarget, Target, known
from gattn_tg.front.asked_model import AskedModel
from gattn_tg.front.sequences import ids_of
from gattn_tg.io import Record
from gattn_tg.models.captured.forward import Forward
from gattn_tg.models.captured.strands import Run, over_strands
from gattn_tg.models.readouts.bases import MaskedReadout, NextBaseReadout, SiteReadout
from gattn_tg.models.readouts.readout import Readout
from gattn_tg.models.readouts.tracks import TrackReadout
from gattn_tg.seq import N, decode
from gattn_tg.types import Float, UInt8

BASES = "ACGT"
At = int | tuple[int, int] | None


class Subject(NamedTuple):
    """What is explained.

    Args:
        target: the answers of the model.
        rows: base ids of every sequence, as far as they can give to its answer.
        records: the same as the model reads them.
        asked: the same, padded and annotated.
        wanted: weights of the answers of each sequence, whose sum is explained.
        told: the names of these sums.
        usual: the method where none is named.
    """

    target: Target
    rows: list[UInt8[np.ndarray, "n"]]
    records: list[Record]
    asked: Asked
    wanted: Float[np.ndarray, "s c"]
    told: tuple[str, ...]
    usual: str = "mutagenesis"


def subject_of(
    model: AskedModel, records: Sequence[Record], asked: str | None, at: At, head: str | None,
    inner: Sequence[tuple[int, int]] | None, batch_size: int, both_strands: bool = False,
) -> Subject:
    """What of records is explained.

    Args:
        model: of any kind.
        records: sequences that it can read.
        asked: class, label, value, base or track; None as `Trained.explain` says.
        at: base, or bases, whose answer is asked; None as there.
        head: of models of tracks.
        inner: bases of each record that `at` counts in, and whose answer is asked without it; None takes all.
        batch_size: rows per call of the network.
        both_strands: of whole sequences the mean over both strands.

    Raises:
        ConfigError: an option that the kind does not have, or no such name or base.
        FormatError: a sequence without a base to ask for.
        UnsupportedError: a model that does not say what it answers.
    """
    kind = _readout(model)
    if head is not None and kind is not TrackReadout:
        raise ConfigError(f"explain: expected no head for {an(model.checkpoint.kind.name)}, got {head!r}; leave it out")
    if both_strands and kind in (NextBaseReadout, MaskedReadout, TrackReadout, SiteReadout):
        raise ConfigError(f"explain: expected one strand for {an(model.checkpoint.kind.name)}, as both_strands is for "
                          "answers about whole sequences; leave it out")
    if kind is NextBaseReadout:
        return _next_base(model, records, asked, at)
    if kind is MaskedReadout:
        return _hidden_base(model, records, asked, at)
    if kind in (TrackReadout, SiteReadout):
        return _along(model, records, asked, at, head, inner)
    if at is not None:
        raise ConfigError(f"explain: expected no base for {an(model.checkpoint.kind.name)}, which answers about a "
                          f"whole sequence, got {at}; leave it out")
    return _whole(model, records, asked, batch_size, both_strands)


def network_of(model: AskedModel, target: SequenceTarget, batch_size: int, both_strands: bool) -> Run:
    """What gives the answers about whole sequences, of both strands their mean.

    Raises:
        ConfigError: both strands with a vocabulary that is not symmetric.
    """
    run = model.network(("explain here", batch_size), lambda: captured(model, target, batch_size))
    return over_strands(run, model.vocabulary) if both_strands else run


def captured(model: AskedModel, target: SequenceTarget, batch_size: int) -> Run:
    """The network of answers about whole sequences, captured once for all that asks it."""
    return model.held(("explain", batch_size), lambda: Forward(target.model, batch_size, None, target.run))


def window_bp(model: AskedModel, head: str | None = None) -> int | None:
    """Bases of the window around a place of a genome; None where the place is the sequence."""
    readout = model.checkpoint.readout
    told = readout.of(head) if isinstance(readout, TrackReadout) else readout
    return getattr(told, "window_bp", None) or None


def _readout(model: AskedModel) -> type[Readout] | None:
    readout = model.checkpoint.readout
    return model.checkpoint.kind.readout if readout is None else type(readout)


def _whole(
    model: AskedModel, records: Sequence[Record], asked: str | None, batch_size: int, both_strands: bool
) -> Subject:
    target = SequenceTarget.of(model.checkpoint)
    rows = [ids_of(record) for record in records]
    held = _padded(model, target, rows)
    network = network_of(model, target, batch_size, both_strands)
    chosen, labels = target.chosen(asked, len(rows), lambda: network(*held.inputs)), target.readout.labels
    return Subject(target, rows, list(records), held, np.eye(len(labels))[chosen],
                   tuple(labels[k] for k in chosen.tolist()))


def _next_base(model: AskedModel, records: Sequence[Record], asked: str | None, at: At) -> Subject:
    """The base at a place, given those before it; without a place the last one."""
    target = NextBase(model.model)
    places = [_one_base(record, at, len(record.sequence) - 1) for record in records]
    if at_start := [record.name for record, place in zip(records, places, strict=True) if place < 1]:
        raise FormatError(f"{at_start[0]}: expected a base in front of the one that is predicted, got none; ask for a "
                          "later one")
    whole = [ids_of(record) for record in records]
    rows = [row[:place] for row, place in zip(whole, places, strict=True)]
    seen = [Record(record.name, record.sequence[:place]) for record, place in zip(records, places, strict=True)]
    chosen = [_base(record, int(row[place]), asked) for record, row, place in zip(records, whole, places, strict=True)]
    return Subject(target, rows, seen, _padded(model, target, rows), np.eye(4)[chosen], _at(chosen, places))


def _hidden_base(model: AskedModel, records: Sequence[Record], asked: str | None, at: At) -> Subject:
    """The base at a place, given all others; without a place the middle one."""
    target = HiddenBase(model.model)
    places = [_one_base(record, at, len(record.sequence) // 2) for record in records]
    rows, chosen = [ids_of(record).copy() for record in records], []
    for record, row, place in zip(records, rows, places, strict=True):
        chosen.append(_base(record, int(row[place]), asked))
        row[place] = N
    seen = [Record(record.name, decode(row)) for record, row in zip(records, rows, strict=True)]
    held = _padded(model, target, rows, np.array(places, np.int32))
    return Subject(target, rows, seen, held, np.eye(4)[chosen], _at(chosen, places))


def _along(
    model: AskedModel, records: Sequence[Record], asked: str | None, at: At, head: str | None,
    inner: Sequence[tuple[int, int]] | None,
) -> Subject:
    """Sums over tracks and over the bins, or bases, that have a base of a stretch."""
    readout, config = model.checkpoint.readout, model.config
    crop, bp = int(getattr(config, "crop_bp", 0)), int(getattr(config, "bin_bp", config.token_bp))
    target: Target
    if isinstance(readout, TrackReadout):
        of_head = readout.of(head)
        target, names, unit = TrackTarget(model.model, of_head), of_head.tracks, "tracks"
    else:
        n_labels = int(getattr(config, "n_labels", 1))
        names = ("probability",) if n_labels == 1 else tuple(f"label_{i}" for i in range(n_labels))
        target, unit = SiteTarget(model.model), "labels"
    columns = list(range(len(names))) if asked is None else [known(asked, names)]
    rows, token_bp = [ids_of(record) for record in records], config.token_bp
    least = max(max(map(len, rows)), window_bp(model, head) or 0, 2 * crop + bp)
    width = -(-least // token_bp) * token_bp
    wanted, told = np.zeros((len(rows), (width - 2 * crop) // bp, len(names))), []
    for k, (record, row) in enumerate(zip(records, rows, strict=True)):
        start, end = inner[k] if inner is not None else (0, len(row))
        if at is not None:
            first, last = (at, at + 1) if isinstance(at, int) else at
            if last > end - start:
                raise ConfigError(f"explain: expected bases of {record.name}, which has {end - start}, got {last}; "
                                  "correct it")
            start, end = start + first, start + last
        bins = slice(max((start - crop) // bp, 0), max(-((crop - end) // bp), 0))
        if not wanted[k, bins].size:
            raise FormatError(f"{record.name}: expected bases that get a value, got {start} to {end}; the {crop} at "
                              "both ends of what the model sees get none")
        wanted[k, bins, columns] = 1
        shown = names[columns[0]] if len(columns) == 1 else f"sum of {len(columns)} {unit}"
        told.append(shown if at is None and inner is None else f"{shown}, bases {start} to {end}")
    seen = [Record(record.name, decode(np.pad(row, (0, width - len(row)), constant_values=N)))
            for record, row in zip(records, rows, strict=True)]  # fmt: skip
    held = Asked.of(rows, width, lambda bases: target.motif_ids(bases, model.vocabulary))
    return Subject(target, rows, seen, held, wanted.reshape(len(rows), -1), tuple(told), "gradient")


def _padded(
    model: AskedModel, target: Target, rows: list[np.ndarray], places: np.ndarray | None = None
) -> Asked:
    width = model.width(max(map(len, rows)))
    return Asked.of(rows, width, lambda bases: target.motif_ids(bases, model.vocabulary), places)


def _one_base(record: Record, at: At, usual: int) -> int:
    place = usual if at is None else at if isinstance(at, int) else at[0]
    if not isinstance(at, int | None) and at[1] != at[0] + 1:
        raise ConfigError(f"explain: expected one base for a language model, got {at[0]} to {at[1]}; name one")
    if place >= len(record.sequence):
        raise ConfigError(f"explain: expected a base of {record.name}, which has {len(record.sequence)}, got {place}; "
                          "bases count from 0")
    return place


def _base(record: Record, there: int, asked: str | None) -> int:
    if asked is not None:
        return known(asked, BASES)
    if there == N:
        raise FormatError(f"{record.name}: expected a known base where one is asked for, got N; name a target or "
                          "another base")
    return there


def _at(chosen: Sequence[int], places: Sequence[int]) -> tuple[str, ...]:
    return tuple(f"{BASES[base]} at {place}" for base, place in zip(chosen, places, strict=True))
