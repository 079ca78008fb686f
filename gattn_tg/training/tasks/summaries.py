"""What frozen filters find in the sequences of a run, computed once and not in every step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gattn_tg.data import LabelledSequences
from gattn_tg.models.captured.forward import Forward
from gattn_tg.training.settings import TrainSettings
from gattn_tg.training.task import Device
from gattn_tg.types import Float

# All processes of a run together: 150,000 sequences with 879 matrices. A number and not a share of what is free, so
# that a run goes on with equal bits where less memory is; no file, which every pass would read in another order.
MOST_BYTES = 1 << 30


class Summaries:
    """The `motif_summary` of every sequence of some sets, of filters that do not learn and count in no other way.

    All that a task does to a sequence is to turn it, which changes no summary but for rounding. Of other models, of
    filters that learn, and of sets whose summaries take more than `MOST_BYTES`, nothing is kept: a step computes it.

    Args:
        model: A model of whole sequences.
        settings: The [train] table.
        sets: Every sequence that steps and validations see.
        batch_size: Sequences whose motifs are found at once.
        device: Where that is done.
        n_ranks: Processes that train together; each keeps all sequences, whose order changes with every pass.

    Attributes:
        notes: What is kept or not, for the user.
    """

    def __init__(
        self, model: Any, settings: TrainSettings, sets: Sequence[LabelledSequences], batch_size: int, device: Device,
        n_ranks: int,
    ) -> None:  # fmt: skip
        self._model, self._sets, self._batch_size, self._device = model, sets, batch_size, device
        self._found: list[Float[np.ndarray, "r 2t"]] = []
        self.notes: tuple[str, ...] = ()
        self.are_kept = getattr(model.config, "needs_summary_alone", False) and not settings.filter_rate
        if self.are_kept:
            n, t = sum(map(len, sets)), model.config.filters
            size = 4 * n * 2 * t
            self.are_kept = size * n_ranks <= MOST_BYTES
            how = "computed once and kept" if self.are_kept else "too much to keep: computed in every step"
            self.notes = (f"filters: {t:,} that do not learn; what they find in {n:,} sequences, "
                          f"{size / 2**20:,.1f} MiB, is {how}",)

    def compute(self) -> None:
        """Find the motifs of all sequences with the filters as they are now."""
        if self.are_kept:
            run: Any = Forward(self._model, self._batch_size, self._device, run=self._model.motif_summary)
            self._found = [run(*data.inputs) for data in self._sets]

    def of(self, data: LabelledSequences) -> tuple[Float[np.ndarray, "r 2t"], ...]:
        """The summaries of a set, if they are kept and computed; else nothing, as a further input of a model."""
        return tuple(found for known, found in zip(self._sets, self._found, strict=False) if known is data)
