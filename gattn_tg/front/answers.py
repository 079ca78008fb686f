"""Trained models that answer about whole sequences: what all of them share, and those of labels and of values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from gattn_tg.errors import ConfigError
from gattn_tg.front.sequences import Sequences
from gattn_tg.front.trained import Trained
from gattn_tg.later import Later
from gattn_tg.models.captured.forward import sequence_answers
from gattn_tg.models.captured.strands import Run, over_strands
from gattn_tg.models.readouts.sequences import SequenceReadout
from gattn_tg.score.along import columns_of, intervals_of
from gattn_tg.score.answers import Answer, Answers, LabelPredictions, ValuePredictions, answers
from gattn_tg.score.in_turns import SharedRows
from gattn_tg.score.profiles import GenomeValues
from gattn_tg.score.scan import MAX_UNKNOWN, Scanner, collected, scanned
from gattn_tg.seq import Interval

if TYPE_CHECKING:
    from gattn_tg.front import evaluation
    from gattn_tg.front.evaluation import Evaluation
    from gattn_tg.front.why import filters
    from gattn_tg.front.why.filters import ReadMotifs
    from gattn_tg.score import evaluate as measured
else:
    evaluation = Later("gattn_tg.front.evaluation")
    filters = Later("gattn_tg.front.why.filters")
    measured = Later("gattn_tg.score.evaluate")

STRIDE = 50  # bases from one window to the next

A = TypeVar("A", bound=Answers)


class TrainedSequences(Trained):
    """Answers about whole sequences."""

    @property
    def answer(self) -> SequenceReadout:
        """What the answers mean.

        Raises:
            ConfigError: the checkpoint does not say.
        """
        if not isinstance(self.readout, SequenceReadout):
            raise ConfigError(f"{self.folder}: expected a checkpoint that says what its answers mean, got one that "
                              "does not; save it with a readout")
        return self.readout

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes, labels or columns, in the order of the answers."""
        return self.answer.labels

    def answers(
        self, sequences: Sequences, *, both_strands: bool | None = None, batch_size: int = 128
    ) -> Iterator[Answer]:
        """One row of numbers for each sequence, one after the other, for files that do not fit into memory."""
        where = str(sequences) if isinstance(sequences, str | Path) else "predict"
        return answers(
            self.checkpoint, self.asked.records(sequences), self._network(batch_size), batch_size=batch_size,
            where=where, both_strands=self._over(both_strands),
        )  # fmt: skip

    def along(  # type: ignore[override]
        self, genome: str | Path, where: str | Interval | Iterable[str | Interval] | Path | None = None, *,
        stride: int = STRIDE, width: int | None = None, tracks: Sequence[str] | None = None,
        both_strands: bool | None = None, batch_size: int = 128, max_unknown: float = MAX_UNKNOWN,
        regions: bool = False,
    ) -> GenomeValues:  # fmt: skip
        """Answers along a genome: a window every `stride` bases, see `score.scan.Scanner`.

        Args:
            genome: FASTA file of any size, or a folder of `gattn preprocess`.
            where: as `TrainedAlong.along` takes it; None takes every record.
            stride: bases of a bin. Its values are those of the window whose middle is the middle of the bin.
            width: bases of a window; None takes the length that the model was made for.
            tracks: names of the classes, labels or columns that are wanted; None takes all.
            both_strands: as in `predict`.
            batch_size: as in `predict`.
            max_unknown: greatest share of N, or of bases beyond the ends, in a window; with more, values are NaN.
            regions: records of the FASTA file named chrom:start-end lie there.

        Raises:
            CoordinateError: a place where there is no sequence.
            ConfigError: no such class, or a stride or width that is none.
            FormatError, DivergedError: as `predict`.
        """
        scanner = self.scanner(stride=stride, width=width, both_strands=both_strands, batch_size=batch_size,
                               max_unknown=max_unknown)  # fmt: skip
        columns = columns_of(scanner.names, tracks)
        with scanned(scanner, Path(genome), intervals_of(where), regions=regions) as (parts, sizes, wanted), (
            self.asked.here()
        ):
            return collected(parts, scanner, sizes, columns=columns, wanted=wanted)

    def scanner(
        self, *, stride: int = STRIDE, width: int | None = None, both_strands: bool | None = None,
        batch_size: int = 128, max_unknown: float = MAX_UNKNOWN,
    ) -> Scanner:  # fmt: skip
        """What `along` asks for values, window after window.

        Raises:
            ConfigError: windows longer than the model can read, or a stride or width that is none.
        """
        self.asked.require_letters("along")
        longest = self.config.longest_bp
        width = self.checkpoint.config.max_length if width is None else width
        if longest is not None and isinstance(width, int) and width > longest:
            raise ConfigError(f"along: expected for width at most {longest} bases, which the model was made for, got "
                              f"{width}; take a smaller one")
        only = self.config.only_bp
        if only is not None and width != only:
            raise ConfigError(f"along: expected for width {only} bases, as the model sees what stands at each place, "
                              f"got {width}; leave it out")
        run: Run = self._network(batch_size)
        run = over_strands(run, self.vocabulary) if self._over(both_strands) else run
        return Scanner(run, self.vocabulary, self.labels, width=width, stride=stride, max_unknown=max_unknown,
                       batch_size=batch_size)  # fmt: skip

    def evaluate(
        self, data: str | Path | None = None, *, both_strands: bool | None = None, batch_size: int = 128
    ) -> Evaluation:
        """How well the model does.

        Args:
            data: CSV or TSV with the columns of the training data, or as `Trained.evaluate`.
            both_strands: as in `predict`; for a table.
            batch_size: sequences per call of the network; for a table.

        Raises:
            FormatError: the file is malformed, or has a sequence too long for the model.
            ConfigError: a class that the model does not know, or as `Trained.evaluate`.
        """
        if data is None or Path(data).suffix == ".toml":
            return super().evaluate(data)
        with self.asked.here():
            found = measured.outcome(self.checkpoint, data, run=self._network(batch_size),
                                     both_strands=self._over(both_strands))
        return evaluation.Evaluation.of_outcomes(self.kind, {"data": found})

    def read_motifs(self, matrices: str | Path | None = None) -> ReadMotifs:
        """The motifs whose strengths the model reads: what each is now, what it resembles, what it gives to answers.

        Args:
            matrices: known motifs in the format of MEME, JASPAR, HOMER or HOCOMOCO; None takes all of JASPAR's for
                vertebrates.

        Raises:
            UnsupportedError: a model without `filters`.
            FormatError: the file is malformed.
        """
        if not self.config.weighs_motifs:
            self._refuse("read_motifs", "it has no filters; train one with `matrices` in [data], as "
                         "examples/configs/binding.toml has it")
        return filters.read_motifs(self.asked, self.answer, matrices)

    def _over(self, both_strands: bool | None) -> bool:
        """Whether answers are those of both strands: as asked for, else where training turned them."""
        return self.asked.over_strands(both_strands)

    def _network(self, batch_size: int) -> Callable[..., np.ndarray]:
        run = self.asked.network(("answers", batch_size), lambda: sequence_answers(self.model, self.answer, batch_size))
        return run if self.asked.over is None else SharedRows(run, batch_size, self.asked.over)


class TrainedNumbers(TrainedSequences, Generic[A]):
    """Answers that are a table of numbers, one column for each label."""

    table: type[A]

    def predict(  # type: ignore[override]
        self, sequences: Sequences, *, both_strands: bool | None = None, batch_size: int = 128
    ) -> A:
        """A number for each label, or column, of each sequence.

        Args:
            sequences: at most as long as those of training.
            both_strands: the mean over a sequence and its reverse complement; None where training turned strands.
            batch_size: sequences per call of the network.

        Raises:
            FormatError: a sequence is malformed or too long.
            ConfigError: `both_strands` with motifs of one strand only.
            DivergedError: a number is not finite.
        """
        found = self.answers(sequences, both_strands=both_strands, batch_size=batch_size)
        return self.table.of(found, self.labels)


class TrainedLabels(TrainedNumbers[LabelPredictions]):
    """Tells which of several labels a sequence has: `predict` gives a probability for each."""

    table = LabelPredictions


class TrainedValues(TrainedNumbers[ValuePredictions]):
    """Predicts measured values: `predict` gives them in the units of the table that was learnt from."""

    table = ValuePredictions
