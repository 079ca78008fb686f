"""A trained model of classes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gattn_tg.errors import ConfigError
from gattn_tg.front.answers import TrainedSequences
from gattn_tg.front.sequences import Sequences
from gattn_tg.metrics.mixture import Share, share
from gattn_tg.score.predict import ClassPredictions, Prediction, predictions


class TrainedClassifier(TrainedSequences):
    """Tells classes of sequences apart."""

    def predict(  # type: ignore[override]
        self, sequences: Sequences, *, both_strands: bool | None = None, batch_size: int = 128
    ) -> ClassPredictions:
        """Probabilities of the classes.

        Args:
            sequences: at most as long as those of training.
            both_strands: the mean over a sequence and its reverse complement; None where training turned strands.
            batch_size: sequences per call of the network.

        Raises:
            FormatError: a sequence is malformed or too long.
            ConfigError: `both_strands` with motifs of one strand only.
            DivergedError: a probability is not finite.
        """
        rows = self.predictions(sequences, both_strands=both_strands, batch_size=batch_size)
        return ClassPredictions.of(rows, self.labels)

    def mixture(
        self, mixed: Sequences, known: str | Path, *, both_strands: bool | None = None, batch_size: int = 128
    ) -> Share:
        """The share of the second class in a mixture of sequences, as of tumour reads in blood, with a 95 % interval.

        Args:
            mixed: the mixture.
            known: CSV or TSV with the columns of the training data: sequences of both classes that the model was not
                trained on. They say how the model errs, so few of them make the interval wide.
            both_strands: as in `predict`.
            batch_size: as in `predict`.

        Raises:
            ConfigError: a model of more or fewer than two classes, or `known` has not two sequences of each, or the
                model does not tell these apart.
            FormatError, DivergedError: as `predict`.
        """
        if len(self.labels) != 2:
            raise ConfigError(f"mixture: expected a model of two classes, got one of {len(self.labels)}; train one for "
                              "a class and all others")
        (truth,) = self.evaluate(known, both_strands=both_strands, batch_size=batch_size).outcomes.values()
        scores = self.predict(mixed, both_strands=both_strands, batch_size=batch_size).probabilities[:, 1]
        return share(scores, truth.answers[truth.truth == 0, 1], truth.answers[truth.truth == 1, 1])

    def predictions(
        self, sequences: Sequences, *, both_strands: bool | None = None, batch_size: int = 128
    ) -> Iterator[Prediction]:
        """The same, one after the other, for files that do not fit into memory."""
        return predictions(self.answers(sequences, both_strands=both_strands, batch_size=batch_size), self.labels)
