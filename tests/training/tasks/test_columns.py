# ruff: noqa: E501 - error texts stand whole, as users meet them
"""Labels and values as tasks: what is read and refused, losses against NumPy, weights, splits, warnings."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tinygrad import Tensor
from training import tiny

from gattn_tg.errors import ConfigError, FormatError
from gattn_tg.models import checkpoint
from gattn_tg.models.classifier import SequenceClassifier
from gattn_tg.models.readouts.sequences import LabelReadout, ValueReadout
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.loop.start import take_over
from gattn_tg.training.settings import TrainSettings
from gattn_tg.training.tasks.classify import ClassData, Classify
from gattn_tg.training.tasks.labels import LabelData, Labels
from gattn_tg.training.tasks.registry import task_of
from gattn_tg.training.tasks.values import ValueData, Values

RNG = np.random.default_rng(5)
WORDS = ["".join(RNG.choice(list("ACGT"), 12)) for _ in range(60)]


def configured(folder: Path, rows: list[str], data: str, header: str = "sequence,a,b") -> Any:
    """The task of a table and the lines of a [data] table."""
    lines = [header, *(f"{word},{row}" for word, row in zip(WORDS, rows, strict=False))]
    (folder / "t.csv").write_text("\n".join(lines) + "\n")
    text = f'[data]\ntrain = "t.csv"\n{data}\n[model]\nwidth = 8\nn_layers = 1\nn_heads = 2\n'
    (folder / "r.toml").write_text(text)
    return task_of(TrainConfig.from_toml(folder / "r.toml"))


def data_of(columns: np.ndarray) -> Any:
    """Sequences with numbers."""
    names = tuple("ab"[: columns.shape[1]])
    return replace(tiny.dataset(len(columns), 0), labels=None, label_names=names, values=columns.astype(float))


def given(task: Any, logits: np.ndarray) -> tuple[dict[str, np.ndarray], float, float]:
    """Arrays of the last batch, and its loss when the network says these logits."""
    arrays = task.batch(task.steps_per_epoch - 1, 0, 0, 1)
    task.model = lambda *_: Tensor(logits.astype(np.float32))
    total, count = task.loss({name: Tensor(x) for name, x in arrays.items()})
    return arrays, total.item(), count.item()


TRUTH = np.where(RNG.random((44, 2)) < 0.2, math.nan, (RNG.random((44, 2)) < 0.3).astype(float))
SETTINGS = tiny.SETTINGS
LOGITS = RNG.standard_normal((SETTINGS.batch_size, 2))


@pytest.mark.parametrize("weights", [(), (3.0, 0.5), "balanced"])
def test_the_loss_of_labels_counts_known_cells_of_valid_rows_by_their_weight(weights: Any) -> None:
    choices = LabelData(train="", label_columns=("a", "b"), class_weights=weights)
    data = data_of(TRUTH)
    task = Labels(tiny.network(), data, data, tiny.VOCABULARY, SETTINGS, choices=choices)
    arrays, total, count = given(task, LOGITS)
    assert not arrays["valid"].all()
    of_yes: Any = weights or 1.0
    if weights == "balanced":
        of_yes = np.nansum(TRUTH == 0, 0) / np.nansum(TRUTH == 1, 0)
    rows = [next(i for i in range(44) if (data.bases[i] == row).all()) for row in arrays["bases"]]
    y, valid = TRUTH[rows], arrays["valid"][:, None]
    w = np.where(np.isnan(y) | ~valid, 0.0, np.where(y == 1, of_yes, 1.0))
    wanted = w * np.nan_to_num(np.log1p(np.exp(LOGITS)) - np.nan_to_num(y) * LOGITS)
    assert total == pytest.approx(wanted.sum(), rel=1e-5)
    assert count == pytest.approx(w.sum(), rel=1e-6)
    assert task.readout == LabelReadout(labels=("a", "b"), shortest=int(data.lengths.min()))


@pytest.mark.parametrize("loss", ["mse", "poisson"])
def test_the_loss_of_values_is_on_the_scale_of_the_training_set(loss: Any) -> None:
    values = np.where(np.isnan(TRUTH), math.nan, RNG.gamma(2.0, 30.0, (44, 2)))
    choices = ValueData(train="", label_columns=("a", "b"), loss=loss)
    data = data_of(values)
    task = Values(tiny.network(), data, data, tiny.VOCABULARY, SETTINGS, choices=choices)
    arrays, total, count = given(task, LOGITS)
    mean, sd = np.nanmean(values, 0), np.nanstd(values, 0)
    rows = [next(i for i in range(44) if (data.bases[i] == row).all()) for row in arrays["bases"]]
    y, known = values[rows], ~np.isnan(values[rows]) & arrays["valid"][:, None]
    each = np.exp(LOGITS) - y / mean * LOGITS if loss == "poisson" else (LOGITS - (y - mean) / sd) ** 2
    assert total == pytest.approx(np.where(known, each, 0.0).sum(), rel=1e-5)
    assert count == known.sum()
    assert isinstance(task.readout, ValueReadout)
    np.testing.assert_allclose(task.readout.mean, mean)


@pytest.mark.parametrize("weights", ["balanced", (1.0, 5.0)])
def test_weights_of_classes_weigh_rows(weights: Any) -> None:
    data = tiny.dataset(44, 0)
    assert data.labels is not None
    task = Classify(tiny.network(), data, data, tiny.VOCABULARY, SETTINGS,
                    choices=ClassData(train="", class_weights=weights))  # fmt: skip
    arrays, total, count = given(task, LOGITS)
    of_class = 44 / (2 * np.bincount(data.labels)) if weights == "balanced" else np.array(weights)
    labels, valid = arrays["labels"], arrays["valid"]
    log_p = LOGITS - np.log(np.exp(LOGITS).sum(1, keepdims=True))
    w = of_class[labels] * valid
    assert total == pytest.approx(-(w * log_p[np.arange(len(labels)), labels]).sum(), rel=1e-5)
    assert count == pytest.approx(w.sum(), rel=1e-6)
    with pytest.raises(ConfigError, match="class_weights: expected 2 weights, for no, yes in this order, got 3"):
        Classify(tiny.network(), data, data, tiny.VOCABULARY, SETTINGS,
                 choices=ClassData(train="", class_weights=(1.0, 1.0, 1.0)))  # fmt: skip


LABELS = 'task = "labels"\nlabel_columns = ["a", "b"]\nvalid_fraction = 0.2\ntest_fraction = 0.2\n'
VALUES = LABELS.replace("labels", "values", 1)


def test_rare_labels_and_all_heights_of_values_are_in_every_part(tmp_path: Path) -> None:
    task = configured(tmp_path, [f"{int(i % 3 == 0)},{int(i % 12 == 0)}" for i in range(60)], LABELS)
    parts = (task.train, task.valid, task.held_out)
    assert [len(part) for part in parts] == [36, 12, 12]
    assert [int(part.values[:, 1].sum()) for part in parts] == [3, 1, 1]
    assert task.warnings == ("train: labels that hold for few of 36 sequences: b 3; see auprc, and "
                             'class_weights = "balanced" lets their 0 and 1 count alike',)  # fmt: skip
    assert task.notes[0].startswith("train: 36 sequences of 12 bases (a 12, b 3), from t.csv")
    task = configured(tmp_path, [f"{i * i},{i % 2}" for i in range(60)], VALUES)
    tops = [part.values[:, 0].max() for part in (task.train, task.valid, task.held_out)]
    assert min(tops) >= 54**2
    assert task.counts == {"train": {"sequences": 36}, "valid": {"sequences": 12}, "test": {"sequences": 12}}


@pytest.mark.parametrize(("rows", "data", "told"), [
    (["1,0", "0,0"] * 9, LABELS, r"expected 0 and 1 in column 'b' to tell them apart, got only 0; leave it out"),
    (["1,", "0,"] * 9, LABELS, r"expected 0 and 1 in column 'b' to tell them apart, got no known cell"),
    (["1,7", "2,7"] * 9, VALUES, r"expected different values in column 'b' to learn from, got 7 everywhere"),
    (["1,0", "2,1"] * 9, VALUES.replace('["a", "b"]', "[]"), r"label_columns: expected at least one column, each once"),
    (["1,0", "2,1"] * 9, VALUES.replace('"b"', '"A"'), r"label_columns: expected at least one column, each once"),
    (["1,0"] * 9, 'task = "labels"\n', r"\[data\]: expected label_columns, got none; add label_columns"),
    (["1,0"] * 9, 'task = "label"\n', r"\[data\] task: expected one of classes, labels, values, got 'label'; did you"),
    (["1,0"] * 9, "task = 3\n", r"\[data\] task: expected a string, got 3"),
    (["1,0"] * 9, LABELS + "class_weights = [1.0]\n", r"class_weights: expected 2 weights, for a, b in"),
    (["1,0"] * 9, LABELS + "class_weights = [1.0, 0.0]\n", r"class_weights: expected weights above 0"),
    (["1,0"] * 9, LABELS + 'class_weights = "even"\n', r"class_weights: expected one of balanced, got 'even'"),
    (["1,0"] * 9, VALUES + 'class_weights = "balanced"\n', r"expected one of its known keys, got 'class_weights'"),
    (["1,0"] * 9, VALUES + 'loss = "mae"\n', r"loss: expected one of mse, poisson, got 'mae'"),
    (["1,0"] * 9, LABELS + 'sequence_column = ""\n', r"sequence_column: expected the name of a column"),
])  # fmt: skip
def test_what_cannot_be_learnt_is_refused(rows: list[str], data: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=told):
        configured(tmp_path, rows, data)


@pytest.mark.parametrize(("rows", "data", "told"), [
    (["1,0", "x,1"] * 9, LABELS, r"t.csv, line 3, column 'a': expected 0 or 1, got 'x'"),
    (["1,0", "-2,1"] * 9, VALUES + 'loss = "poisson"\n', r"t.csv, line 3, column 'a': expected a number of 0 or more"),
    (["1,0", "2,1"] * 9, VALUES + 'name_column = "id"\n', r"t.csv, line 1: expected a column 'id'"),
    (["1,0", "2,1"] * 9, VALUES + 'sequence_column = "dna"\n', r"t.csv, line 1: expected a column 'dna'"),
])  # fmt: skip
def test_cells_and_columns_that_do_not_fit_are_refused_by_line(
    rows: list[str], data: str, told: str, tmp_path: Path
) -> None:
    with pytest.raises(FormatError, match=told):
        configured(tmp_path, rows, data)


def test_parts_without_a_label_or_with_one_value_are_warned_of(tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text("sequence,a,b\n" + "".join(f"{w}G,{i % 2},0\n" for i, w in enumerate(WORDS[:6])))
    files = 'label_columns = ["a", "b"]\nvalid = "v.csv"\nmax_length = 13\n'
    rows = [f"{i % 2},{'' if i < 3 else i % 3 // 2}" for i in range(30)]
    told = configured(tmp_path, rows, 'task = "labels"\n' + files).warnings
    assert told == ("valid: no sequence has b, so AUPRC and AUC are not defined for it",)
    told = configured(tmp_path, rows, 'task = "values"\n' + files).warnings
    assert told == ("valid: one value only in b, so correlations are not defined for it",)


def test_a_trunk_is_taken_over_by_a_model_of_another_task(tmp_path: Path) -> None:
    """Head and scale are new, all else is that of the other task, for every pair of tasks."""
    shape = tiny.MODEL
    readouts = {"labels": LabelReadout(labels=("a", "b")), "values": ValueReadout(
        labels=("a", "b"), mean=(0.0, 0.0), sd=(1.0, 1.0), loss="mse")}  # fmt: skip
    for task, readout in readouts.items():
        home = checkpoint.save(SequenceClassifier(shape, seed=7), tmp_path / task, readout=readout,
                               vocabulary=tiny.VOCABULARY)  # fmt: skip
        model = SequenceClassifier(replace(shape, n_classes=2), seed=8)
        start = take_over(model, home, tiny.VOCABULARY)
        assert {name.split(".")[0] for name in start.new} == {"head", "kmers"}
        assert start.unused == ()
        assert checkpoint.load(home).readout == readout


def test_settings_that_change_the_loss_change_the_fingerprint() -> None:
    data = data_of(np.nan_to_num(TRUTH))

    def mark(choices: Any, task: Any) -> bytes:
        found: bytes = task(tiny.network(), data, data, tiny.VOCABULARY, TrainSettings(), choices=choices).fingerprint()
        return found

    columns = {"train": "", "label_columns": ("a", "b")}
    marks = {
        mark(LabelData(**columns), Labels), mark(LabelData(**columns, class_weights="balanced"), Labels),
        mark(ValueData(**columns), Values), mark(ValueData(**columns, loss="poisson"), Values),
    }  # fmt: skip
    assert len(marks) == 4


CALLS = ["".join(RNG.choice(list("..01"), 12)) for _ in WORDS]
TARGETS = {"classes": "", "labels": 'label_columns = ["label"]', "values": 'label_columns = ["label"]'}


@pytest.mark.parametrize("task", TARGETS)
def test_every_task_reads_measured_states_and_keeps_the_column_for_later(task: str, tmp_path: Path) -> None:
    rows = [f"{i % 2},{calls}" for i, calls in enumerate(CALLS)]
    data = f'task = "{task}"\nstate_column = "calls"\nvocabulary = "methylation"\n{TARGETS[task]}'
    made = configured(tmp_path, rows, data, "sequence,label,calls")
    assert made.readout.state_column == "calls"
    assert type(made.readout).from_about(made.readout.to_about()) == made.readout
    assert set(np.unique(made.train.motif_ids).tolist()) == {0, 1, 2, 3}
    other = configured(tmp_path, [row.replace("1.", "0.") for row in rows], data, "sequence,label,calls")
    assert made.fingerprint() != other.fingerprint()  # a run is not resumed on other states


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ('state_column = "calls"', "state_column: expected none, as the vocabulary has no class of measured states, got 'calls'"),
        ('vocabulary = "methylation"', "state_column: expected a column of measured states, as the vocabulary has classes for them, got ''"),
        ('state_column = "call"\nvocabulary = "methylation"', "t.csv, line 1: expected a column 'call', got 'sequence', 'label', 'calls'"),
    ],
)  # fmt: skip
def test_states_without_classes_and_classes_without_states_are_refused(data: str, text: str, tmp_path: Path) -> None:
    with pytest.raises((ConfigError, FormatError)) as caught:
        configured(tmp_path, [f"{i % 2},{calls}" for i, calls in enumerate(CALLS)], data, "sequence,label,calls")
    assert text in str(caught.value)
    assert "r.toml: [data] " in str(caught.value) or "t.csv" in str(caught.value)


def test_copies_with_other_states_are_no_copies(tmp_path: Path) -> None:
    rows = [f"{i % 2},{calls}" for i, calls in enumerate(CALLS[:20])]
    text = [f"CGCGCGCGCGCG,{row}" for row in rows]
    (tmp_path / "t.csv").write_text("\n".join(["sequence,label,calls", *text]) + "\n")
    (tmp_path / "v.csv").write_text("\n".join(["sequence,label,calls", *text[:2]]) + "\n")
    (tmp_path / "r.toml").write_text('[data]\ntrain = "t.csv"\nvalid = "v.csv"\nstate_column = "calls"\n'
                                     'vocabulary = "methylation"\n[model]\nwidth = 8\nn_layers = 1\nn_heads = 2\n')
    warned = " ".join(task_of(TrainConfig.from_toml(tmp_path / "r.toml")).warnings)
    assert "another label" not in warned
    assert "valid: 2" in warned  # of the two that stand in train with the same states
