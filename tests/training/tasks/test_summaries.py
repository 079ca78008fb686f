"""What frozen filters find, computed once: training is as before, and where it cannot be kept it is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tinygrad import Tensor
from tinygrad.nn.state import get_state_dict
from training import tiny
from training.loop.test_fit import Pressing

from gattn_tg.models.classifier import SequenceClassifier
from gattn_tg.training.keep.folder import RunFolder
from gattn_tg.training.keep.state import snapshot
from gattn_tg.training.loop.fit import Fit
from gattn_tg.training.tasks import summaries
from gattn_tg.training.tasks.classify import Classify

MODEL = replace(tiny.MODEL, apart=True, kmers=0, filters=3, filter_width=5, motif="none", embed_motifs=False)
SETTINGS = replace(
    tiny.SETTINGS, epochs=2, monitor="auc", reverse_complement=True, filter_rate=0.0, learning_rate=1e-2)
SIZE = (44 + 20) * 2 * 3 * 4  # bytes: sequences, numbers of a filter, filters, float32


def of_lengths(n: int, seed: int) -> tiny.LabelledSequences:
    """Some of the sequences are padded."""
    data = tiny.dataset(n, seed)
    lengths = np.where(np.arange(n) % 3, tiny.LENGTH, tiny.LENGTH - 2).astype(np.int32)
    bases = np.where(np.arange(tiny.LENGTH) < lengths[:, None], data.bases, 4).astype(np.uint8)
    return replace(data, bases=bases, lengths=lengths)


def task(settings: tiny.TrainSettings = SETTINGS, model: tiny.ClassifierConfig = MODEL, n_ranks: int = 1) -> Classify:
    network, train = SequenceClassifier(model, seed=3), of_lengths(44, 0)
    network.calibrate(*(np.asarray(rows) for rows in train.inputs))
    return Classify(network, train, of_lengths(20, 1), tiny.VOCABULARY, settings, n_ranks=n_ranks)


@pytest.fixture
def within(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Set how many bytes may be kept."""
    return lambda n: monkeypatch.setattr(summaries, "MOST_BYTES", n)


def test_training_is_as_it_is_without_and_goes_on_with_equal_bits(
    tmp_path: Path, within: Callable[[int], None]
) -> None:
    found = []
    for most in (SIZE - 1, SIZE):
        within(most)
        learnt = task()
        Fit(learnt, SETTINGS).run()
        assert ("found" in learnt.batch(0, 0, 0, 1)) == (most == SIZE)
        found.append(snapshot(get_state_dict(learnt.model)))
    for name, value in found[0].items():
        np.testing.assert_allclose(found[1][name], value, rtol=1e-4, atol=1e-5, err_msg=name)
    assert np.abs(found[0]["evidence.weight"]).max() > 0
    folder = RunFolder(tmp_path / "cut")
    Fit(task(), SETTINGS, folder, Pressing(8)).run()
    learnt = task()
    Fit(learnt, SETTINGS, RunFolder(folder.path, "resume")).run(resume=True)
    for name, value in snapshot(get_state_dict(learnt.model)).items():
        np.testing.assert_array_equal(found[1][name], value, err_msg=name)


def test_what_is_kept_are_filters_as_they_are_when_training_begins() -> None:
    one = task()
    one.model.filters.threshold.replace(one.model.filters.threshold - 2.0)  # as weights that a run begins with
    one.prepare()
    for step in (0, one.steps_per_epoch):  # another half of the rows is turned in every pass
        arrays = one.batch(step, 0, 0, 1)
        rows = [Tensor(arrays[name]) for name in ("bases", "motif_ids", "lengths")]
        wanted = one.model.motif_summary(*rows).numpy()
        np.testing.assert_allclose(arrays["found"], wanted, rtol=1e-5, atol=1e-6)


def test_only_what_does_not_change_and_fits_is_kept(within: Callable[[int], None]) -> None:
    within(SIZE)
    (told,) = task().summaries.notes
    assert told == "filters: 3 that do not learn; what they find in 64 sequences, 0.0 MiB, is computed once and kept"
    (told,) = task(n_ranks=2).summaries.notes  # both of which would keep all
    assert told.endswith("is too much to keep: computed in every step")
    read = [replace(MODEL, motif="key"), replace(MODEL, embed_motifs=True)]  # at every base, by the network
    for other in (task(replace(SETTINGS, filter_rate=1.0)), *(task(model=model) for model in read), tiny.task()):
        other.prepare()
        assert not other.summaries.are_kept
        assert other.summaries.notes == ()
        assert "found" not in other.batch(0, 0, 0, 1)
