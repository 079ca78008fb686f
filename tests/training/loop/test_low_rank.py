"""Updates of low rank: they change nothing at first, learn what W + B A would, and are in every checkpoint."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tinygrad import Tensor
from tinygrad.nn.state import get_state_dict
from training import tiny
from training.loop.test_fit import weights

from gattn_tg.errors import ConfigError
from gattn_tg.models import checkpoint
from gattn_tg.models.readouts.sequences import ClassReadout
from gattn_tg.nn.linear import Linear
from gattn_tg.nn.low_rank import LowRank
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.keep.folder import RunFolder
from gattn_tg.training.loop.fit import Fit
from gattn_tg.training.loop.low_rank import Updates
from gattn_tg.training.loop.start import Start, take_over
from gattn_tg.training.loop.watch import Fitted
from gattn_tg.training.tasks.classify import Classify

RANK = 2
SETTINGS = replace(tiny.SETTINGS, lora_rank=RANK, epochs=2, ema_decay=0.5)
MAPS = [*(f"attention.{part}_proj" for part in ("q", "k", "v", "out")), "mlp.up", "mlp.down"]


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    readout = ClassReadout(labels=("no", "yes"))
    return checkpoint.save(tiny.network(seed=9), tmp_path_factory.mktemp("origin"), readout=readout,
                           vocabulary=tiny.VOCABULARY)


def begun(origin: Path, folder: RunFolder | None = None) -> tuple[Fit, Classify, Start]:
    task = tiny.task(SETTINGS)
    start = take_over(task.model, origin, task.vocabulary)
    fit = Fit(task, SETTINGS, folder)
    fit.begin_with(start)
    return fit, task, start


@pytest.fixture(scope="module")
def whole(origin: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Classify, Fitted, RunFolder, Start]:
    folder = RunFolder(tmp_path_factory.mktemp("low") / "whole")
    fit, task, start = begun(origin, folder)
    return task, fit.run(), folder, start


@pytest.mark.parametrize("activation", [None, "silu"])
def test_an_update_is_what_the_sum_of_both_matrices_computes_and_its_gradients(activation: str | None) -> None:
    rng = np.random.default_rng(1)
    low_map = Linear(12, 20, rng)
    low_map.low = LowRank(12, 20, 3, rng)
    x, residual, dy = (Tensor(rng.standard_normal((2, 9, n)).astype(np.float32)) for n in (12, 20, 20))
    plain = Linear(12, 20, rng)
    plain.weight, plain.bias = low_map.weight, Tensor(rng.standard_normal(20).astype(np.float32))
    low_map.bias = plain.bias
    first, same = (m(x, activation, residual).numpy() for m in (low_map, plain))
    np.testing.assert_allclose(first, same, rtol=1e-6, atol=1e-6)  # B = 0
    into, out = low_map.low.into, Tensor(rng.standard_normal((20, 3)).astype(np.float32))
    low_map.low.out = out
    plain.weight = low_map.weight + out @ into
    found, want = (m(x, activation, residual) for m in (low_map, plain))
    np.testing.assert_allclose(found.numpy(), want.numpy(), rtol=1e-5, atol=1e-5)
    mine, theirs = ((y * dy).sum().gradient(into, out, x) for y in (found, want))
    for g, true in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(g.numpy(), true.numpy(), rtol=1e-5, atol=2e-5)


def test_at_first_an_update_changes_no_bit_of_the_model(origin: Path) -> None:
    fit, task, _ = begun(origin)
    before = weights(task.model)
    own = {name: x for name, x in before.items() if ".low." not in name}
    assert len(before) - len(own) == 2 * len(MAPS)
    with fit.updates.merged():
        assert weights(task.model) == own
    assert weights(task.model) == before


def test_only_updates_and_new_parts_are_learnt_and_checkpoints_hold_their_sum(
    whole: tuple[Classify, Fitted, RunFolder, Start], origin: Path
) -> None:
    task, fitted, folder, start = whole
    old, new = checkpoint.read(origin)[1], checkpoint.read(folder.best)[1]
    assert set(new) == set(old)
    assert {name for name in start.loaded if not np.array_equal(old[name], new[name])} == {
        f"blocks.0.{part}.weight" for part in MAPS}
    for part in MAPS:
        change = (new[f"blocks.0.{part}.weight"] - old[f"blocks.0.{part}.weight"]).astype(float)
        size = np.linalg.svd(change, compute_uv=False)
        assert size[0] > 1e-4
        assert size[RANK] < 1e-5 * max(size[0], 1.0)
    assert not np.array_equal(old["head.weight"], new["head.weight"])
    chosen = next(v for v in fitted.validations if v.step == fitted.best_step)
    assert task.validate() == chosen.metrics
    assert weights(checkpoint.load(folder.best).model) == weights(task.model)


def test_a_resumed_run_equals_an_uninterrupted_one(
    whole: tuple[Classify, Fitted, RunFolder, Start], origin: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again"
    shutil.copytree(whole[2].path, again)
    fit, task, _ = begun(origin, RunFolder(again, "resume"))
    assert fit.run(from_checkpoint="step_00000006").step == whole[1].step
    assert weights(task.model) == weights(whole[0].model)
    for name in ("step_00000012/model.safetensors", "step_00000012/state.safetensors"):
        files = [path / "checkpoints" / name for path in (whole[2].path, again)]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_what_cannot_be_updated_is_refused(origin: Path, tmp_path: Path) -> None:
    model = tiny.network()
    frozen = list(get_state_dict(model))
    with pytest.raises(ConfigError, match="lora_rank: expected less than 8, the rank of the smallest map, got 8"):
        Updates().begin(model, frozen, 8, 0)
    with pytest.raises(ConfigError, match="lora_rank: expected weights of blocks that were taken over, got none"):
        Updates().begin(model, ["embed_bases.weight"], 2, 0)
    refused: list[tuple[dict[str, Any], str]] = [({"trunk_rate": 0.0}, "trunk_rate: expected more than 0, the rate of"),
                                                 ({"lora_rank": -1}, "lora_rank: expected 0 or more")]
    for change, text in refused:
        with pytest.raises(ConfigError, match=text):
            replace(SETTINGS, **change)
    config = TrainConfig("SequenceClassifier", {}, {}, SETTINGS, tmp_path / "c.toml")
    with pytest.raises(ConfigError, match=r"lora_rank: expected 0, as there is no checkpoint .* use `gattn finetune`"):
        config.beginning_with(None)
