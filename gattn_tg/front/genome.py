"""Trained models of tracks and of sites: values along sequences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gattn_tg.data.genomes.stretches import Stretch, Stretches
from gattn_tg.front.sequences import Sequences, places_of
from gattn_tg.front.trained import Trained
from gattn_tg.motif import annotate
from gattn_tg.score.along import GenomePredictor, Place, check_places, intervals_of, open_genome, places
from gattn_tg.score.profiles import GenomeValues
from gattn_tg.seq import Interval

WINDOWS = 4  # at once: they are long


class TrainedAlong(Trained):
    """Gives values along sequences: counts of tracks, or probabilities of sites."""

    @property
    def tracks(self) -> tuple[str, ...]:
        """Names of the tracks of the first head."""
        return self.predictor().names

    def predict(  # type: ignore[override]
        self, sequences: Sequences, *, head: str | None = None, tracks: Sequence[str] | None = None,
        both_strands: bool = False, batch_size: int = WINDOWS,
    ) -> GenomeValues:
        """Values along every sequence by itself: beyond its ends the model sees N.

        Args:
            sequences: of any length.
            head: head of a model of tracks with several; None takes the first.
            tracks: names of the tracks that are wanted; None takes all.
            both_strands: the mean over the sequence and its reverse complement.
            batch_size: windows per call of the network.

        Raises:
            ConfigError: no such head or track, `both_strands` with motifs of one strand only, or two sequences of one
                name.
            FormatError: a sequence is malformed, or the checkpoint does not say how it was trained.
            DivergedError: a value is not finite.
        """
        wanted: list[Place] = []
        for here, ids in places_of(sequences):
            stretch = Stretch(here, ids, annotate(ids, self.vocabulary))
            wanted.append((here, Stretches([stretch], self.vocabulary)))
        sizes = {here.chrom: len(here) for here, _ in wanted}
        return self.values(wanted, sizes, head=head, tracks=tracks, both_strands=both_strands, batch_size=batch_size)

    def along(  # type: ignore[override]
        self, genome: str | Path, where: str | Interval | Iterable[str | Interval] | Path | None = None, *,
        head: str | None = None, tracks: Sequence[str] | None = None, both_strands: bool = False,
        batch_size: int = WINDOWS, regions: bool = False,
    ) -> GenomeValues:
        """Values along a genome, with the sequence around every place.

        Args:
            genome: FASTA file, or a folder of `gattn preprocess`.
            where: "chr16:200,000-300,000" (0-based, half-open), an `Interval`, several of them, or the Path of a BED
                file; None takes all, every record of a FASTA file by itself.
            head: as in `predict`.
            tracks: as in `predict`.
            both_strands: as in `predict`.
            batch_size: as in `predict`.
            regions: records of the FASTA file named chrom:start-end lie there.

        Raises:
            CoordinateError: a place where there is no sequence.
            ConfigError, FormatError, DivergedError: as `predict`; motif ids of a folder that mean something else.
        """
        intervals = intervals_of(where)
        source, sizes = open_genome(Path(genome), self.vocabulary, intervals, regions=regions)
        wanted = places(source, sizes, intervals)
        check_places([interval for interval, _ in wanted], sizes)
        return self.values(wanted, sizes, head=head, tracks=tracks, both_strands=both_strands,
                           batch_size=batch_size)

    def values(
        self, wanted: Iterable[Place], sizes: Mapping[str, int], *, tracks: Sequence[str] | None = None, **options: Any
    ) -> GenomeValues:
        """Values of places, each with what its sequence is read from; `options` are those of `GenomePredictor`."""
        predictor = self.predictor(**options)
        columns = predictor.columns(tracks)
        intervals: list[Interval] = []
        found: list[np.ndarray] = []
        for interval, source in wanted:
            with self.asked.here():
                found.append(predictor(source, interval)[:, columns])
            intervals.append(interval)
        names = tuple(predictor.names[k] for k in columns)
        return GenomeValues(tuple(intervals), tuple(found), names, predictor.bin_bp, predictor.unit, sizes)

    def predictor(
        self, *, head: str | None = None, both_strands: bool = False, batch_size: int = WINDOWS
    ) -> GenomePredictor:
        """The captured network with its windows, made once for equal options."""
        key = ("along", head, both_strands, batch_size)
        return self.asked.held(key, lambda: GenomePredictor(
            self.checkpoint, head=head, both_strands=both_strands, batch_size=batch_size, over=self.asked.over))
