"""Readouts: what a checkpoint says about its answers comes back, of old files too; what does not fit is refused."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from gattn_tg.errors import ConfigError
from gattn_tg.models import classifier, tracks
from gattn_tg.models.classifier import ClassifierConfig
from gattn_tg.models.kinds import KINDS
from gattn_tg.models.readouts import (
    ClassReadout,
    LabelReadout,
    MaskedReadout,
    NextBaseReadout,
    Readout,
    SiteReadout,
    TrackHead,
    TrackReadout,
    ValueReadout,
)
from gattn_tg.models.tracks import TrackConfig

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


@pytest.mark.parametrize(("window_bp", "site_bp"), [(0, 1), ("9", 1), (9.0, 1), (9, 0), (9, 10), (9, "1"), (9, True)])
def test_sites_that_do_not_fit_are_refused(window_bp: Any, site_bp: Any) -> None:
    with pytest.raises(ConfigError, match=r"^SiteReadout.* (window_bp|site_bp)"):
        SiteReadout.from_about({"window_bp": window_bp, "site_bp": site_bp})


def test_checkpoints_of_classes_stay_as_they_were_and_others_say_their_task() -> None:
    assert ClassReadout(labels=("no", "yes")).to_about() == {"labels": ["no", "yes"]}
    assert LABELS.to_about() == {"task": "labels", "labels": ["CTCF", "SP1"], "name_column": "peak"}
    config = ClassifierConfig(n_classes=2)
    for readout in (ClassReadout(labels=("no", "yes")), LABELS, VALUES):
        assert classifier.KIND.read(readout.to_about(), config) == readout


@pytest.mark.parametrize("readout", [VALUES, COUNTS], ids=lambda r: r.loss)
def test_values_are_learnt_on_a_scale_of_their_own_and_come_back(readout: ValueReadout) -> None:
    values = np.array([[10.0, 2.0], [16.0, 0.5]])
    learnt = readout.learnt(values)
    wanted = {"mse": [[0.0, 6.0], [3.0, 3.0]], "poisson": [[1.0, 2.0], [1.6, 0.5]]}[readout.loss]
    assert learnt.tolist() == wanted
    outputs = np.log(learnt) if readout.loss == "poisson" else learnt
    np.testing.assert_allclose(readout.values(outputs), values, rtol=1e-12)


@pytest.mark.parametrize(("about", "text"), [
    ({"task": "colours", "labels": ["a"]}, "task: expected one of classes, labels, values for a SequenceClassifier"),
    ({"task": 7, "labels": ["a"]}, "task: expected a string, got 7"),
    ({"task": "labels", "labels": ["a"]}, "expected 2 labels, one for each label, got 1"),
    ({"task": "labels", "labels": ["a", "a"]}, "expected 2 labels"),
    ({**VALUES.to_about(), "sd": [1.0]}, "expected a mean and an sd above 0 for each of 2 columns, got 2"),
    ({**VALUES.to_about(), "sd": [1.0, 0.0]}, "expected a mean and an sd above 0 for each of 2 columns"),
    ({**VALUES.to_about(), "sd": []}, "expected a mean and an sd above 0 for each of 2 columns"),
    ({**VALUES.to_about(), "loss": "mae"}, "loss: expected one of mse, poisson, got 'mae'"),
    ({**COUNTS.to_about(), "mean": [1.0, 0.0]}, "expected means above 0 with loss poisson"),
    ({**VALUES.to_about(), "mean": [1.0, float("nan")]}, "expected a finite number"),
])  # fmt: skip
def test_answers_about_sequences_that_do_not_fit_are_refused(about: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(text)):
        classifier.KIND.read(about, ClassifierConfig(n_classes=2))
