"""What a checkpoint says of its tracks and sites is believed only where it belongs to the model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gattn_tg.errors import ConfigError, FormatError
from gattn_tg.models.bases import PerBaseConfig
from gattn_tg.models.readouts import SiteReadout, TrackReadout, site_readout, track_readout
from gattn_tg.models.tracks import TrackConfig

TRACKS = TrackConfig(heads=(("human", 2), ("mouse", 1)), bin_bp=8, crop_bp=32)
ABOUT: dict[str, Any] = {
    "head": "human", "tracks": ["a+", "a-"], "pairs": [1, 0], "scale": [2, 3.0], "soft_clip": 1.0, "window_bp": 96,
}  # fmt: skip
MOUSE = {**ABOUT, "head": "mouse", "tracks": ["b"], "pairs": None, "scale": [1.0]}


def test_what_fits_is_read() -> None:
    readout = track_readout(ABOUT, TRACKS, None)
    assert readout == TrackReadout("human", ("a+", "a-"), (1, 0), (2.0, 3.0), 1.0, 96)
    np.testing.assert_array_equal(readout.counts(np.array([[0.5, 3.0]], np.float32)), [[1.0, 12.0]])
    both = {"heads": {"human": ABOUT, "mouse": MOUSE}}
    assert track_readout(both, TRACKS, None) == readout
    assert track_readout(both, TRACKS, "mouse").tracks == ("b",)
    assert site_readout({"window_bp": 96, "site_bp": 2, "more": 1}, PerBaseConfig()) == SiteReadout(96, 2)
    with pytest.raises(ConfigError, match="a head named human or mouse is required, but came 'rat'"):
        track_readout(both, TRACKS, "rat")


@pytest.mark.parametrize(("name", "values"), [
    ("head", ["rat", 7, None, ["human"]]), ("tracks", [["a"], ["a", 7], "ab", None, [["a"], ["b"]]]),
    ("scale", [[1.0], [1.0, "2"], [1.0, -1.0], [0.0, 1.0], [True, 1.0], 2.0, [[1], [2]], [1.0, float("inf")]]),
    ("soft_clip", [-1.0, "1", None, True, [1.0], float("nan")]),
    ("pairs", [[0], [1, 1], [0, 2], [-1, 0], "10", [1.0, 0.0], {}]),
    ("window_bp", [0, -8, 95, 64, 96.0, "96", True, None, 2**28 + 8, 10**17]),
])  # fmt: skip
def test_what_does_not_fit_is_refused_by_name(name: str, values: list[Any]) -> None:
    for value in values:
        for about in ({**ABOUT, name: value}, {"heads": {"human": {**ABOUT, name: value}}}):
            with pytest.raises(FormatError, match=rf"^checkpoint of a TrackModel: expected .* for {name}, got "):
                track_readout(about, TRACKS, None)


@pytest.mark.parametrize("name", ["head", "tracks", "scale", "soft_clip", "window_bp"])
def test_what_is_missing_is_named(name: str) -> None:
    about = {key: value for key, value in MOUSE.items() if key != name}
    with pytest.raises(FormatError, match=rf"TrackModel: {name} of its training are required, but it does not say"):
        track_readout({"heads": {"mouse": about}}, TRACKS, None)


@pytest.mark.parametrize("about", [{"heads": {"human": 7}}, {"heads": {"human": None}}, {"heads": {"human": []}}])
def test_a_head_that_is_no_object_is_refused(about: dict[str, Any]) -> None:
    with pytest.raises(FormatError, match="expected an object for a head"):
        track_readout(about, TRACKS, None)


@pytest.mark.parametrize(("window_bp", "site_bp"), [(0, 1), ("9", 1), (9.0, 1), (9, 0), (9, 10), (9, "1"), (9, True)])
def test_sites_that_do_not_fit_are_refused(window_bp: Any, site_bp: Any) -> None:
    with pytest.raises(FormatError, match=r"checkpoint of a PerBaseModel: expected .* for (window_bp|site_bp), got"):
        site_readout({"window_bp": window_bp, "site_bp": site_bp}, PerBaseConfig())
