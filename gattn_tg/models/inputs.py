"""The wall between NumPy and tinygrad: the only place where a batch becomes tensors."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from tinygrad import Tensor

from gattn_tg.data.batches import Batch

Inputs = dict[str, Tensor]


def to_tensors(arrays: Mapping[str, np.ndarray] | Batch, device: str | tuple[str, ...] | None = None) -> Inputs:
    """Copy arrays to a device, name by name; a tuple of devices shares their first axis out.

    A `Batch` becomes `bases motif_ids lengths labels valid`; unlabelled ones get label 0 everywhere, so that a
    captured step keeps one signature.
    """
    named = batch_arrays(arrays) if isinstance(arrays, Batch) else arrays
    if isinstance(device, tuple):
        return {name: Tensor(np.ascontiguousarray(x)).shard(device, axis=0).realize() for name, x in named.items()}
    return {name: Tensor(np.ascontiguousarray(x), device=device).realize() for name, x in named.items()}


def batch_arrays(batch: Batch) -> dict[str, np.ndarray]:
    """The arrays of a batch by name."""
    labels = np.zeros(len(batch.lengths), np.int32) if batch.labels is None else batch.labels
    return {"bases": batch.bases, "motif_ids": batch.motif_ids, "lengths": batch.lengths, "labels": labels,
            "valid": batch.valid}
