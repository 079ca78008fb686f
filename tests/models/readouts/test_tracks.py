"""Answers in bins of tracks: counts follow from rates, and what does not fit the model is refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gattn_tg.errors import ConfigError
from gattn_tg.models import tracks
from gattn_tg.models.readouts.tracks import TrackHead
from gattn_tg.models.tracks import TrackConfig

HEAD = TrackHead(head="human", tracks=("a+", "a-"), scale=(2.0, 3.0), soft_clip=1.0, assays=("x", "x"), pairs=(1, 0),
                 window_bp=96)
MOUSE = TrackHead(head="mouse", tracks=("m",), scale=(1.0,), soft_clip=0.0)


def test_counts_follow_from_rates_and_back() -> None:
    counts = np.array([[0.0, 3.0], [1.0, 300.0]], np.float32)
    learnt = HEAD.learnt(counts)
    np.testing.assert_allclose(learnt, [[0.0, 1.0], [0.5, 2 * np.sqrt(100.0) - 1]], rtol=1e-6)
    np.testing.assert_allclose(HEAD.counts(learnt), counts, rtol=1e-5)
    assert HEAD.mirrored(counts[None]).tolist() == [[[300.0, 1.0], [3.0, 0.0]]]


FITS = TrackConfig(heads=(("human", 2), ("mouse", 1)), bin_bp=8, crop_bp=32)


@pytest.mark.parametrize(("name", "values"), [
    ("head", ["rat", 7, None, ["human"]]), ("tracks", [["a"], ["a", 7], "ab", None, [["a"], ["b"]]]),
    ("scale", [[1.0], [1.0, "2"], [1.0, -1.0], [0.0, 1.0], [True, 1.0], 2.0, [[1], [2]], [1.0, float("inf")]]),
    ("soft_clip", [-1.0, "1", None, True, [1.0], float("nan")]),
    ("pairs", [[0], [1, 1], [0, 2], [-1, 0], "10", [1.0, 0.0]]),
    ("window_bp", [-8, 95, 64, 96.0, "96", True, None, 2**28 + 8, 10**17]),
])  # fmt: skip
def test_values_that_do_not_belong_to_the_model_are_refused_by_name(name: str, values: list[Any]) -> None:
    for value in values:
        about = {"heads": {"human": {**HEAD.to_about(), name: value}, "mouse": MOUSE.to_about()}}
        with pytest.raises(ConfigError, match=name):
            tracks.KIND.read(about, FITS)
