"""A model over a whole dataset: class probabilities as NumPy, in batches of one shape."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from tinygrad import Tensor, TinyJit
from tinygrad.helpers import Context

from gattn_tg.data import LabelledSequences, batches
from gattn_tg.models.finite import finite
from gattn_tg.models.inputs import Feed
from gattn_tg.types import Float, Int, UInt8


class Classifier(Protocol):
    """What is needed of a model: logits of (bases, motif_ids, lengths)."""

    def __call__(
        self, bases: UInt8[Tensor, "b n"], motif_ids: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"]
    ) -> Float[Tensor, "b c"]: ...


class Forward:
    """Calling it with a dataset gives one row of probabilities per sequence.

    The network is captured at the first batch and replayed; weights changed in place are seen, weights replaced by
    other tensors are not.

    Args:
        model: Maps (bases, motif_ids, lengths) to logits.
        batch_size: Sequences per call of the model; the last batch is filled up.
        device: Where the inputs go; None is tinygrad's default, a tuple shares the rows out.

    Raises:
        DivergedError: A probability is not finite.
    """

    def __init__(self, model: Classifier, batch_size: int, device: str | tuple[str, ...] | None = None) -> None:
        self.model, self.batch_size, self.device = model, batch_size, device
        self._captured, self._feed = TinyJit(self._run), Feed(device)

    def __call__(self, dataset: LabelledSequences) -> Float[np.ndarray, "n c"]:
        rows = []
        with Context(TRAINING=0):
            for batch in batches(dataset, self.batch_size):
                inputs = self._feed(batch)
                p = self._captured(inputs["bases"], inputs["motif_ids"], inputs["lengths"])
                rows.append(finite(p.numpy()[batch.valid], type(self.model).__name__))
        return np.concatenate(rows)

    def _run(self, bases: Tensor, motif_ids: Tensor, lengths: Tensor) -> Tensor:
        return self.model(bases, motif_ids, lengths).float().softmax().realize()
