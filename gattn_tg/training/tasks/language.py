"""Predicting the next base: a GenomicGPT on windows of genomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tinygrad import Tensor

from gattn_tg.data.genomes.corpus import behind
from gattn_tg.models.captured.inputs import Inputs
from gattn_tg.models.likelihood import BaseMetrics, Likelihood, causal_motifs
from gattn_tg.models.readouts.bases import NextBaseReadout
from gattn_tg.ops.cross_entropy import cross_entropy
from gattn_tg.training.task import Arrays
from gattn_tg.training.tasks.windows import WindowTask
from gattn_tg.types import Float, UInt8

MONITORS = {"bits_per_base": False, "accuracy": True}


@dataclass(eq=False, repr=False)
class Language(WindowTask):
    """The task of a model of next bases; its motif ids are causal."""

    judged_by: ClassVar[Mapping[str, bool]] = MONITORS

    def __post_init__(self) -> None:
        super().__post_init__()
        width = self.data.width
        self.readout = NextBaseReadout(width=width)
        self.held_out = self.corpus.held_out(width, self._stride, self.data.n_valid)
        one = self.device[0] if isinstance(self.device, tuple) else self.device
        n_rows = min(self.settings.batch_size, len(self.held_out))
        self.likelihood = Likelihood(self.model, self.vocabulary, n_rows, one)

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
        return self._measured(self.held_out)

    def test(self) -> dict[str, float] | None:
        """The same of windows of the test contigs; None without any."""
        corpus, data = self.corpus, self.data
        if not corpus.test:
            return None
        return self._measured(corpus.held_out(data.width, self._stride, data.n_test, corpus.test))

    @property
    def _stride(self) -> int:
        """Bases from one judged window to the next: the second half of each is judged."""
        return max(self.data.width // 2, 1)

    def _measured(self, windows: UInt8[np.ndarray, "m n"]) -> dict[str, float]:
        metrics, first = BaseMetrics(self.data.width // 2), 0
        for log2_p in self.likelihood(windows):
            metrics.add(log2_p, windows[first : first + len(log2_p)])
            first += len(log2_p)
        return metrics.result()

    def fingerprint(self) -> bytes:
        """Digest of bases, split, width and vocabulary."""
        return self.corpus.digest() + repr((self.data.width, self.data.n_valid, self.vocabulary.to_toml())).encode()
