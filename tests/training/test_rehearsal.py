"""A dry run tells what a run would be, from real steps of it, and leaves nothing behind."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gattn_tg.cli.main import main
from gattn_tg.data import encode_labelled
from gattn_tg.io import read_labelled
from gattn_tg.motif import MotifVocabulary
from gattn_tg.training.tasks import remarks
from gattn_tg.training.tasks.registry import task_of
from gattn_tg.training.template import example_of

CONFIG = """[data]
train = "train.csv"
valid_fraction = 0.2
test_fraction = 0.1
[model]
width = 8
n_layers = 1
n_heads = 2
stem_kernel = 0
motif = "none"
[train]
steps = 400
batch_size = 8
"""


def table(rng: np.random.Generator, n: int, rare: int) -> str:
    rows = ["".join(rng.choice(list("ACGT"), 12)) for _ in range(n)]
    return "sequence,label\n" + "".join(f"{row},{'no' if i >= rare else 'yes'}\n" for i, row in enumerate(rows))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "train.csv").write_text(table(np.random.default_rng(0), 100, 40))
    (tmp_path / "c.toml").write_text(CONFIG)
    return tmp_path / "c.toml"


def test_a_dry_run_tells_data_time_and_memory_and_writes_nothing(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(config.parent)
    before = sorted(config.parent.rglob("*"))
    assert main(["train", str(config), "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert sorted(config.parent.rglob("*")) == before
    assert told["counts"] == {
        "train": {"no": 42, "yes": 28}, "valid": {"no": 12, "yes": 8}, "test": {"no": 6, "yes": 4},
    }  # fmt: skip
    assert (told["n_steps"], told["steps_per_epoch"], told["n_validations"]) == (400, 9, 45)
    assert 3 <= told["n_timed"] <= 50
    assert 0 < told["step_s"] < told["epoch_s"] < told["run_s"]
    assert told["peak_bytes"] > 50e6  # an interpreter with NumPy takes as much
    assert main(["train", str(config), "--dry-run"]) == 0
    text = capsys.readouterr().out
    assert "measured here, now:" in text
    assert "400 steps, 9 of them an epoch" in text


def test_rare_classes_and_unknown_bases_are_warned_of(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(table(np.random.default_rng(0), 100, 3) + "ACNNGTACGTAC,no\n")
    found = encode_labelled(read_labelled(tmp_path / "t.csv"), MotifVocabulary.default())
    told = remarks.of_classes({"train": found}, weighted=False)
    assert any(text.startswith("train: only 3 of 101 sequences are 'yes'") for text in told)
    assert "train: 1 of 101 sequences are N for more than 10%" in told


def test_sites_may_do_without_a_test() -> None:
    """test_fraction = 0 leaves the blocks of the test to training."""
    example = example_of("PerBaseModel")
    sizes = {}
    for share in (0.25, 0.0):
        task = task_of(replace(example, data={**example.data, "test_fraction": share}))
        sizes[share] = {part: counts["windows"] for part, counts in task.counts.items()}
    assert sorted(sizes[0.0]) == ["train", "valid"]
    assert task.test() is None
    assert sizes[0.0]["train"] > sizes[0.25]["train"]
