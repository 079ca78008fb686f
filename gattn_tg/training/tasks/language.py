"""Predicting the next base: a GenomicGPT on windows of genomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from tinygrad import Tensor

from gattn_tg.data.genomes.corpus import Corpus, behind
from gattn_tg.models.inputs import Inputs
from gattn_tg.models.kinds import kind_of
from gattn_tg.models.likelihood import BaseMetrics, Likelihood, causal_motifs
from gattn_tg.models.readouts import NextBaseReadout
from gattn_tg.motif import MotifVocabulary
from gattn_tg.ops.cross_entropy import cross_entropy
from gattn_tg.training.config import TrainConfig, TrainSettings
from gattn_tg.training.task import Arrays, Device
from gattn_tg.training.tasks.windows import LanguageData, Windows, read_corpus
from gattn_tg.types import Float

MONITORS = {"bits_per_base": False, "accuracy": True}


class Language:
    """The task of a model of next bases: every step sees windows from random places.

    Args:
        model: Changed in place.
        corpus: What is learnt from and judged by.
        data: The [data] table.
        vocabulary: Motif classes, whose causal ids the model reads.
        settings: The [train] table: batch_size, accumulate, reverse_complement and seed count here.
        device: Where the inputs of `validate` go.
        n_ranks: Processes that train together.
    """

    data_table: ClassVar[type] = LanguageData
    derived: ClassVar[tuple[str, ...]] = ()
    judged_by: ClassVar[Mapping[str, bool]] = MONITORS

    def __init__(
        self,
        model: Any,
        corpus: Corpus,
        data: LanguageData,
        vocabulary: MotifVocabulary,
        settings: TrainSettings,
        *,
        device: Device = None,
        n_ranks: int = 1,
    ) -> None:
        self.model, self.corpus, self.data, self.vocabulary, self.settings = model, corpus, data, vocabulary, settings
        self.monitors: Mapping[str, bool] = MONITORS
        self.readout = NextBaseReadout(width=data.width)
        self.windows = Windows(corpus, data.width, settings)
        self.steps_per_epoch = self.windows.steps_per_epoch(n_ranks)
        self.held_out = corpus.held_out(data.width, max(data.width // 2, 1), data.n_valid)
        one = device[0] if isinstance(device, tuple) else device
        self.likelihood = Likelihood(model, vocabulary, min(settings.batch_size, len(self.held_out)), one)

    @classmethod
    def from_config(cls, config: TrainConfig, *, device: Device = None, n_ranks: int = 1) -> Language:
        """Reads the genomes and makes the model.

        Raises:
            ConfigError: Settings or data do not fit.
            FormatError: A file is malformed.
        """
        data = config.data_settings(LanguageData)
        kind = kind_of(config.kind, str(config.path))
        corpus, vocabulary, shape = read_corpus(config, data, kind.config)
        model = kind.model(shape, seed=config.train.seed)
        return cls(model, corpus, data, vocabulary, config.train, device=device, n_ranks=n_ranks)

    def batch(self, step: int, micro: int, rank: int, n_ranks: int) -> Arrays:
        """Windows of this step, micro-batch and rank: what the model reads, and the bases it is to predict."""
        windows, _ = self.windows.draw(step, micro, rank, n_ranks)
        bases = behind(windows)
        return {"bases": bases, "motif_ids": causal_motifs(self.model.config, bases, self.vocabulary),
                "labels": windows}

    def loss(self, inputs: Inputs) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Cross entropy of the next base, summed, and the number of bases that are no N."""
        logits = self.model(inputs["bases"], inputs["motif_ids"])
        return cross_entropy(logits, inputs["labels"], self.settings.label_smoothing)

    def validate(self) -> dict[str, float]:
        """Bits per base, perplexity and accuracy on the second halves of the held-out windows."""
        metrics, first = BaseMetrics(self.data.width // 2), 0
        for log2_p in self.likelihood(self.held_out):
            metrics.add(log2_p, self.held_out[first : first + len(log2_p)])
            first += len(log2_p)
        return metrics.result()

    def fingerprint(self) -> bytes:
        """Digest of bases, split, width and vocabulary."""
        return self.corpus.digest() + repr((self.data.width, self.data.n_valid, self.vocabulary.to_toml())).encode()
