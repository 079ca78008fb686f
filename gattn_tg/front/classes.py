"""A trained model of classes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from gattn_tg.errors import ConfigError
from gattn_tg.front.evaluation import Evaluation
from gattn_tg.front.sequences import Sequences, records_of
from gattn_tg.front.trained import Trained
from gattn_tg.models.forward import class_probabilities
from gattn_tg.models.strands import Run, over_strands
from gattn_tg.score.along import columns_of, intervals_of
from gattn_tg.score.evaluate import evaluate
from gattn_tg.score.predict import ClassPredictions, Prediction, predict
from gattn_tg.score.scan import MAX_UNKNOWN, Scanner, collected, scanned
from gattn_tg.score.values import GenomeValues
from gattn_tg.seq import Interval

STRIDE = 50  # bases from one window to the next


class TrainedClassifier(Trained):
    """Tells classes of sequences apart."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the probabilities."""
        return self.checkpoint.labels

    def predict(  # type: ignore[override]
        self, sequences: Sequences, *, both_strands: bool = False, batch_size: int = 128
    ) -> ClassPredictions:
        """Probabilities of the classes.

        Args:
            sequences: at most as long as those of training.
            both_strands: the mean over a sequence and its reverse complement.
            batch_size: sequences per call of the network.

        Raises:
            FormatError: a sequence is malformed or too long.
            ConfigError: `both_strands` with motifs of one strand only.
            DivergedError: a probability is not finite.
        """
        rows = self.predictions(sequences, both_strands=both_strands, batch_size=batch_size)
        return ClassPredictions.of(rows, self.labels)

    def predictions(
        self, sequences: Sequences, *, both_strands: bool = False, batch_size: int = 128
    ) -> Iterator[Prediction]:
        """The same, one after the other, for files that do not fit into memory."""
        run = self._run(("classes", batch_size), lambda: class_probabilities(self.model, batch_size))
        where = str(sequences) if isinstance(sequences, str | Path) else "predict"
        records = records_of(sequences, most_bp=self.config.longest_bp)
        return predict(
            self.checkpoint, records, batch_size=batch_size, where=where, run=run, both_strands=both_strands
        )

    def along(  # type: ignore[override]
        self, genome: str | Path, where: str | Interval | Iterable[str | Interval] | Path | None = None, *,
        stride: int = STRIDE, width: int | None = None, tracks: Sequence[str] | None = None,
        both_strands: bool = False, batch_size: int = 128, max_unknown: float = MAX_UNKNOWN, regions: bool = False,
    ) -> GenomeValues:  # fmt: skip
        """Probabilities of the classes along a genome: a window every `stride` bases, see `score.scan.Scanner`.

        Args:
            genome: FASTA file of any size, or a folder of `gattn preprocess`.
            where: as `TrainedAlong.along` takes it; None takes every record.
            stride: bases of a bin. Its values are those of the window whose middle is the middle of the bin.
            width: bases of a window; None takes the length that the model was made for.
            tracks: names of the classes that are wanted; None takes all.
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
            self._here()
        ):
            return collected(parts, scanner, sizes, columns=columns, wanted=wanted)

    def scanner(
        self, *, stride: int = STRIDE, width: int | None = None, both_strands: bool = False, batch_size: int = 128,
        max_unknown: float = MAX_UNKNOWN,
    ) -> Scanner:  # fmt: skip
        """What `along` asks for values, window after window.

        Raises:
            ConfigError: windows longer than the model can read, or a stride or width that is none.
        """
        longest = self.config.longest_bp
        width = self.checkpoint.config.max_length if width is None else width
        if longest is not None and isinstance(width, int) and width > longest:
            raise ConfigError(f"along: expected for width at most {longest} bases, which the model was made for, got "
                              f"{width}; take a smaller one")
        run: Run = self._run(("classes", batch_size), lambda: class_probabilities(self.model, batch_size))
        run = over_strands(run, self.vocabulary) if both_strands else run
        return Scanner(run, self.vocabulary, self.labels, width=width, stride=stride, max_unknown=max_unknown,
                       batch_size=batch_size)  # fmt: skip

    def evaluate(
        self, data: str | Path | None = None, *, both_strands: bool = False, batch_size: int = 128
    ) -> Evaluation:
        """How well the model does.

        Args:
            data: CSV or TSV with the columns sequence and label, or as `Trained.evaluate`.
            both_strands: as in `predict`; for a table.
            batch_size: sequences per call of the network; for a table.

        Raises:
            FormatError: the file is malformed, or has a sequence too long for the model.
            ConfigError: a class that the model does not know, or as `Trained.evaluate`.
        """
        if data is None or Path(data).suffix == ".toml":
            return super().evaluate(data)
        with self._here():
            found = evaluate(self.checkpoint, data, batch_size=batch_size, both_strands=both_strands)
        return Evaluation(self.kind, {"data": found.metrics.to_dict()}, found.labels, found.confusion)
