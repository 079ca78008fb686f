"""A task and a network so small that a whole run takes a second once its kernels are compiled."""

from __future__ import annotations

import numpy as np

from gattn_tg.data import LabelledSequences
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.motif import MotifVocabulary, annotate
from gattn_tg.training.settings import TrainSettings
from gattn_tg.training.tasks.classify import Classify

LENGTH = 10
MODEL = ClassifierConfig(
    n_classes=2, width=8, n_layers=1, n_heads=2, positions="learned", max_length=LENGTH, stem_kernel=0, dropout=0.0,
    kmers=2, kmer_gaps=1,
)
SETTINGS = TrainSettings(epochs=10, batch_size=8, learning_rate=2e-2, warmup_steps=2, monitor="accuracy", seed=3,
                         kmer_rate=0.1)
VOCABULARY = MotifVocabulary.default()


def dataset(n: int, seed: int) -> LabelledSequences:
    """Random sequences; the class says whether the fourth base is A or C."""
    bases = np.random.default_rng(seed).integers(0, 4, (n, LENGTH)).astype(np.uint8)
    return LabelledSequences(
        bases=bases,
        motif_ids=annotate(bases, VOCABULARY),
        lengths=np.full(n, LENGTH, np.int32),
        labels=(bases[:, 3] < 2).astype(np.int32),
        label_names=("no", "yes"),
    )


def network(seed: int = 3) -> SequenceClassifier:
    return SequenceClassifier(MODEL, seed=seed)


def task(settings: TrainSettings = SETTINGS, model: ClassifierConfig = MODEL, n_ranks: int = 1) -> Classify:
    """A small network, 44 sequences to learn from (the last of six batches is half full), 20 to choose by."""
    network = SequenceClassifier(model, seed=settings.seed)
    return Classify(network, dataset(44, 0), dataset(20, 1), VOCABULARY, settings, n_ranks=n_ranks)
