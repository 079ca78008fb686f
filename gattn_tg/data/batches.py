"""Batches of one shape, in an order that seed and epoch decide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from gattn_tg.data.labelled import LabelledSequences
from gattn_tg.data.order import shuffled
from gattn_tg.errors import ConfigError
from gattn_tg.types import Bool, Int, UInt8


class Batch(NamedTuple):
    """Rows of LabelledSequences; `valid` tells real rows from those that only fill the last batch."""

    bases: UInt8[np.ndarray, "b n"]
    motif_ids: UInt8[np.ndarray, "b n"]
    lengths: Int[np.ndarray, "b"]
    labels: Int[np.ndarray, "b"] | None
    valid: Bool[np.ndarray, "b"]


def batches(
    dataset: LabelledSequences,
    batch_size: int,
    *,
    seed: int | None = None,
    epoch: int = 0,
    pad_last: bool = True,
) -> Iterator[Batch]:
    """Yield every sequence once, `batch_size` at a time.

    A compiled step wants one shape, so the last batch is filled by repeating row 0 of the dataset.

    Args:
        dataset: the sequences.
        batch_size: rows of each batch.
        seed: decides the order together with `epoch`; None keeps the order of the file.
        epoch: 0-based pass over the data.
        pad_last: fill the last batch; without it the last batch may be shorter.

    Raises:
        ConfigError: batch_size is not positive, or seed or epoch is negative.
    """
    if batch_size < 1 or epoch < 0 or (seed is not None and seed < 0):
        raise ConfigError(
            "batches: expected batch_size >= 1, seed >= 0 and epoch >= 0, "
            f"got {batch_size}, {seed} and {epoch}; correct the setting"
        )
    order = np.arange(len(dataset)) if seed is None else shuffled(len(dataset), seed, epoch)
    return _batches(dataset, batch_size, order, pad_last)


def _batches(
    dataset: LabelledSequences, batch_size: int, order: np.ndarray, pad_last: bool
) -> Iterator[Batch]:
    for first in range(0, len(order), batch_size):
        rows = order[first : first + batch_size]
        valid = np.ones(len(rows), dtype=bool)
        if pad_last:
            fill = batch_size - len(rows)
            rows, valid = np.pad(rows, (0, fill)), np.pad(valid, (0, fill))
        yield Batch(
            bases=dataset.bases[rows],
            motif_ids=dataset.motif_ids[rows],
            lengths=dataset.lengths[rows],
            labels=None if dataset.labels is None else dataset.labels[rows],
            valid=valid,
        )
