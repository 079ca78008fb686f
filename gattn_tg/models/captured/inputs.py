"""The wall between NumPy and tinygrad: the only place where a batch becomes tensors."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import numpy as np
from tinygrad import Tensor

from gattn_tg.data.batches import Batch
from gattn_tg.ops import host

Inputs = dict[str, Tensor]


def to_tensors(arrays: Mapping[str, np.ndarray] | Batch, device: str | tuple[str, ...] | None = None) -> Inputs:
    """Copy arrays to a device, name by name; a tuple of devices shares their first axis out.

    A `Batch` becomes `bases motif_ids lengths labels valid`; unlabelled ones get label 0 everywhere, so that a
    captured step keeps one signature.
    """
    named = batch_arrays(arrays) if isinstance(arrays, Batch) else arrays
    if isinstance(device, tuple):
        return {name: Tensor(np.ascontiguousarray(x)).shard(device, axis=0).realize() for name, x in named.items()}
    return {name: host.tensor_of(x, device) for name, x in named.items()}


class Feed:
    """Copies batches of one shape, each into the memory of the one before: no kernel and no new memory.

    A batch that it gave is overwritten by the next one of the same slot, so its use must be over by then.

    Args:
        device: As for `to_tensors`, which it leaves all to where memory cannot be written directly.
    """

    def __init__(self, device: str | tuple[str, ...] | None = None) -> None:
        self.device = device
        self._slots: dict[Hashable, Inputs] = {}

    def __call__(self, arrays: Mapping[str, np.ndarray] | Batch, slot: Hashable = 0) -> Inputs:
        """Copy arrays to the device, name by name.

        Args:
            arrays: The batch.
            slot: Batches of different slots live beside each other.
        """
        named = batch_arrays(arrays) if isinstance(arrays, Batch) else arrays
        held = self._slots.get(slot)
        if held is None or any(held[name].shape != x.shape for name, x in named.items()):
            held = self._slots[slot] = to_tensors(named, self.device)
            return held
        if not all(host.is_writable(tensor) for tensor in held.values()):
            return to_tensors(named, self.device)
        host.write([held[name] for name in named], list(named.values()))
        return {name: held[name] for name in named}


def batch_arrays(batch: Batch) -> dict[str, np.ndarray]:
    """The arrays of a batch by name."""
    labels = np.zeros(len(batch.lengths), np.int32) if batch.labels is None else batch.labels
    return {"bases": batch.bases, "motif_ids": batch.motif_ids, "lengths": batch.lengths, "labels": labels,
            "valid": batch.valid}
