"""Filling in masked bases or k-mers: a MaskedEncoder on windows of genomes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tinygrad import Tensor

from gattn_tg.data.draws import MASK
from gattn_tg.data.masking import mask
from gattn_tg.data.sampler import Sampler
from gattn_tg.models.captured.forward import Forward
from gattn_tg.models.captured.inputs import Inputs
from gattn_tg.models.readouts.bases import MaskedReadout
from gattn_tg.motif import annotate
from gattn_tg.ops.cross_entropy import cross_entropy
from gattn_tg.strict import require
from gattn_tg.training.task import Arrays
from gattn_tg.training.tasks.windows import LanguageData, WindowTask
from gattn_tg.types import Float, UInt8

MONITORS = {"loss": False, "accuracy": True}
ARRAYS = ("bases", "motif_ids", "lengths", "places", "labels")  # of a batch


@dataclass(frozen=True)
class MaskData(LanguageData):
    """The [data] table of masked language models: that of `LanguageData`, and `mask_share`.

    Args:
        mask_share: Share of the tokens that are to be named, in whole spans of k.
    """

    mask_share: float = 0.15

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 < self.mask_share <= 0.5, "mask_share", "more than 0 and at most 0.5", self.mask_share)


@dataclass(eq=False, repr=False)
class Mask(WindowTask):
    """The task of a model of hidden bases; motif ids are those of the masked window, so they do not tell what was
    hidden."""

    data_table: ClassVar[type] = MaskData
    judged_by: ClassVar[Mapping[str, bool]] = MONITORS

    data: MaskData

    def __post_init__(self) -> None:
        super().__post_init__()
        width = self.data.width
        self.readout = MaskedReadout(width=width)
        self.held_out = list(self._hidden(self.corpus.held_out(width, width, self.data.n_valid)))
        self._forward = Forward(self.model, self.settings.batch_size, self.device, self._run)

    def batch(self, step: int, micro: int, rank: int, n_ranks: int) -> Arrays:
        """Windows of this step, micro-batch and rank with hidden spans, and what stood there."""
        return self._masked(*self.windows.draw(step, micro, rank, n_ranks))

    def loss(self, inputs: Inputs) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Cross entropy of the hidden tokens, summed, and their number."""
        return cross_entropy(self._logits(inputs), inputs["labels"], self.settings.label_smoothing)

    def validate(self) -> dict[str, float]:
        """Loss in nats, perplexity and accuracy per hidden token of the held-out windows, and their number."""
        return self._measured(self.held_out)

    def test(self) -> dict[str, float] | None:
        """The same of windows of the test contigs; None without any."""
        corpus, width = self.corpus, self.data.width
        if not corpus.test:
            return None
        return self._measured(self._hidden(corpus.held_out(width, width, self.data.n_test, corpus.test)))

    def _hidden(self, windows: UInt8[np.ndarray, "m n"]) -> Iterator[Arrays]:
        """Whole batches of windows, with the same masks whenever they are asked for."""
        n_rows = self.settings.batch_size
        most = max(len(windows) // n_rows, 1) * n_rows
        windows = np.resize(windows, (most, self.data.width))
        keys = Sampler(1, most, 0).draws(0, MASK)
        return (self._masked(windows[i : i + n_rows], keys[i : i + n_rows]) for i in range(0, most, n_rows))

    def _measured(self, batches: Iterable[Arrays]) -> dict[str, float]:
        total = right = n = 0.0
        for arrays in batches:
            sums = self._forward.whole(*(arrays[name] for name in ARRAYS))
            total, n, right = total + float(sums[0]), n + float(sums[1]), right + float(sums[2])
        n = max(n, 1.0)
        return {"loss": total / n, "perplexity": float(np.exp(total / n)), "accuracy": right / n, "n": n}

    def fingerprint(self) -> bytes:
        """Digest of bases, split, width, masks and vocabulary."""
        data = self.data
        told = (data.width, data.n_valid, data.mask_share, self.vocabulary.to_toml())
        return self.corpus.digest() + repr(told).encode()

    def _logits(self, inputs: Inputs) -> Tensor:
        return self.model(inputs["bases"], inputs["motif_ids"], inputs["lengths"], inputs["places"])

    def _run(self, *tensors: Tensor) -> Tensor:
        inputs = dict(zip(ARRAYS, tensors, strict=True))
        logits = self._logits(inputs)
        total, count = cross_entropy(logits, inputs["labels"])
        right = (logits.argmax(-1) == inputs["labels"]).cast(total.dtype).sum()
        return Tensor.stack(total, count, right)

    def _masked(self, windows: UInt8[np.ndarray, "b n"], keys: np.ndarray) -> Arrays:
        hidden = mask(windows, keys, self.data.mask_share, self.model.config.k)
        is_read = self.model.config.reads_motifs
        ids = annotate(hidden.bases, self.vocabulary) if is_read else np.zeros_like(hidden.bases)
        lengths = np.full(len(windows), self.data.width, dtype=np.int32)
        return {"bases": hidden.bases, "motif_ids": ids, "lengths": lengths, "places": hidden.places,
                "labels": hidden.labels.astype(np.int32)}
