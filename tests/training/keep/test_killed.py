"""Killed with SIGKILL at many moments and started again with the same command, a run ends with the same bytes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
CONFIG = """
[data]
train = "a.csv"
valid_fraction = 0.25
test_fraction = 0.1
[model]
width = 8
n_layers = 1
n_heads = 2
stem_kernel = 0
positions = "learned"
dropout = 0.2
[train]
steps = 16
batch_size = 4
accumulate = 2
ema_decay = 0.5
reverse_complement = true
monitor = "loss"
log_every = 2
validate_every = 4
checkpoint_every = 3
keep = 2
"""
TIMED = ("seconds", "examples_per_s", "positions_per_s", "waited")


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")
def test_killed_again_and_again_equals_a_run_in_peace(tmp_path: Path) -> None:
    letters = np.random.default_rng(0).choice(list("ACGT"), (40, 10))
    rows = [f"{''.join(row)},{int(row[3] in 'AC')}" for row in letters]
    (tmp_path / "a.csv").write_text("sequence,label\n" + "\n".join(rows) + "\n")
    (tmp_path / "x.toml").write_text(CONFIG)
    command = [sys.executable, str(HERE / "killed_run.py"), str(tmp_path / "x.toml"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=HERE.parents[2])
    lives = [line for line in done.stdout.splitlines() if ", newest checkpoint " in line]
    assert lives == [
        "step 2, before any checkpoint: killed, newest checkpoint 0",
        "weights of checkpoint 3 written, state not: killed, newest checkpoint 0",
        "checkpoint 3 whole, not renamed: killed, newest checkpoint 0",
        "first best weights whole, not renamed: killed, newest checkpoint 3",
        "digests of checkpoint 6 not written: killed, newest checkpoint 3",
        "step 8, between two checkpoints: killed, newest checkpoint 6",
        "better weights whole, not exchanged: killed, newest checkpoint 6",
        "newest checkpoint damaged: killed, newest checkpoint 9",
        "none: exit 0, newest checkpoint 16",
    ], done.stdout + done.stderr
    assert "step_00000006: expected a whole checkpoint, but state.safetensors is not what" in done.stderr
    assert "going on from step_00000003" in done.stderr
    peace, killed = tmp_path / "peace", tmp_path / "killed"
    for name in ("best", "checkpoints/step_00000016", "checkpoints/step_00000015"):
        for file in ("model.safetensors", "config.json"):
            assert (peace / name / file).read_bytes() == (killed / name / file).read_bytes(), f"{name}/{file}"
    state = "checkpoints/step_00000016/state.safetensors"
    assert (peace / state).read_bytes() == (killed / state).read_bytes()
    assert lasting(peace) == lasting(killed)
    assert (peace / "test.json").read_bytes() == (killed / "test.json").read_bytes()
    assert {p.name for p in peace.rglob("*")} == {p.name for p in killed.rglob("*")}


def lasting(folder: Path) -> list[dict[str, object]]:
    """The lines of metrics.jsonl without the times."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in TIMED} for line in lines]
