"""Batches: shape, order, filling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gattn_tg.data import LabelledSequences, batches
from gattn_tg.data.order import shuffled
from gattn_tg.errors import ConfigError


def dataset(n: int, labelled: bool = True) -> LabelledSequences:
    """Row k holds k in its length, so a row can be recognised."""
    return LabelledSequences(
        bases=np.full((n, 4), 2, dtype=np.uint8),
        motif_ids=np.zeros((n, 4), dtype=np.uint8),
        lengths=np.arange(n, dtype=np.int32),
        labels=np.arange(n, dtype=np.int32) % 2 if labelled else None,
        label_names=("a", "b"),
    )


@given(st.integers(0, 40), st.integers(1, 12), st.one_of(st.none(), st.integers(0, 2**63)), st.integers(0, 3))
def test_every_row_once_in_batches_of_one_shape(n: int, size: int, seed: int | None, epoch: int) -> None:
    seen = []
    for batch in batches(dataset(n), size, seed=seed, epoch=epoch):
        assert batch.bases.shape == batch.motif_ids.shape == (size, 4)
        assert batch.lengths.shape == batch.valid.shape == (size,)
        assert batch.labels is not None
        assert (batch.labels == batch.lengths % 2).all()
        assert (batch.lengths[~batch.valid] == 0).all()  # row 0 fills
        seen += batch.lengths[batch.valid].tolist()
    assert sorted(seen) == list(range(n))
    if seed is None:
        assert seen == list(range(n))


def test_seed_and_epoch_decide_the_order() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return [
            row
            for batch in batches(dataset(50), 50, seed=seed, epoch=epoch)
            for row in batch.lengths.tolist()
        ]

    assert order(1, 0) == order(1, 0)
    assert len({tuple(order(seed, epoch)) for seed in range(4) for epoch in range(4)}) == 16


def test_order_never_changes() -> None:
    assert shuffled(10, 1, 2).tolist() == [5, 6, 9, 3, 2, 1, 0, 8, 4, 7]


def test_last_batch_may_stay_short() -> None:
    sizes = [len(batch.valid) for batch in batches(dataset(10), 4, pad_last=False)]
    assert sizes == [4, 4, 2]


def test_unlabelled() -> None:
    (batch,) = batches(dataset(3, labelled=False), 4)
    assert batch.labels is None
    assert batch.valid.tolist() == [True, True, True, False]


@pytest.mark.parametrize(("size", "seed", "epoch"), [(0, None, 0), (4, -1, 0), (4, None, -1)])
def test_bad_settings_are_refused_at_once(size: int, seed: int | None, epoch: int) -> None:
    with pytest.raises(ConfigError) as caught:
        batches(dataset(3), size, seed=seed, epoch=epoch)
    assert str(caught.value) == (
        f"batches: expected batch_size >= 1, seed >= 0 and epoch >= 0, got {size}, {seed} and {epoch}; "
        "correct the setting"
    )
