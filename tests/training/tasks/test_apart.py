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
from gattn_tg.nn.blend import SCALES
from gattn_tg.training.keep.folder import RunFolder
from gattn_tg.training.keep.state import Progress, snapshot
from gattn_tg.training.loop.fit import Fit
from gattn_tg.training.loop.parts import at_their_best, part_of
from gattn_tg.training.task import LINEAR, NETWORK
from gattn_tg.training.tasks.apart import sides
from gattn_tg.training.tasks.classify import Classify

MODEL = replace(tiny.MODEL, apart=True)
SETTINGS = replace(tiny.SETTINGS, epochs=5, monitor="auc", reverse_complement=True, ema_decay=0.5)
Ran = tuple[Classify, Listening, RunFolder]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    task, watcher = tiny.task(SETTINGS, MODEL), Listening()
    folder = RunFolder(tmp_path_factory.mktemp("apart") / "run")
    Fit(task, SETTINGS, folder, watcher).run()
    return task, watcher, folder


def test_both_have_the_weights_that_were_best_by_themselves(ran: Ran) -> None:
    task, watcher, _ = ran
    assert task.judge is not None
    now = task.judge.values("auc")
    for part in (NETWORK, LINEAR):
        assert now[part] == max(record.metrics[f"{part}_auc"] for record in watcher.valids)
    bests = [[record.metrics[f"{part}_auc"] for record in watcher.valids] for part in (NETWORK, LINEAR)]
    assert np.argmax(bests[0]) != np.argmax(bests[1])  # else this run would show nothing


def test_together_they_are_no_worse_than_either_alone(ran: Ran) -> None:
    task, watcher, _ = ran
    blend, told = task.model.blend, watcher.valids[-1].metrics
    assert blend is not None
    chosen_weights = [told["network_weight"], told["linear_weight"]]
    assert blend.weight.numpy().tolist() == pytest.approx(chosen_weights, rel=1e-6)
    chosen = task.validate()
    assert chosen["loss"] == pytest.approx(told["loss"], rel=1e-5)  # what was told of them is what the model does
    assert chosen["auc"] == pytest.approx(told["auc"], abs=1e-6)
    for scale in SCALES[::6]:  # neither of both alone is better, however loud
        for pair in ((scale, 0.0), (0.0, scale)):
            blend.choose(*pair)
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
            network, _ = sides(task.model, *(inputs[name] for name in ("bases", "motif_ids", "lengths")))
            loss = task.loss_of(network, inputs)[0]
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
    model = tiny.network()
    parameters, first = get_state_dict(model), snapshot(get_state_dict(model))
    progress, best = Progress(), None
    for number, (values, better) in enumerate([((0.5, 0.6), [True, True]), ((0.7, 0.6), [True, False]),
                                               ((0.6, 0.8), [False, True]), ((0.7, 0.1), [False, False])]):  # fmt: skip
        assert progress.judge_each(list(values)) == better
        for parameter in parameters.values():
            parameter.assign(Tensor.full(parameter.shape, float(number))).realize()
        named = [part for part, is_better in zip((NETWORK, LINEAR), better, strict=True) if is_better]
        with at_their_best(parameters, best, named) as best:
            held = snapshot(parameters)
        assert all((snapshot(parameters)[name] == number).all() for name in first)
    assert {name: float(x.flat[0]) for name, x in held.items()} == {
        name: {NETWORK: 1.0, LINEAR: 2.0}[part_of(name)] for name in first}  # fmt: skip
    assert progress.best == [0.7, 0.8]
    assert (progress.n_validations, progress.best_validation) == (4, 3)


def test_what_cannot_learn_apart_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="apart: expected false, or a linear model beside the network: kmers, placed"):
        tiny.task(SETTINGS, replace(MODEL, kmers=0))
    with pytest.raises(ConfigError, match=r"r.toml: \[model\] ClassifierConfig apart: expected false, or a linear"):
        configured(tmp_path, "", f"{PLAIN}\napart = true")
    given = 'matrices = "m.jaspar"\nmatrices_pvalue = 0.02'
    with pytest.raises(ConfigError, match=r"r.toml: \[train\] filter_rate: expected 0, as parts that learn apart"):
        configured(tmp_path, given, f"{PLAIN}\napart = true")
    task = configured(tmp_path, given, f"{PLAIN}\napart = true", "filter_rate = 0.0")
    assert isinstance(task.model, SequenceClassifier)
    assert task.model.blend is not None
