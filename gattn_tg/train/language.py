"""Predicting the next base: a GenomicGPT on windows of genomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from tinygrad import Tensor

from gattn_tg.data.corpus import Corpus, behind, read_contigs
from gattn_tg.data.dataset import PLACE, STRAND
from gattn_tg.data.sampler import Sampler
from gattn_tg.errors import ConfigError
from gattn_tg.models.config import TrunkConfig
from gattn_tg.models.gpt import GenomicGPT, GPTConfig
from gattn_tg.models.inputs import Inputs
from gattn_tg.models.likelihood import BaseMetrics, Likelihood, causal_motifs, reads_motifs
from gattn_tg.motif import MotifVocabulary
from gattn_tg.ops.cross_entropy import cross_entropy
from gattn_tg.seq.strand import reverse_complement
from gattn_tg.train.config import TrainConfig, TrainSettings, require
from gattn_tg.train.task import Arrays, Device
from gattn_tg.types import Float, UInt8

MONITORS = {"bits_per_base": False, "accuracy": True}


@dataclass(frozen=True)
class LanguageData:
    """The [data] table of language models.

    Args:
        genomes: FASTA files, or folders that `gattn preprocess` made, relative to the TOML file.
        width: Bases of a window.
        valid_every: The last of every so many blocks is held out; 0 holds out none.
        block_bp: Bases of a block.
        valid_contigs: Contigs held out as a whole.
        n_valid: Held-out windows that are judged in a validation, spread evenly; 0 takes all. The second half of
            each is judged, so that every base has half a window before it.
        vocabulary: "default", or the path of a motif vocabulary in TOML.
    """

    genomes: tuple[str, ...]
    width: int = 512
    valid_every: int = 20
    block_bp: int = 65_536
    valid_contigs: tuple[str, ...] = ()
    n_valid: int = 256
    vocabulary: str = "default"

    def __post_init__(self) -> None:
        require(bool(self.genomes), "genomes", "at least one file", list(self.genomes))
        require(self.width >= 2, "width", "at least 2 bases", self.width)
        require(self.block_bp >= self.width, "block_bp", f"at least width = {self.width}", self.block_bp)
        for name in ("valid_every", "n_valid"):
            require(getattr(self, name) >= 0, name, "0 or more", getattr(self, name))


class Language:
    """The task of a `GenomicGPT`: every step sees windows from random places.

    Args:
        model: Changed in place.
        corpus: What is learnt from and judged by.
        data: The [data] table.
        vocabulary: Motif classes, whose causal ids the model reads.
        settings: The [train] table: batch_size, accumulate, reverse_complement and seed count here.
        device: Where the inputs of `validate` go.
        n_ranks: Processes that train together.
    """

    def __init__(
        self,
        model: GenomicGPT,
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
        corpus, vocabulary = read_corpus(config, data)
        shape = config.model_settings(GPTConfig)
        require_vocabulary(config, shape, vocabulary)
        model = GenomicGPT(shape, seed=config.train.seed)
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

    def about(self) -> dict[str, Any]:
        """The vocabulary as TOML, and the width of the windows."""
        return {"vocabulary": self.vocabulary.to_toml(), "width": self.data.width}

    def fingerprint(self) -> bytes:
        """Digest of bases, split, width and vocabulary."""
        return self.corpus.digest() + repr((self.data.width, self.data.n_valid, self.vocabulary.to_toml())).encode()


class Windows:
    """Windows of one width, drawn by step, micro-batch and rank.

    Args:
        corpus: What is learnt from.
        width: Bases of a window.
        settings: batch_size, accumulate, reverse_complement and seed count here.
    """

    def __init__(self, corpus: Corpus, width: int, settings: TrainSettings) -> None:
        self.corpus, self.width, self.settings = corpus, width, settings

    def steps_per_epoch(self, n_ranks: int) -> int:
        """Optimiser steps in which as many bases are seen as there are."""
        per_step = self.width * self.settings.batch_size * self.settings.accumulate * n_ranks
        return max(self.corpus.n_train // per_step, 1)

    def draw(
        self, step: int, micro: int, rank: int, n_ranks: int
    ) -> tuple[UInt8[np.ndarray, "b n"], np.ndarray]:
        """The windows, every other one by chance read from its other strand, and a 64-bit number of its own for each.

        The windows of a step are the same however they are split among micro-batches and ranks.
        """
        settings = self.settings
        place = (step * settings.accumulate + micro) * n_ranks + rank
        sampler = Sampler(1, settings.batch_size, settings.seed)
        windows = self.corpus.draw(sampler.draws(place, PLACE), self.width)
        if settings.reverse_complement:
            turned = sampler.draws(place, STRAND) & np.uint64(1) == 1
            windows[turned] = reverse_complement(windows[turned])
        return windows, sampler.draws(place, MASK)


MASK = 11  # the stream of random numbers that masks are drawn from


def read_corpus(config: TrainConfig, data: LanguageData) -> tuple[Corpus, MotifVocabulary]:
    """The genomes and the vocabulary that a [data] table names."""
    corpus = Corpus(
        read_contigs([config.resolve(name) for name in data.genomes]), valid_every=data.valid_every,
        block_bp=data.block_bp, valid_contigs=data.valid_contigs,
    )  # fmt: skip
    is_default = data.vocabulary == "default"
    vocabulary = (
        MotifVocabulary.default()
        if is_default
        else MotifVocabulary.from_toml(config.file("vocabulary", data.vocabulary))
    )
    return corpus, vocabulary


def require_vocabulary(config: TrainConfig, shape: TrunkConfig, vocabulary: MotifVocabulary) -> None:
    """Raises ConfigError where the model reads motif ids and has no room for those of the vocabulary."""
    if reads_motifs(shape) and shape.n_motifs < vocabulary.n_motifs:
        raise ConfigError(
            f"{config.path}: [model] n_motifs: at least the {vocabulary.n_motifs} ids of the vocabulary are required, "
            f"but came {shape.n_motifs}; raise n_motifs or shorten the vocabulary"
        )
