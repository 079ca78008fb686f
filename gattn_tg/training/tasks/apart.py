"""A network and the linear models beside it that learn apart: what each is worth, and how much each says."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from tinygrad import Tensor

from gattn_tg.data import LabelledSequences
from gattn_tg.data.augment import other_strand
from gattn_tg.metrics.outcome import Outcome
from gattn_tg.models.captured.forward import Forward, meant
from gattn_tg.models.readouts.sequences import SequenceReadout
from gattn_tg.motif import MotifVocabulary
from gattn_tg.nn.blend import SCALES, choices
from gattn_tg.training.task import Device
from gattn_tg.training.tasks.summaries import Summaries
from gattn_tg.types import Float

Said = dict[str, Float[np.ndarray, "s r c"]]  # by part: outputs for each strand, sequence and answer


class Apart:
    """Asks all parts of a model about the validation set, once for a validation.

    Args:
        model: A `SequenceClassifier` with `apart`.
        readout: What its answers mean; over both strands where it says so.
        truth: What is known of the sequences.
        valid: The sequences.
        vocabulary: What their motif ids mean.
        batch_size: Sequences that are asked about at once.
        device: Where they go.
        summaries: What is kept of their motifs; None computes it.

    Raises:
        ConfigError: The model has no linear model beside its network.
    """

    def __init__(
        self, model: Any, readout: SequenceReadout, truth: np.ndarray, valid: LabelledSequences,
        vocabulary: MotifVocabulary, batch_size: int, device: Device, summaries: Summaries | None = None,
    ) -> None:  # fmt: skip
        model.config.require_parts()
        self.summaries = summaries
        self.model, self.readout, self.truth, self.valid, self.vocabulary = model, readout, truth, valid, vocabulary
        self.parts: tuple[str, ...] = model.config.parts
        self._run = Forward(model, batch_size, device,
                            run=lambda *some: Tensor.stack(*model.parts(*some).values(), dim=1))
        self._now: Said = {}
        self._best: Said = {}

    def values(self, monitor: str) -> dict[str, float]:
        """The metric of each part alone, with the weights that the model has now."""
        self._now = self._said()
        return {part: self._metrics(self._now[part])[monitor] for part in self.parts}

    def choose(self, better: Collection[str]) -> dict[str, float]:
        """Weigh the parts so that the loss is least; gives the metrics of the whole, and PART_weight of each part.

        A part that says anything must lessen the loss by more than 1 / n of n sequences, as a weight that is fitted to
        them does so much by chance.

        Args:
            better: Parts whose weights are those that `values` asked about; others have earlier ones.

        Source: Akaike 1974, "A new look at the statistical model identification", IEEE Trans Autom Control 19:716.
        """
        if not self._best and len(better) < len(self.parts):
            self._best = self._said()  # after a resume
        self._best |= {part: self._now[part] for part in better}
        said = [self._best[part] for part in self.parts]
        scales = [min(SCALES, key=lambda scale: self._loss(scale * one)) for one in said]
        weights = [[weight * scale for weight, scale in zip(chosen, scales, strict=True)]
                   for chosen in choices(len(said))]
        cost = 1 / len(self.truth)
        best = min(weights, key=lambda chosen: self._loss(_sum(chosen, said)) + cost * np.count_nonzero(chosen))
        self.model.blend.choose(*best)
        told = {f"{part}_weight": weight for part, weight in zip(self.parts, best, strict=True)}
        return self._metrics(_sum(best, said)) | told

    def _said(self) -> Said:
        bases, motif_ids, lengths = (rows[:] for rows in self.valid.inputs)  # of a table on disk as well
        same = (lengths, *(self.summaries.of(self.valid) if self.summaries else ()))  # of both strands
        found = [self._run(bases, motif_ids, *same)]
        if self.readout.both_strands:
            turned = other_strand(bases, motif_ids, self.vocabulary.complement, lengths=lengths)
            found.append(self._run(*turned, *same))
        both = np.stack(found)
        return {part: both[:, :, i] for i, part in enumerate(self.parts)}

    def _loss(self, outputs: Float[np.ndarray, "s r c"]) -> float:
        loss = self._outcome(outputs).loss()
        return np.inf if np.isnan(loss) else loss

    def _metrics(self, outputs: Float[np.ndarray, "s r c"]) -> dict[str, float]:
        return self._outcome(outputs).metrics()

    def _outcome(self, outputs: Float[np.ndarray, "s r c"]) -> Outcome:
        return Outcome(self.readout, self.truth, meant(self.readout, outputs).mean(0))


def _sum(weights: Sequence[float], said: Sequence[np.ndarray]) -> np.ndarray:
    return np.tensordot(np.asarray(weights), np.stack(said), 1)
