"""The wall between NumPy and tinygrad: the only place where a batch becomes tensors."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor

from gattn_tg.data.batches import Batch

Inputs = dict[str, Tensor]


def to_tensors(batch: Batch, device: str | tuple[str, ...] | None = None) -> Inputs:
    """Copy a batch to a device as `bases motif_ids lengths labels valid`; a tuple of devices shares the rows out.

    Unlabelled batches get label 0 everywhere, so that a captured step keeps one signature.
    """
    labels = np.zeros(len(batch.lengths), np.int32) if batch.labels is None else batch.labels
    arrays = {"bases": batch.bases, "motif_ids": batch.motif_ids, "lengths": batch.lengths, "labels": labels,
              "valid": batch.valid}
    if isinstance(device, tuple):
        return {name: Tensor(np.ascontiguousarray(x)).shard(device, axis=0).realize() for name, x in arrays.items()}
    return {name: Tensor(np.ascontiguousarray(x), device=device).realize() for name, x in arrays.items()}
