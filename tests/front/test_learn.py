"""Training from Python: a configuration becomes a loaded model, which is the run's best one."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from tinygrad.helpers import Context

import gattn_tg
from gattn_tg.errors import ConfigError
from gattn_tg.front.classes import TrainedClassifier
from gattn_tg.front.load import device_of
from gattn_tg.machine import devices
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.models.kind import Kind
from gattn_tg.models.kinds import HOMES
from gattn_tg.models.readouts.sequences import ClassReadout
from gattn_tg.training.loop.watch import Watcher


def configuration(folder: Path, kind: str) -> list[str]:
    """Writes x.toml and its table; gives the sequences."""
    rng = np.random.default_rng(0)
    rows = ["".join(rng.choice(list("ACGT"), 12)) for _ in range(24)]
    lines = [f"{row},{'yes' if row[3] in 'AC' else 'no'}" for row in rows]
    (folder / "t.csv").write_text("\n".join(["sequence,label", *lines]) + "\n")
    (folder / "x.toml").write_text(
        '[data]\ntrain = "t.csv"\nvalid_fraction = 0.25\n'
        f'[model]\nkind = "{kind}"\nwidth = 8\nn_layers = 1\nn_heads = 2\nmlp_ratio = 1\nstem_kernel = 0\n'
        "[train]\nepochs = 1\nbatch_size = 8\nwarmup_steps = 1\n"
    )
    return rows


def test_a_new_model_of_classes_is_one_entry_in_the_table_of_kinds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is trained, kept, loaded and asked, and no other line of the package names it."""

    class Toy(SequenceClassifier):
        pass

    toy = ModuleType("toy")
    toy.KIND = Kind(ClassifierConfig, Toy, ClassReadout, heads=("head",))
    monkeypatch.setitem(sys.modules, "toy", toy)
    monkeypatch.setitem(HOMES, "Toy", "toy")
    rows = configuration(tmp_path, "Toy")
    model = gattn_tg.train(tmp_path / "x.toml", tmp_path / "run")
    assert (model.kind, type(model.model), model.labels) == ("Toy", Toy, ("no", "yes"))
    assert len(model.predict(rows[:3])) == 3


def test_training_tells_of_validations_and_quiet_training_of_warnings_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configuration(tmp_path, "SequenceClassifier")
    gattn_tg.train(tmp_path / "x.toml", tmp_path / "told")
    said = capsys.readouterr()
    assert "epoch   1/1  loss " in said.err
    assert said.out == ""
    rows = (tmp_path / "t.csv").read_text().splitlines()
    other = {"yes": "no", "no": "yes"}[rows[1].split(",")[1]]
    (tmp_path / "t.csv").write_text("\n".join([*rows, rows[1].split(",")[0] + "," + other]) + "\n")
    gattn_tg.train(tmp_path / "x.toml", tmp_path / "quiet", quiet=True)
    assert capsys.readouterr().err == "warning: train: 1 sequence with another label elsewhere\n"


def test_ctrl_c_stops_the_script_and_the_run_goes_on_later(tmp_path: Path) -> None:
    """A script never goes on with the half-trained model."""

    class Pressing(Watcher):
        def stepped(self, step: int, loss: float, rate: float, n_rows: int) -> None:
            signal.raise_signal(signal.SIGINT)

    configuration(tmp_path, "SequenceClassifier")
    with pytest.raises(KeyboardInterrupt, match="stopped at step 1 and saved; resume it"):
        gattn_tg.train(tmp_path / "x.toml", tmp_path / "run", watcher=Pressing())
    assert gattn_tg.train(tmp_path / "x.toml", tmp_path / "run", mode="resume").labels == ("no", "yes")


def test_a_configuration_becomes_a_loaded_model(tmp_path: Path) -> None:
    rows = configuration(tmp_path, "SequenceClassifier")
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


def test_a_device_that_nobody_named_is_the_one_that_the_command_line_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "choose", lambda name: "CL" if name is None else str(name))
    with Context(DEV=""):
        assert (device_of(None), device_of("CUDA")) == ("CL", "CUDA")
    with Context(DEV="CL"):
        assert device_of(None) is None
