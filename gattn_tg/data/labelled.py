"""Labelled sequences as arrays: what a classifier learns from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gattn_tg.data.facts import RowFacts, facts_of
from gattn_tg.data.mapped import MappedRows
from gattn_tg.errors import ConfigError, FormatError, ShapeError
from gattn_tg.io.labelled import LabelledTable
from gattn_tg.motif.annotate import annotate
from gattn_tg.motif.rules import UNMEASURED
from gattn_tg.motif.vocabulary import MotifVocabulary
from gattn_tg.seq.alphabet import N
from gattn_tg.seq.codec import encode
from gattn_tg.types import Float, Int, UInt8

Rows = UInt8[np.ndarray, "N n"] | MappedRows


@dataclass(frozen=True)
class LabelledSequences:
    """Sequences of one width, padded at the end: in memory, or in a folder of `write_table` that is mapped.

    Args:
        bases: base ids, padded with 4 (N): an array, or rows of a mapped file, which are read when they are asked for.
        motif_ids: motif id of each base, padded with 0.
        lengths: bases of each sequence without padding.
        labels: class of each sequence; None where it is not known.
        label_names: name of each class, or of each column of `values`.
        names: name of each sequence; None where the file had none.
        values: numbers of each sequence in place of a class, nan where one is unknown; None where there are none.
        facts: what `with_facts` finds out; None before it.

    Raises:
        ShapeError: arrays that do not fit together.
    """

    bases: Rows
    motif_ids: Rows
    lengths: Int[np.ndarray, "N"]
    labels: Int[np.ndarray, "N"] | None
    label_names: tuple[str, ...]
    names: tuple[str, ...] | None = None
    values: Float[np.ndarray, "N k"] | None = None
    facts: RowFacts | None = None

    def __post_init__(self) -> None:
        rows = len(self.bases)
        fit = {
            "bases": self.bases.ndim == 2,
            "motif_ids": self.motif_ids.shape == self.bases.shape,
            "lengths": self.lengths.shape == (rows,),
            "labels": self.labels is None or self.labels.shape == (rows,),
            "names": self.names is None or len(self.names) == rows,
            "values": self.values is None or self.values.shape == (rows, len(self.label_names)),
        }
        for field, fits in fit.items():
            if not fits:
                came = np.shape(getattr(self, field))
                raise ShapeError(
                    f"LabelledSequences: expected {field} for {rows} sequences of bases {self.bases.shape}, "
                    f"got shape {came}; encode all of them together"
                )

    def __len__(self) -> int:
        return len(self.bases)

    @property
    def width(self) -> int:
        """Bases per row, padding included."""
        return int(self.bases.shape[1])

    @property
    def inputs(self) -> tuple[Rows, Rows, Int[np.ndarray, "N"]]:
        """What a model of classes reads: bases, motif ids, lengths."""
        return self.bases, self.motif_ids, self.lengths

    def subset(self, indices: Int[np.ndarray, "k"]) -> LabelledSequences:
        """Return the sequences at the given row numbers, in that order."""
        indices = np.asarray(indices)
        return LabelledSequences(
            bases=_some(self.bases, indices),
            motif_ids=_some(self.motif_ids, indices),
            lengths=self.lengths[indices],
            labels=None if self.labels is None else self.labels[indices],
            label_names=self.label_names,
            names=None if self.names is None else tuple(self.names[k] for k in indices.tolist()),
            values=None if self.values is None else self.values[indices],
            facts=None if self.facts is None else self.facts.subset(indices),
        )

    def with_facts(self) -> LabelledSequences:
        """The same, with what is known of every row without its bases."""
        if self.facts is not None:
            return self
        return replace(self, facts=facts_of(self.bases, self.motif_ids, self.lengths))


def _some(rows: Rows, indices: Int[np.ndarray, "k"]) -> Rows:
    """Rows of an array in an array of their own; those of a file stay in the file."""
    return rows.select(indices) if isinstance(rows, MappedRows) else rows[indices]


def joined(sets: Sequence[LabelledSequences]) -> LabelledSequences:
    """Several sets with the same width and the same classes or columns as one, in this order; no names, no facts."""
    if len(sets) == 1:
        return sets[0]

    def column(name: str) -> np.ndarray:
        return np.concatenate([getattr(one, name) for one in sets])

    first = sets[0]
    return LabelledSequences(
        bases=column("bases"),
        motif_ids=column("motif_ids"),
        lengths=column("lengths"),
        labels=None if first.labels is None else column("labels"),
        label_names=first.label_names,
        values=None if first.values is None else column("values"),
    )


def encode_labelled(
    table: LabelledTable,
    vocabulary: MotifVocabulary,
    max_length: int | None = None,
    label_names: tuple[str, ...] | None = None,
    before: int = 0,
) -> LabelledSequences:
    """Encode and annotate the rows of a table.

    Args:
        table: what `read_labelled` returns.
        vocabulary: motif classes.
        max_length: width of the arrays in bases; the longest sequence when None.
        label_names: names of the classes in the order of their ids, for a table of a model that exists; the table's
            own when None.
        before: rows of the file that came before those of the table, for messages.

    Raises:
        FormatError: a sequence longer than `max_length`, or a measured state that no motif class stands for.
        ConfigError: a label that is not in `label_names`, or a vocabulary of measured states and a table without them.
    """
    lengths = np.array([len(sequence) for sequence in table.sequences], dtype=np.int32)
    width = int(lengths.max()) if max_length is None else max_length
    if lengths.max() > width:
        row = int(np.argmax(lengths > width))
        raise FormatError(
            f"{table.path}, sequence {before + row + 1}: expected at most {width} bases, got {lengths[row]}; "
            "cut the sequences or raise max_length"
        )
    bases = np.full((len(table), width), N, dtype=np.uint8)
    bases[np.arange(width) < lengths[:, None]] = encode(b"".join(table.sequences))
    names = table.label_names if label_names is None else label_names
    states = None if table.states is None else padded_states(
        table.states, width, vocabulary, str(table.path), before
    )
    return LabelledSequences(
        bases=bases,
        motif_ids=annotate(bases, vocabulary, states),
        lengths=lengths,
        labels=_labels(table, names),
        label_names=names,
        names=table.names,
        values=table.values,
    )


def padded_states(
    rows: Sequence[bytes], width: int, vocabulary: MotifVocabulary, where: str, before: int = 0
) -> UInt8[np.ndarray, "N n"]:
    """Measured states as ASCII codes, in rows of one width, with nothing measured behind the shorter ones.

    Raises:
        FormatError: a state that no class of the vocabulary stands for; `where` begins the message.
    """
    found = np.full((len(rows), width), ord(UNMEASURED), dtype=np.uint8)
    known = (vocabulary.states + UNMEASURED).encode()
    for n, (held, states) in enumerate(zip(found, rows, strict=True), start=before + 1):
        if odd := states.translate(None, known):
            raise FormatError(
                f"{where}, sequence {n}: expected the measured states {' '.join(vocabulary.states)} or {UNMEASURED}, "
                f"as the vocabulary has them, got {chr(odd[0])!r}; correct it, or add a class to the vocabulary"
            )
        held[: len(states)] = np.frombuffer(states, np.uint8)
    return found


def _labels(table: LabelledTable, label_names: tuple[str, ...]) -> Int[np.ndarray, "N"] | None:
    if table.labels is None:
        return None
    unknown = [name for name in table.label_names if name not in label_names]
    if unknown:
        raise ConfigError(
            f"{table.path}: expected labels {', '.join(label_names)}, got {', '.join(unknown)}; "
            "correct the table or train a model with these classes"
        )
    number = np.array([label_names.index(name) for name in table.label_names], dtype=np.int32)
    relabelled: np.ndarray = number[table.labels]
    return relabelled
