"""A trained model of classes."""

from __future__ import annotations

from collections.abc import Iterator

from gattn_tg.front.answers import TrainedSequences
from gattn_tg.front.sequences import Sequences
from gattn_tg.score.predict import ClassPredictions, Prediction, predictions


class TrainedClassifier(TrainedSequences):
    """Tells classes of sequences apart."""

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
        return predictions(self.answers(sequences, both_strands=both_strands, batch_size=batch_size), self.labels)
