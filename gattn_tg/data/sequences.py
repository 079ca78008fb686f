"""Labelled sequences as a dataset: from a table, or from loci of a genome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gattn_tg.data.augment import other_strand
from gattn_tg.data.batches import Batch
from gattn_tg.data.dataset import Draw, flips, shifts
from gattn_tg.data.labelled import LabelledSequences
from gattn_tg.errors import ConfigError, ShapeError
from gattn_tg.io.genome import Genome
from gattn_tg.motif.annotate import annotate
from gattn_tg.motif.vocabulary import MotifVocabulary
from gattn_tg.seq.codec import encode
from gattn_tg.seq.interval import Interval
from gattn_tg.types import Int


@dataclass(frozen=True)
class SequenceDataset:
    """Sequences with labels, turned and moved at random where that is asked for.

    Args:
        sequences: all rows. With jitter every row is full and has `max_jitter` bases more at both ends.
        motif_complement: `MotifVocabulary.complement`, needed for `rc`; None turns no row.
        max_jitter: bases by which a window moves at most.

    Raises:
        ShapeError: jitter with rows that are not full.
    """

    sequences: LabelledSequences
    motif_complement: tuple[int, ...] | None = None
    max_jitter: int = 0

    def __post_init__(self) -> None:
        if self.max_jitter and (self.sequences.lengths != self.sequences.width).any():
            raise ShapeError(
                "SequenceDataset: sequences of one length are required for jitter, but came "
                f"{self.sequences.lengths.min()} to {self.sequences.width} bases; set max_jitter to 0"
            )

    def __len__(self) -> int:
        return len(self.sequences)

    def batch(self, rows: Int[np.ndarray, "b"], draw: Draw | None = None) -> Batch:
        """Return rows as a batch; without `draw` the middle of each window, as it stands."""
        data = self.sequences
        width = data.width - 2 * self.max_jitter
        starts = self.max_jitter + shifts(draw, len(rows), self.max_jitter)
        columns = starts[:, None] + np.arange(width)
        bases = np.take_along_axis(data.bases[rows], columns, axis=1)
        motif_ids = np.take_along_axis(data.motif_ids[rows], columns, axis=1)
        lengths = np.minimum(data.lengths[rows], width).astype(np.int32)
        if self.motif_complement is not None:
            chosen = flips(draw, len(rows), True)
            bases, motif_ids = other_strand(bases, motif_ids, self.motif_complement, chosen, lengths)
        labels = None if data.labels is None else data.labels[rows]
        return Batch(bases, motif_ids, lengths, labels, np.ones(len(rows), dtype=bool))


def encode_loci(
    genome: Genome,
    intervals: Sequence[Interval],
    labels: Sequence[int] | None,
    label_names: tuple[str, ...],
    vocabulary: MotifVocabulary,
    width: int,
    max_jitter: int = 0,
) -> LabelledSequences:
    """Encode and annotate loci of a genome, for example the lines of a BED file.

    Args:
        genome: where they lie; N outside contigs.
        intervals: resized to `width` around their middle; those on "-" are read on that strand.
        labels: index of each locus in `label_names`; None when they are not known.
        label_names: names of the classes.
        vocabulary: motif classes.
        width: bases of a window.
        max_jitter: bases more at both ends, for `SequenceDataset`.

    Raises:
        ConfigError: no locus, or another number of labels.
        CoordinateError: a contig that the genome does not have.
    """
    if not intervals or (labels is not None and len(labels) != len(intervals)):
        raise ConfigError(
            f"encode_loci: at least one locus and as many labels are required, but came {len(intervals)} and "
            f"{'none' if labels is None else len(labels)}; give one label per locus"
        )
    full = width + 2 * max_jitter
    bases = np.stack([encode(genome.padded(interval.resize(full))) for interval in intervals])
    return LabelledSequences(
        bases=bases,
        motif_ids=annotate(bases, vocabulary),
        lengths=np.full(len(intervals), full, dtype=np.int32),
        labels=None if labels is None else _labels(labels),
        label_names=label_names,
        names=tuple(map(str, intervals)),
    )


def _labels(labels: Sequence[int] | Int[np.ndarray, "k"]) -> Int[np.ndarray, "k"]:
    """Labels as int32, none of them cut."""
    wide = np.asarray(labels)
    if wide.size and (int(wide.min()) < -(2**31) or int(wide.max()) >= 2**31):
        raise ConfigError(f"encode_loci: labels within 32 bits are required, but came {int(wide.min())} to "
                          f"{int(wide.max())}; number the classes from 0")
    return wide.astype(np.int32)
