"""Readouts of every kind: what a checkpoint says comes back, of old files too; what no readout can be is refused."""

from __future__ import annotations

from typing import Any

import pytest

from gattn_tg.errors import ConfigError
from gattn_tg.models.kinds import KINDS
from gattn_tg.models.readouts.bases import MaskedReadout, NextBaseReadout, SiteReadout
from gattn_tg.models.readouts.readout import Readout
from gattn_tg.models.readouts.sequences import ClassReadout, LabelReadout, ValueReadout
from gattn_tg.models.readouts.tracks import TrackHead, TrackReadout

HEAD = TrackHead(head="human", tracks=("a+", "a-"), scale=(2.0, 3.0), soft_clip=1.0, assays=("x", "x"), pairs=(1, 0),
                 window_bp=96)
MOUSE = TrackHead(head="mouse", tracks=("m",), scale=(1.0,), soft_clip=0.0)
LABELS = LabelReadout(labels=("CTCF", "SP1"), name_column="peak")
VALUES = ValueReadout(labels=("a", "b"), mean=(10.0, -1.0), sd=(2.0, 0.5), loss="mse")
COUNTS = ValueReadout(labels=("a", "b"), mean=(10.0, 1.0), sd=(2.0, 0.5), loss="poisson")
SITES = SiteReadout(window_bp=64, site_bp=2, blocks=(("train", ("chr1:0-9",)), ("test", ())))


@pytest.mark.parametrize("readout", [
    ClassReadout(labels=("no", "yes")), TrackReadout(heads=(HEAD,)), TrackReadout(heads=(HEAD, MOUSE)), SITES,
    NextBaseReadout(width=32), MaskedReadout(width=32), LABELS, VALUES, COUNTS,
    ClassReadout(labels=("no", "yes"), sequence_column="dna", label_column="y"),
], ids=lambda r: type(r).__name__)  # fmt: skip
def test_what_is_written_is_read(readout: Readout) -> None:
    assert type(readout).from_about({**readout.to_about(), "vocabulary": "anything"}) == readout


@pytest.mark.parametrize(("kind", "about"), [
    # as checkpoints had it before readouts were typed
    ("SequenceClassifier", {"labels": ["no", "yes"], "vocabulary": ""}),
    ("TrackModel", {"vocabulary": "", "head": "human", "tracks": ["a"], "assays": ["x"], "pairs": None, "scale": [1.5],
                    "soft_clip": 10.0, "window_bp": 96}),
    ("TrackModel", {"head": "human", "tracks": ["a"], "assays": ["x"], "pairs": None, "scale": [1.5],
                    "soft_clip": 10.0}),
    ("PerBaseModel", {"vocabulary": "", "blocks": {"train": ["chr1:0-9"]}, "window_bp": 64, "site_bp": 2}),
    ("GenomicGPT", {"vocabulary": "", "width": 32}), ("MaskedEncoder", {"vocabulary": "", "width": 32}),
])  # fmt: skip
def test_readouts_of_older_checkpoints_are_read(kind: str, about: dict[str, Any]) -> None:
    readout = KINDS[kind].readout.from_about(about)
    assert readout is not None
    told = readout.to_about()
    assert {key: told[key] or None for key in about if key != "vocabulary"} == {
        key: value for key, value in about.items() if key != "vocabulary"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_that_says_nothing_has_no_readout(kind: str) -> None:
    assert KINDS[kind].readout.from_about({}) is None
    assert KINDS[kind].readout.from_about({"vocabulary": ""}) is None


@pytest.mark.parametrize(("readout", "about", "text"), [
    (ClassReadout, {"labels": ["a"], "colour": "red"}, "expected one of its known keys, got 'colour'"),
    (ClassReadout, {"labels": [1]}, r"labels\[0\]: expected a string, got 1"),
    (SiteReadout, {"window_bp": 64}, "SiteReadout: expected site_bp, got none"),
    (TrackReadout, {**HEAD.to_about(), "scale": [1.0]}, "a scale above 0 for each of 2 tracks"),
    (TrackReadout, {**HEAD.to_about(), "scale": [1.0, 0.0]}, "a scale above 0 for each of 2 tracks"),
    (TrackReadout, {**HEAD.to_about(), "pairs": [0, 0]}, "for pairs the partner of each of 2 tracks"),
    (TrackReadout, {"heads": {"human": 7}}, "an object for the head 'human'"),
    (TrackReadout, {"heads": {"human": {"head": "human"}}}, "TrackHead: expected tracks, got none"),
    (TrackReadout, {"heads": ["human"]}, "an object of heads by name"),
])  # fmt: skip
def test_what_no_readout_can_be_is_refused(readout: type[Readout], about: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        readout.from_about(about)
