"""Training from Python: a configuration becomes a loaded model, which is the run's best one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import gattn_tg
from gattn_tg.errors import ConfigError
from gattn_tg.front.classes import TrainedClassifier


def test_a_configuration_becomes_a_loaded_model(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = ["".join(rng.choice(list("ACGT"), 12)) for _ in range(24)]
    lines = [f"{row},{'yes' if row[3] in 'AC' else 'no'}" for row in rows]
    (tmp_path / "t.csv").write_text("\n".join(["sequence,label", *lines]) + "\n")
    (tmp_path / "x.toml").write_text(
        '[data]\ntrain = "t.csv"\nvalid_fraction = 0.25\n'
        "[model]\nwidth = 8\nn_layers = 1\nn_heads = 2\nmlp_ratio = 1\nstem_kernel = 0\n"
        "[train]\nepochs = 1\nbatch_size = 8\nwarmup_steps = 1\n"
    )
    model = gattn_tg.train(tmp_path / "x.toml", tmp_path / "run", seed=3)
    assert isinstance(model, TrainedClassifier)
    assert model.folder == tmp_path / "run" / "best"
    assert model.labels == ("no", "yes")
    found = model.predict(rows[:2])
    np.testing.assert_array_equal(gattn_tg.load(tmp_path / "run").predict(rows[:2]).probabilities, found.probabilities)
    measured = model.evaluate().metrics["valid"]
    assert measured is not None
    assert measured["n"] == 6
    with pytest.raises(ConfigError, match="holds a run"):
        gattn_tg.train(tmp_path / "x.toml", tmp_path / "run")
