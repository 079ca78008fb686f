"""Windows from random places of genomes, which language models learn from, and what tasks on them share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self, TypeVar

import numpy as np

from gattn_tg.data.draws import MASK, PLACE, flips
from gattn_tg.data.genomes.corpus import Corpus, n_bases, read_contigs
from gattn_tg.data.sampler import Sampler
from gattn_tg.models.config import TrunkConfig
from gattn_tg.models.kinds import kind_of
from gattn_tg.motif import MotifVocabulary
from gattn_tg.seq.strand import reverse_complement
from gattn_tg.strict import require
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.settings import TrainSettings
from gattn_tg.training.task import Device
from gattn_tg.types import UInt8

C = TypeVar("C", bound=TrunkConfig)


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
        test_contigs: Contigs that are neither learnt from nor validated on, and judged once, at the end.
        n_test: Windows of them that are judged then, spread evenly; 0 takes all.
        vocabulary: "default", or the path of a motif vocabulary in TOML.
    """

    genomes: tuple[str, ...]
    width: int = 512
    valid_every: int = 20
    block_bp: int = 65_536
    valid_contigs: tuple[str, ...] = ()
    n_valid: int = 256
    test_contigs: tuple[str, ...] = ()
    n_test: int = 4096
    vocabulary: str = "default"

    def __post_init__(self) -> None:
        require(bool(self.genomes), "genomes", "at least one file", list(self.genomes))
        require(self.width >= 2, "width", "at least 2 bases", self.width)
        require(self.block_bp >= self.width, "block_bp", f"at least width = {self.width}", self.block_bp)
        for name in ("valid_every", "n_valid", "n_test"):
            require(getattr(self, name) >= 0, name, "0 or more", getattr(self, name))
        both = sorted({*self.valid_contigs} & {*self.test_contigs})
        require(not both, "test_contigs", "no contig of valid_contigs", both)


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
        turned = flips(lambda stream: sampler.draws(place, stream), len(windows), settings.reverse_complement)
        windows[turned] = reverse_complement(windows[turned])
        return windows, sampler.draws(place, MASK)


def read_corpus(
    config: TrainConfig, data: LanguageData, shape_of: type[C]
) -> tuple[Corpus, MotifVocabulary, C]:
    """The genomes and the vocabulary that a [data] table names, and the model that reads them.

    Raises:
        ConfigError: Settings or data do not fit.
        FormatError: A file is malformed.
    """
    corpus = Corpus(
        read_contigs([config.resolve(name) for name in data.genomes]), valid_every=data.valid_every,
        block_bp=data.block_bp, valid_contigs=data.valid_contigs, test_contigs=data.test_contigs,
    )  # fmt: skip
    vocabulary = config.vocabulary(data.vocabulary) or MotifVocabulary.default()
    shape = config.model_settings(shape_of)
    shape = config.with_motifs(shape, vocabulary)
    return corpus, vocabulary, shape


@dataclass(eq=False, repr=False)
class WindowTask:
    """A task of a language model: every step sees windows from random places.

    Args:
        model: Changed in place.
        corpus: What is learnt from and judged by.
        data: The [data] table.
        vocabulary: Motif classes, whose ids the model reads.
        settings: The [train] table: batch_size, accumulate, reverse_complement, label_smoothing and seed count here.
        device: Where the inputs of `validate` go.
        n_ranks: Processes that train together.
    """

    data_table: ClassVar[type] = LanguageData
    derived: ClassVar[tuple[str, ...]] = ()
    judged_by: ClassVar[Mapping[str, bool]]

    model: Any
    corpus: Corpus
    data: LanguageData
    vocabulary: MotifVocabulary
    settings: TrainSettings
    device: Device = field(default=None, kw_only=True)
    n_ranks: int = field(default=1, kw_only=True)

    def __post_init__(self) -> None:
        self.monitors = self.judged_by
        self.windows = Windows(self.corpus, self.data.width, self.settings)
        self.steps_per_epoch = self.windows.steps_per_epoch(self.n_ranks)

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Bases that windows are drawn from, those that are held out, and those of the test where there is one."""
        corpus = self.corpus
        parts = {"train": corpus.train, "valid": corpus.valid, **({"test": corpus.test} if corpus.test else {})}
        return {name: {"bases": n_bases(part)} for name, part in parts.items()}

    @classmethod
    def from_config(cls, config: TrainConfig, *, device: Device = None, n_ranks: int = 1) -> Self:
        """Reads the genomes and makes the model.

        Raises:
            ConfigError: Settings or data do not fit.
            FormatError: A file is malformed.
        """
        data: Any = config.data_settings(cls.data_table)
        kind = kind_of(config.kind, str(config.path))
        corpus, vocabulary, shape = read_corpus(config, data, kind.config)
        model = kind.model(shape, seed=config.train.seed)
        return cls(model, corpus, data, vocabulary, config.train, device=device, n_ranks=n_ranks)
