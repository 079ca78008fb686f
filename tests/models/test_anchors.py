"""`anchors` in configurations of models: which tokens are chosen, who sees them, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tinygrad import Tensor

from gattn_tg.errors import ConfigError
from gattn_tg.models.config import TrunkConfig
from gattn_tg.models.gpt import GenomicGPT, GPTConfig
from gattn_tg.models.tracks import TrackConfig
from gattn_tg.motif import MotifVocabulary
from gattn_tg.nn.anchors import Growing, placed

ISLAND = MotifVocabulary.default().names.index("cpg_island")
SIZES: dict[str, Any] = {"width": 16, "n_layers": 1, "n_heads": 2, "mlp_ratio": 1, "embed_motifs": False,
                         "motif": "none"}  # fmt: skip


def test_too_many_candidates_are_spread_evenly_and_in_causal_models_the_first_are_taken() -> None:
    candidates = np.random.default_rng(0).random((4, 90)) < 0.5
    candidates[3] = False
    lengths = np.array([90, 40, 3, 90], np.int32)
    found = placed(Tensor(candidates), 7, Tensor(lengths)).numpy()
    first = placed(Tensor(candidates), 7, Tensor(lengths), is_causal=True).numpy()
    for row, length, even, early in zip(candidates, lengths, found, first, strict=True):
        places = np.flatnonzero(row[:length])
        want = places
        if len(places) > 7:
            rank = np.arange(1, len(places) + 1)
            want = places[rank * 7 // len(places) > (rank - 1) * 7 // len(places)]
            assert np.ptp(np.diff(np.searchsorted(places, want))) <= 1
        np.testing.assert_array_equal(even, np.pad(want, (0, 7 - len(want)), constant_values=-1))
        np.testing.assert_array_equal(early, np.pad(places[:7], (0, 7 - len(places[:7])), constant_values=-1))
        growing = Growing(1, 90, 7, left=10, classes=[3], step=None)
        for place, is_candidate in enumerate(row[:length].tolist()):
            growing.note(0, place, 3 * is_candidate)
        np.testing.assert_array_equal(np.flatnonzero(growing.is_anchor[0]), places[:7])


def test_which_anchors_a_language_model_has_does_not_depend_on_what_follows() -> None:
    ids = (np.random.default_rng(1).random((1, 64)) < 0.4).astype(np.uint8) * ISLAND
    model = GenomicGPT(GPTConfig(**SIZES, context=6, anchors="cpg_island", n_anchors=9))
    whole, part = (model.anchors(Tensor(ids[:, :n])) for n in (64, 16))
    assert whole is not None
    assert part is not None
    found = whole.numpy()[0]
    np.testing.assert_array_equal(part.numpy()[0], np.where(found < 16, found, -1))
    assert -1 not in found
    assert (found >= 16).any()


def test_one_base_in_so_many_is_an_anchor_up_to_the_end_of_its_row() -> None:
    model = GenomicGPT(GPTConfig(**SIZES, context=6, anchors="every 16", n_anchors=5))
    ids = Tensor(np.full((2, 70), 255, np.uint8))
    found = model.anchors(ids, Tensor(np.array([70, 33], np.int32)))
    assert found is not None
    np.testing.assert_array_equal(found.numpy(), [[0, 16, 32, 48, 64], [0, 16, 32, -1, -1]])


def test_wrong_anchors_are_refused_by_name() -> None:
    wanted: list[tuple[dict[str, Any], str]] = [
        ({"anchors": "cpg"}, "anchors: expected '' without a window"),
        ({"anchors": "every 0", "window_bp": 8}, "'every ' and a number of bases from 1 up"),
        ({"anchors": "every now", "window_bp": 8}, "'every ' and a number of bases from 1 up"),
        ({"anchors": ("cpg", "cpg"), "window_bp": 8}, "different names of classes"),
        ({"anchors": "cpg", "window_bp": 8, "n_anchors": 0}, "n_anchors: expected at least 1, got 0"),
    ]
    for fields, text in wanted:
        with pytest.raises(ConfigError, match=text):
            TrunkConfig(**SIZES, **fields)
    with pytest.raises(ConfigError, match="of whole tokens of 8"):
        TrackConfig(**SIZES, heads=(("a", 1),), bin_bp=8, window_bp=16, anchors="every 12")
    named = TrunkConfig(**SIZES, window_bp=8, anchors=["cpg_island", "tata_box"])
    assert named.with_vocabulary(MotifVocabulary.default()).anchor_ids == (ISLAND, 4)
    with pytest.raises(ConfigError, match="did you mean 'tata_box'"):
        TrunkConfig(**SIZES, window_bp=8, anchors="tata_bax").with_vocabulary(MotifVocabulary.default())
    assert TrunkConfig.from_json(named.to_json()) == named
