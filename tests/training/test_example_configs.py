"""Every example configuration runs from a clone, on data that is bundled with it."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gattn_tg.data.genomes.bundled import bundled, example_configs
from gattn_tg.models.kinds import KINDS
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.run import train
from gattn_tg.training.tasks.registry import task_of, tasks_of

CONFIGS = example_configs()


def test_there_is_one_example_of_every_kind_and_task_two_of_classes_one_of_measured_states_and_one_of_anchors() -> None:
    configs = [TrainConfig.from_toml(path) for path in CONFIGS]
    found = [(c.kind, c.task or (tasks_of(c.kind) or [""])[0], {"state_column", "anchors"} & {*c.data, *c.model})
             for c in configs]  # fmt: skip
    wanted = [(kind, task, set()) for kind in KINDS for task in tasks_of(kind) or [""]]
    more = [("SequenceClassifier", "classes", set()), ("SequenceClassifier", "classes", {"state_column"}),
            ("GenomicGPT", "", {"anchors"})]  # fmt: skip
    assert sorted(found, key=repr) == sorted([*wanted, *more], key=repr)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_an_example_finds_its_data_and_makes_batches(path: Path) -> None:
    task = task_of(TrainConfig.from_toml(path))
    assert task.steps_per_epoch > 0
    arrays = task.batch(0, 0, 0, 1)
    assert len(next(iter(arrays.values()))) == TrainConfig.from_toml(path).train.batch_size


@pytest.mark.parametrize("name", ["encoder", "labels", "language", "long", "sites", "values"])  # others: in tutorials
def test_an_example_trains(name: str, tmp_path: Path) -> None:
    config = TrainConfig.from_toml(bundled(f"{name}.toml", "configs"))
    small = {"preset": "tiny", "width": 32, "n_layers": 1, "n_heads": 2}
    small |= {key: few for key, few in {"context": 64, "n_anchors": 16}.items() if key in config.model}
    short = replace(config.train, steps=2, batch_size=4, validate_every=2, warmup_steps=1)
    # windows as long as the practice sequences: kernels serve several examples
    fewer = {"n_valid": 4, "width": 200, "window_bp": 200}
    data = {key: fewer.get(key, x) for key, x in config.data.items()}
    run = train(replace(config, train=short, data=data, model={**config.model, **small}), tmp_path / "run")
    assert len(run.fitted.validations) == 1
    assert all(np.isfinite(value) for value in run.fitted.validations[0].metrics.values())
    assert (tmp_path / "run" / "best" / "model.safetensors").is_file()


def test_practice_data_is_what_its_script_computes() -> None:
    made = runpy.run_path(str(bundled("practice.py")))["files"]()
    for name, content in made.items():
        path = bundled(name)
        if path.suffix == ".npz":  # its compression depends on zlib
            with np.load(path) as kept:
                assert kept["targets"].shape == (25, 192, 2)
        elif path.suffix != ".gz":
            assert path.read_bytes() == content
    assert set(made) == {path.name for path in bundled("practice.py").parent.glob("practice_*")}
