"""A network and the linear models beside it that learn apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tinygrad import Tensor
from tinygrad.nn.state import get_state_dict
from training import tiny
from training.loop.test_fit import Listening, Pressing
from training.tasks.test_filters import PLAIN, configured

from gattn_tg.errors import ConfigError
from gattn_tg.models.classifier import SequenceClassifier
from gattn_tg.nn.blend import LINEAR, NETWORK, PLACED, SCALES
from gattn_tg.training.keep.folder import RunFolder
from gattn_tg.training.keep.state import Progress, snapshot
from gattn_tg.training.loop.fit import Fit
from gattn_tg.training.loop.parts import at_their_best, part_of
from gattn_tg.training.tasks.apart import Apart
from gattn_tg.training.tasks.classify import Classify

MODEL = replace(tiny.MODEL, apart=True, placed=1)
PARTS = (NETWORK, LINEAR, PLACED)
SETTINGS = replace(tiny.SETTINGS, epochs=5, monitor="auc", reverse_complement=True, ema_decay=0.5)
Ran = tuple[Classify, Listening, RunFolder]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    task, watcher = tiny.task(SETTINGS, MODEL), Listening()
    folder = RunFolder(tmp_path_factory.mktemp("apart") / "run")
    Fit(task, SETTINGS, folder, watcher).run()
    return task, watcher, folder


def test_all_have_the_weights_that_were_best_by_themselves(ran: Ran) -> None:
    task, watcher, _ = ran
    assert task.judge is not None
    now = task.judge.values("auc")
    assert task.judge.parts == PARTS
    for part in PARTS:
        assert now[part] == max(record.metrics[f"{part}_auc"] for record in watcher.valids)
    bests = [[record.metrics[f"{part}_auc"] for record in watcher.valids] for part in PARTS]
    assert len({int(np.argmax(each)) for each in bests}) > 1  # else this run would show nothing


def test_together_they_are_no_worse_than_any_alone(ran: Ran) -> None:
    task, watcher, _ = ran
    blend, told = task.model.blend, watcher.valids[-1].metrics
    assert blend is not None
    chosen_weights = [told[f"{part}_weight"] for part in PARTS]
    assert blend.weight.numpy().tolist() == pytest.approx(chosen_weights, rel=1e-6)
    chosen = task.validate()
    assert chosen["loss"] == pytest.approx(told["loss"], rel=1e-5)  # what was told of them is what the model does
    assert chosen["auc"] == pytest.approx(told["auc"], abs=1e-6)
    for scale in SCALES[::6]:  # none alone is better, however loud
        for alone in scale * np.eye(3):
            blend.choose(*alone)
            assert task.validate()["loss"] >= chosen["loss"] - 1e-6
    blend.choose(*chosen_weights)


def test_the_network_learns_as_if_it_were_alone() -> None:
    """The gradient of its part of the loss, whatever the linear models say."""
    task = tiny.task(SETTINGS, MODEL)
    inputs = {name: Tensor(array) for name, array in task.batch(0, 0, 0, 1).items()}
    weight = task.model.head.weight
    found = []
    for is_whole in (True, False):
        if is_whole:
            assert task.model.kmers is not None
            task.model.kmers.weight.assign(Tensor.ones(*task.model.kmers.weight.shape)).realize()
            loss = task.loss(inputs)[0]
        else:
            said = task.model.parts(*(inputs[name] for name in ("bases", "motif_ids", "lengths")))
            loss = task.loss_of(said[NETWORK], inputs)[0]
        found.append(loss.gradient(weight)[0].numpy())
    assert np.abs(found[0]).max() > 0
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5, atol=1e-8)


def test_a_resumed_run_equals_an_uninterrupted_one(ran: Ran, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "cut")
    Fit(tiny.task(SETTINGS, MODEL), SETTINGS, folder, Pressing(15)).run()
    task = tiny.task(SETTINGS, MODEL)
    Fit(task, SETTINGS, RunFolder(folder.path, "resume")).run(resume=True)
    for name, value in snapshot(get_state_dict(ran[0].model)).items():
        np.testing.assert_array_equal(snapshot(get_state_dict(task.model))[name], value)
    paths = [path / "best" / "model.safetensors" for path in (ran[2].path, folder.path)]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_each_part_keeps_its_own_best() -> None:
    model = SequenceClassifier(MODEL)
    parameters, first = get_state_dict(model), snapshot(get_state_dict(model))
    progress, best = Progress(), None
    for number, (values, better) in enumerate([
        ((0.5, 0.6, 0.2), [True, True, True]), ((0.7, 0.6, 0.1), [True, False, False]),
        ((0.6, 0.8, 0.2), [False, True, False]), ((0.7, 0.1, 0.3), [False, False, True]),
        ((0.7, 0.8, 0.3), [False, False, False]),
    ]):
        assert progress.judge_each(list(values)) == better
        for parameter in parameters.values():
            parameter.assign(Tensor.full(parameter.shape, float(number))).realize()
        named = [part for part, is_better in zip(PARTS, better, strict=True) if is_better]
        with at_their_best(parameters, best, named) as best:
            held = snapshot(parameters)
        assert all((snapshot(parameters)[name] == number).all() for name in first)
    assert {name: float(x.flat[0]) for name, x in held.items()} == {
        name: {NETWORK: 1.0, LINEAR: 2.0, PLACED: 3.0}[part_of(name)] for name in first}  # fmt: skip
    assert progress.best == [0.7, 0.8, 0.3]
    assert (progress.n_validations, progress.best_validation) == (5, 4)


def test_what_cannot_learn_apart_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="apart: expected false, or a linear model beside the network: kmers, placed"):
        tiny.task(SETTINGS, replace(MODEL, kmers=0, placed=0))
    with pytest.raises(ConfigError, match=r"r.toml: \[model\] ClassifierConfig apart: expected false, or a linear"):
        configured(tmp_path, "", f"{PLAIN}\napart = true")
    given = 'matrices = "m.jaspar"\nmatrices_pvalue = 0.02'
    with pytest.raises(ConfigError, match=r"r.toml: \[train\] filter_rate: expected 0, as parts that learn apart"):
        configured(tmp_path, given, f"{PLAIN}\napart = true")
    task = configured(tmp_path, given, f"{PLAIN}\napart = true", "filter_rate = 0.0")
    assert isinstance(task.model, SequenceClassifier)
    assert task.model.blend is not None


def test_places_are_a_part_of_their_own_and_may_be_the_only_one_beside_the_network() -> None:
    bases, ids, lengths = (Tensor(x) for x in tiny.dataset(5, 2).inputs)
    for changes, wanted in (({}, PARTS), ({"kmers": 0}, (NETWORK, PLACED)), ({"placed": 0}, (NETWORK, LINEAR))):
        model = SequenceClassifier(replace(MODEL, **changes))
        assert model.blend is not None
        said = model.parts(bases, ids, lengths)
        assert tuple(said) == model.config.parts == wanted
        for i, part in enumerate(wanted):
            model.blend.choose(*np.eye(len(wanted))[i])
            np.testing.assert_array_equal(model(bases, ids, lengths).numpy(), said[part].numpy())


def test_what_helps_no_more_than_chance_says_nothing() -> None:
    """Of twenty sequences something fits some random answers; what is right about most of them stands alone."""
    judge, rng = tiny.task(SETTINGS, MODEL).judge, np.random.default_rng(0)
    assert isinstance(judge, Apart)
    told = np.where(judge.truth == 1, 1.0, -1.0)
    told[:3] *= -1
    n_silent = 0
    for _ in range(20):
        said = {NETWORK: rng.standard_normal(len(told)), LINEAR: told, PLACED: rng.standard_normal(len(told))}
        judge._best = judge._now = {part: np.stack([np.stack([-x, x], axis=1)] * 2) for part, x in said.items()}
        weights = judge.choose(PARTS)
        assert weights["linear_weight"] > 0
        n_silent += sum(weights[f"{part}_weight"] == 0 for part in (NETWORK, PLACED))
    assert n_silent >= 30
