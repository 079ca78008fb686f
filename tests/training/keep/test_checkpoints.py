"""Checkpoints on disk: whole or not there, refused by name when one byte differs, the newest ones kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gattn_tg.errors import ConfigError, FormatError
from gattn_tg.training.keep.checkpoints import SUMS, Checkpoints, verify

HERE = Path(__file__).resolve().parent
FILES = {"model.safetensors": bytes(range(256)), "progress.json": b'{"step": 1}\n', "empty": b""}


def fill(folder: Path) -> None:
    for name, data in FILES.items():
        (folder / name).write_bytes(data)


@pytest.fixture
def three(tmp_path: Path) -> Checkpoints:
    checkpoints = Checkpoints(tmp_path / "checkpoints", keep=3)
    for step in (400, 800, 1200):
        checkpoints.write(step, fill)
    return checkpoints


def refuse(message: str) -> None:
    raise AssertionError(message)


def test_the_newest_is_found_and_the_old_ones_go(three: Checkpoints) -> None:
    assert three.newest(refuse) == three.folder / "step_00001200"
    three.keep = 2
    three.write(1600, fill)
    assert three.steps() == [1200, 1600]
    three.write(1600, fill)
    assert three.steps() == [1200, 1600]
    assert Checkpoints(three.folder / "none").newest(refuse) is None


def test_what_is_newer_does_not_push_out_the_step_that_counts(three: Checkpoints) -> None:
    """After a return to an older checkpoint the newer ones stay until they are written again."""
    three.keep = 1
    three.write(600, fill)
    assert three.steps() == [600, 800, 1200]
    three.write(800, fill)
    assert three.steps() == [800, 1200]


def test_sha256sum_reads_the_list(three: Checkpoints) -> None:
    done = subprocess.run(["sha256sum", "-c", SUMS], cwd=three.path(800), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count(": OK") == len(FILES)


def test_any_byte_of_any_file_is_noticed(three: Checkpoints) -> None:
    folder, rng = three.path(800), np.random.default_rng(0)
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        for place in {0, len(whole) - 1, *rng.integers(0, max(len(whole), 1), 20).tolist()} if whole else ():
            changed = bytearray(whole)
            changed[place] ^= 1 << int(rng.integers(8))
            path.write_bytes(bytes(changed))
            with pytest.raises(FormatError, match=rf"step_00000800: expected a whole checkpoint, but .*{SUMS}"):
                verify(folder)
        path.write_bytes(whole + b"\n")
        with pytest.raises(FormatError):
            verify(folder)
        path.write_bytes(whole)
        verify(folder)


def test_a_damaged_file_is_named(three: Checkpoints) -> None:
    folder = three.path(1200)
    (folder / "model.safetensors").write_bytes(FILES["model.safetensors"][:-1])
    with pytest.raises(FormatError, match=r"step_00001200: .* but model.safetensors is not what sha256sums.txt says"):
        verify(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(FormatError, match=r"step_00001200: .* but model.safetensors is missing"):
        verify(folder)
    fill(folder)
    (folder / "more").write_bytes(b"")
    with pytest.raises(FormatError, match=r"step_00001200: .* but more is not what sha256sums.txt says"):
        verify(folder)
    (folder / SUMS).unlink()
    with pytest.raises(FormatError, match=r"step_00001200: .* but sha256sums.txt: no such file or directory"):
        verify(folder)


def test_the_one_before_is_taken_and_all_damaged_is_an_error(three: Checkpoints) -> None:
    heard: list[str] = []
    for step, left in ((1200, "step_00000800"), (800, "step_00000400")):
        (three.path(step) / "progress.json").write_bytes(b"{}")
        heard.clear()
        found = three.newest(heard.append)
        assert found is not None
        assert found.name == left
        assert heard[-1].endswith(f"progress.json is not what {SUMS} says; going on from {left}")
    assert len(heard) == 2
    (three.path(400) / SUMS).unlink()
    with pytest.raises(FormatError, match=r"step_00001200: .*; no older checkpoint is whole: overwrite the run"):
        three.newest(heard.append)


def test_a_checkpoint_by_name(three: Checkpoints) -> None:
    assert three.named("step_00000800") == three.path(800)
    with pytest.raises(ConfigError, match=r"one of step_00000400, step_00000800, step_00001200, got"):
        three.named("step_00000900")
    with pytest.raises(ConfigError, match=r"one of its checkpoints \(there are none\), got 'x'"):
        Checkpoints(three.folder / "none").named("x")
    for step in (400, 1200):
        (three.path(step) / "empty").write_bytes(b"x")
    with pytest.raises(FormatError, match=r"empty is not what .*; go on from the one before, step_00000800"):
        three.named("step_00001200")
    with pytest.raises(FormatError, match=r"empty is not what .*; overwrite the run to start again"):
        three.named("step_00000400")


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")
def test_killed_before_every_event_of_a_write(tmp_path: Path) -> None:
    """The old or the new checkpoint is whole after each, and the next life ends as if nothing had been."""
    command = [sys.executable, str(HERE / "killed_write.py"), str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=HERE.parents[2])
    assert done.stderr == ""
    places = {tuple(line.split()[:-1]): int(line.split()[-1]) for line in done.stdout.splitlines()}
    works = {(work, way) for work in ("checkpoint", "best") for way in ("exchanged", "renamed")}
    assert set(places) == works, done.stdout
    assert min(places.values()) > 20
