"""Answers about sequences: checkpoints say no more than they must, values come back, what does not fit is refused."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from gattn_tg.errors import ConfigError
from gattn_tg.models import classifier
from gattn_tg.models.classifier import ClassifierConfig
from gattn_tg.models.readouts.sequences import ClassReadout, LabelReadout, ValueReadout

LABELS = LabelReadout(labels=("CTCF", "SP1"), name_column="peak")
VALUES = ValueReadout(labels=("a", "b"), mean=(10.0, -1.0), sd=(2.0, 0.5), loss="mse")
COUNTS = ValueReadout(labels=("a", "b"), mean=(10.0, 1.0), sd=(2.0, 0.5), loss="poisson")


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
