"""The classifier as a task: its loss, its batches for any number of ranks and micro-batches, its fingerprint."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tinygrad import Tensor
from training import tiny

from gattn_tg.errors import ConfigError
from gattn_tg.training.tasks.classify import Classify


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_rows_that_fill_the_last_batch_do_not_count(smoothing: float) -> None:
    task = tiny.task(replace(tiny.SETTINGS, label_smoothing=smoothing))
    arrays = task.batch(5, 0, 0, 1)
    valid, labels = arrays["valid"], arrays["labels"]
    logits = np.random.default_rng(0).standard_normal((len(labels), 2))
    task.model = lambda *_: Tensor(logits.astype(np.float32))
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    target = (1 - smoothing) * np.eye(2)[labels] + smoothing / 2
    total, count = task.loss({name: Tensor(x) for name, x in arrays.items()})
    assert total.item() == pytest.approx(-(target * log_p).sum(1)[valid].sum(), rel=1e-5)
    assert count.item() == valid.sum() == 4


def seen(task: Classify, step: int, accumulate: int, n_ranks: int) -> list[bytes]:
    """Valid sequences of a step, over micro-batches and ranks."""
    parts = [task.batch(step, micro, rank, n_ranks) for micro in range(accumulate) for rank in range(n_ranks)]
    assert all(part["bases"].shape == (task.settings.batch_size, tiny.LENGTH) for part in parts)
    return [row.tobytes() for part in parts for row in part["bases"][part["valid"]]]


@pytest.mark.parametrize(("batch_size", "accumulate", "n_ranks"), [(4, 2, 1), (4, 1, 2), (2, 2, 2), (1, 8, 1)])
def test_a_step_sees_the_same_rows_however_it_is_cut(batch_size: int, accumulate: int, n_ranks: int) -> None:
    whole = tiny.task(tiny.SETTINGS)
    cut = tiny.task(replace(tiny.SETTINGS, batch_size=batch_size, accumulate=accumulate), n_ranks=n_ranks)
    assert cut.steps_per_epoch == whole.steps_per_epoch == 6
    for step in (0, 5, 6, 17):
        assert seen(cut, step, accumulate, n_ranks) == seen(whole, step, 1, 1)


def test_every_sequence_once_per_pass_in_another_order() -> None:
    task = tiny.task()
    passes = [[row for step in range(first, first + 6) for row in seen(task, step, 1, 1)] for first in (0, 6)]
    expected = sorted(row.tobytes() for row in task.train.bases)
    assert [sorted(rows) for rows in passes] == [expected, expected]
    assert passes[0] != passes[1]


def test_strands_change_from_pass_to_pass_and_come_back() -> None:
    task = tiny.task(replace(tiny.SETTINGS, reverse_complement=True))
    first = [task.batch(step, 0, 0, 1)["bases"] for step in (0, 7, 30)]
    again = [task.batch(step, 0, 0, 1)["bases"] for step in (30, 7, 0)]
    assert all(np.array_equal(a, b) for a, b in zip(first, again[::-1], strict=True))
    plain = sorted(row.tobytes() for row in task.train.bases)
    assert sorted(row for step in range(6) for row in seen(task, step, 1, 1)) != plain


def test_the_fingerprint_knows_the_data() -> None:
    task = tiny.task()
    other = Classify(task.model, tiny.dataset(44, 2), task.valid, task.vocabulary, task.settings)
    assert task.fingerprint() == tiny.task().fingerprint() != other.fingerprint()
    unlabelled = replace(task.valid, labels=None)
    with pytest.raises(ConfigError, match="labelled sequences, but the dataset has no labels; add"):
        Classify(task.model, task.train, unlabelled, task.vocabulary, task.settings)
