"""A trained model of classes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gattn_tg.front.evaluation import Evaluation
from gattn_tg.front.sequences import Sequences, records_of
from gattn_tg.front.trained import Trained
from gattn_tg.models.forward import class_probabilities
from gattn_tg.score.evaluate import evaluate
from gattn_tg.score.predict import ClassPredictions, Prediction, predict


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
