"""A model that is asked: on its device, with what was captured of it; every question of this room goes through it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from tinygrad.helpers import Context

from gattn_tg.data.labelled import padded_states
from gattn_tg.errors import FormatError, UnsupportedError, an
from gattn_tg.front.sequences import Sequences, ids_of, padded, records_of
from gattn_tg.io import Record
from gattn_tg.models.checkpoint import Checkpoint
from gattn_tg.models.config import TrunkConfig
from gattn_tg.models.readouts.sequences import SequenceReadout
from gattn_tg.motif import annotate, causal_ids
from gattn_tg.score.in_turns import Over
from gattn_tg.score.sequences import states_of
from gattn_tg.seq import N

BUCKET = 64  # sequences are padded to a multiple of it where that changes nothing, so that few lengths are compiled
R = TypeVar("R")
Arrays = tuple[np.ndarray, np.ndarray, np.ndarray]


class AskedModel:
    """What a question needs of a trained model.

    Args:
        checkpoint: the model, its vocabulary and its readout.
        folder: where it was read from.
        device: where it runs; None is the device that DEV says.

    Attributes:
        over: shares batches out over processes that all ask the same; None where there is one.
    """

    def __init__(self, checkpoint: Checkpoint, folder: Path, device: str | None = None) -> None:
        self.checkpoint, self.folder, self.device = checkpoint, folder, device
        self.model, self.vocabulary = checkpoint.model, checkpoint.vocabulary
        self.over: Over | None = None
        self._held: dict[object, Any] = {}

    @property
    def config(self) -> TrunkConfig:
        """Sizes and choices of the network."""
        config: TrunkConfig = self.model.config
        return config

    def here(self) -> AbstractContextManager[Any]:
        """What runs inside runs on the device of the model."""
        return nullcontext() if self.device is None else Context(DEV=self.device)

    def each_here(self, items: Iterator[R]) -> Iterator[R]:
        """The items, each made on the device of the model."""
        while True:
            with self.here():
                found = list(islice(items, 1))
            if not found:
                return
            yield found[0]

    def held(self, key: object, make: Callable[[], R]) -> R:
        """What is made once for equal keys, as a captured network is."""
        if key not in self._held:
            self._held[key] = make()
        found: R = self._held[key]
        return found

    def network(self, key: object, make: Callable[[], Callable[..., R]]) -> Callable[..., R]:
        """A captured network, made once, that runs on the device of the model."""
        network = self.held(key, make)

        def run(*arrays: np.ndarray) -> R:
            with self.here():
                return network(*arrays)

        return run

    def records(self, sequences: Sequences) -> Iterator[Record]:
        """The sequences of what a user gives, tables by the columns of training, files no further than is read.

        Raises:
            ConfigError, FormatError, ShapeError: as `front.sequences.records_of`.
        """
        readout, most_bp = self.checkpoint.readout, self.config.longest_bp
        if not isinstance(readout, SequenceReadout):
            return records_of(sequences, most_bp=most_bp)
        return records_of(sequences, most_bp=most_bp, sequence=readout.sequence_column, name=readout.name_column,
                          states=readout.state_column)  # fmt: skip

    def require_length(self, record: Record) -> None:
        """Refuse a sequence that is longer than the model can read, or not of the one length that it reads.

        Raises:
            FormatError: as above.
        """
        longest = self.config.longest_bp
        if longest is not None and len(record.sequence) > longest:
            raise FormatError(f"{record.name}: expected at most {longest} bases, which the model was made for, got "
                              f"{len(record.sequence)}; cut windows of {longest} bases")
        only = self.config.only_bp
        if only is not None and len(record.sequence) != only:
            raise FormatError(f"{record.name}: expected {only} bases, as the model sees what stands at each place, got "
                              f"{len(record.sequence)}; cut windows of {only} bases")

    def require_letters(self, method: str) -> None:
        """Refuse what has only letters where the model reads measured states too.

        Raises:
            UnsupportedError: as above.
        """
        if self.vocabulary.states:
            raise UnsupportedError(f"{method}: {an(self.checkpoint.kind.name)} cannot: it reads measured states beside "
                                   "the letters, which are known of reads only")

    def over_strands(self, both: bool | None) -> bool:
        """Whether answers of whole sequences are those of both strands: as asked for, else where training turned them.
        """
        readout = self.checkpoint.readout
        return isinstance(readout, SequenceReadout) and readout.both_strands if both is None else both

    def width(self, length: int) -> int:
        """Bases that a sequence is padded to: few different widths where padding changes nothing."""
        bp = self.config.token_bp
        if not (self.model.reads_lengths or self.model.is_causal):
            return -(-length // bp) * bp
        return min(-(-length // BUCKET) * BUCKET, self.config.longest_bp or length + BUCKET)

    def inputs(self, records: Sequence[Record], width: int) -> Arrays:
        """What the network reads for sequences: base ids, motif ids, lengths; an N in front for a causal one.

        Raises:
            FormatError: a record without measured states, where the model reads them.
        """
        first = int(self.model.is_causal)
        start = [np.full(first, N, np.uint8)]
        rows = [np.concatenate([*start, ids_of(record)]) for record in records]
        bases = padded(rows, width + first)
        if self.vocabulary.states:
            known = [states_of(record, "sequences") for record in records]
            motif_ids = annotate(bases, self.vocabulary, padded_states(known, width, self.vocabulary, "sequences"))
        else:
            motif_ids = (causal_ids if self.model.is_causal else annotate)(bases, self.vocabulary)
        return bases, motif_ids, np.array([len(row) for row in rows], np.int32)
