# ruff: noqa: E501 - error texts stand whole, as users meet them
"""Splits: exact sizes, equal mixes, no copies across parts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gattn_tg.data import split
from gattn_tg.errors import ConfigError


@given(st.lists(st.integers(0, 3), min_size=3, max_size=120), st.integers(0, 10**6), st.data())
def test_parts_are_disjoint_complete_and_stratified(
    labels: list[int], seed: int, data: st.DataObject
) -> None:
    n = len(labels)
    first = data.draw(st.integers(1, n - 2))
    second = data.draw(st.integers(1, n - first - 1))
    sizes = (first, second, n - first - second)
    parts = split(np.array(labels), sizes, seed)
    assert [len(part) for part in parts] == list(sizes)
    assert sorted(np.concatenate(parts).tolist()) == list(range(n))
    for part, size in zip(parts, sizes, strict=True):
        assert (np.diff(part) > 0).all()
        for label in set(labels):
            exact = labels.count(label) * size / n
            assert abs(int((np.array(labels)[part] == label).sum()) - exact) < 2


@given(st.integers(0, 1000))
def test_groups_stay_together(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 120, size=200).tolist()
    labels = np.array([group % 3 for group in groups])
    parts = split(labels, (120, 40, 40), seed, groups=groups)
    assert [len(part) for part in parts] == [120, 40, 40]
    keys = [{groups[row] for row in part.tolist()} for part in parts]
    assert keys[0].isdisjoint(keys[1] | keys[2])
    assert keys[1].isdisjoint(keys[2])


def test_seed_decides() -> None:
    labels = np.arange(60) % 2
    assert (split(labels, (40, 20), 3)[1] == split(labels, (40, 20), 3)[1]).all()
    assert any((split(labels, (40, 20), 3)[1] != split(labels, (40, 20), 4)[1]).tolist())


@pytest.mark.parametrize(
    ("sizes", "groups", "text"),
    [
        ((3, 3), None, "split: expected positive sizes that add up to 5 rows, got 3, 3 (sum 6); correct the sizes"),
        ((5, 0), None, "split: expected positive sizes that add up to 5 rows, got 5, 0 (sum 5); correct the sizes"),
        ((), None, "split: expected positive sizes that add up to 5 rows, got  (sum 0); correct the sizes"),
        ((3, 2), [0] * 5, "split: expected groups that fit into the parts, but one of 5 rows fits into none; use larger parts or fewer copies"),
        ((3, 2), [0], "split: expected one group for each of 5 rows, got 1; give one key per row"),
    ],
)  # fmt: skip
def test_impossible_splits_are_refused(sizes: tuple[int, ...], groups: list[int] | None, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        split(np.zeros(5, dtype=int), sizes, 0, groups=groups)
    assert str(caught.value) == text
