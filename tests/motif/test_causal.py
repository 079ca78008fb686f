"""Causal motif ids: nothing after a base decides its id, and a motif is marked where it is complete."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gattn_tg.errors import ShapeError
from gattn_tg.motif import AtRich, CpgIslands, MotifClass, MotifVocabulary, annotate, causal_ids
from gattn_tg.motif.causal import lookback
from gattn_tg.motif.sites import find_all, strands
from gattn_tg.seq import encode

DEFAULT = MotifVocabulary.default()
STRETCHES = MotifVocabulary((
    MotifClass("island", CpgIslands("takai-jones"), 1, "#000000"), MotifClass("rich", AtRich(6, 0.8), 2, "#111111")))


def sequence(seed: int, n: int = 900) -> np.ndarray:
    rng = np.random.default_rng(seed)
    ids = rng.choice(5, n, p=[0.3, 0.19, 0.2, 0.3, 0.01])
    ids[300:620] = np.where(rng.random(320) < 0.6, np.tile([1, 2], 160), rng.integers(0, 4, 320))  # an island
    return ids.astype(np.uint8)


@pytest.mark.parametrize("vocabulary", [DEFAULT, STRETCHES])
@given(seed=st.integers(0, 50), cut=st.integers(0, 900))
def test_what_follows_decides_nothing(vocabulary: MotifVocabulary, seed: int, cut: int) -> None:
    ids = sequence(seed)
    whole = causal_ids(ids, vocabulary)
    np.testing.assert_array_equal(causal_ids(ids[:cut], vocabulary), whole[:cut])
    first = max(cut - lookback(vocabulary), 0)
    if cut:
        assert causal_ids(ids[first:cut], vocabulary)[-1] == whole[cut - 1]  # the lookback is enough


def test_every_motif_is_marked_at_its_end_and_looking_ahead_is_what_annotate_does() -> None:
    ids = sequence(1)
    marked = causal_ids(ids)
    assert set(np.unique(marked)) >= {0, 1, 2}
    ends = np.zeros(len(ids), dtype=bool)
    for (k, _), spans in find_all(ids, DEFAULT).items():
        if DEFAULT.classes[k - 1].rule.reach_bp:
            ends[spans.ends - 1] = True
    np.testing.assert_array_equal(marked[ends] > 0, True)
    changed = ids.copy()
    changed[400:] = encode("A" * 500)
    assert (annotate(changed)[:400] != annotate(ids)[:400]).any()
    assert all(strands(motif) for motif in DEFAULT.classes)


def test_rows_are_apart_and_shapes_are_kept() -> None:
    rows = np.stack([encode("AAC"), encode("GTT")])
    np.testing.assert_array_equal(causal_ids(rows), 0)
    assert causal_ids("ACG").tolist() == [0, 0, 1]
    assert causal_ids(np.zeros((2, 0), np.uint8)).shape == (2, 0)
    with pytest.raises(ShapeError, match=r"causal_ids: expected one sequence \(n\) or one per row \(N, n\), got"):
        causal_ids(np.zeros((1, 1, 3), np.uint8))
