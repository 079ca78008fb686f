"""Two and four processes through MPI: equal to one, to each other and to a run that was stopped; none waits in vain."""

from __future__ import annotations

import importlib.util
import json
import os
import select
import shutil
import subprocess
import sys
from pathlib import Path
from threading import Timer
from typing import Any

import numpy as np
import pytest
from training.loop.rank import ROWS, Steps

from gattn_tg.errors import FormatError, MissingExtraError
from gattn_tg.machine import threads
from gattn_tg.training.loop import communicator
from gattn_tg.training.loop.communicator import Alone, Mpi

ROOT = Path(__file__).resolve().parents[3]
# Beside the interpreter that runs the tests is the one that pip brought; another one may belong to another MPI.
MPIEXEC = shutil.which("mpiexec", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
needs_mpi = pytest.mark.skipif(
    MPIEXEC is None or importlib.util.find_spec("mpi4py") is None,
    reason='mpiexec and mpi4py are absent: pip install "gattn_tg[mpi]"',
)
SECONDS = 240


def start(n: int, what: str, folder: Path) -> tuple[int, str]:
    """Exit code and what the processes said."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    done = subprocess.run(
        [str(MPIEXEC), "-n", str(n), sys.executable, str(ROOT / "tests/training/loop/rank.py"), what, str(folder)],
        env={**os.environ, "PYTHONPATH": path, "DEV": "CPU"},
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def run(n: int, what: str, folder: Path) -> list[dict[str, Any]]:
    """What each process wrote."""
    code, text = start(n, what, folder)
    assert code == 0, text
    return [json.loads((folder / f"{what}.{rank}.json").read_text()) for rank in range(n)]


@needs_mpi
def test_ranks_are_one_process_shared_out(tmp_path: Path) -> None:
    """Bit for bit one process with as many micro-batches, dropout included; shared moments change nothing."""
    n = 3
    threads.set_threads(1)
    try:  # first: the ranks, whose batches have the same size, find the kernels that they would all lower at once
        alone = Steps(Alone(), n * ROWS, accumulate=n)
        losses = alone.run(0, 4)
    finally:
        threads.set_threads(None)
    said = run(n, "steps", tmp_path)
    assert len({x["digest"] for x in said} | {x["shared"] for x in said}) == 1
    ranks = dict(np.load(tmp_path / "steps.npz"))
    assert np.array(losses).tobytes() == ranks.pop("losses").tobytes()
    values = alone.values()
    assert sorted(values) == sorted(ranks)
    assert [name for name, x in values.items() if x.tobytes() != ranks[name].tobytes()] == []
    whole, shares = said[0]["n_kept"][0], [x["n_kept"][1] for x in said]
    assert sum(shares) == whole
    assert max(shares) < 1.1 * whole / n


@needs_mpi
def test_a_stopped_run_resumes_on_all_ranks(tmp_path: Path) -> None:
    """Ctrl-C reaches one rank, all stop after the same step, and the resumed run ends as the whole one."""
    whole = run(2, "fit", tmp_path)
    resumed = run(2, "resume", tmp_path)
    assert len({x["digest"] for x in whole + resumed}) == 1


@needs_mpi
def test_a_failing_rank_ends_all(tmp_path: Path) -> None:
    code, text = start(2, "fails", tmp_path)
    assert code == communicator.FAILED
    assert "gattn: rank 1 of 2: Traceback" in text
    assert "ValueError: this rank cannot go on" in text


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell what a pipe holds")
def test_a_message_is_read_before_its_process_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A launcher that Abort ends shows what it has taken from the pipe; one that takes nothing is not waited for."""
    monkeypatch.setattr(communicator, "UNREAD_S", 60.0)
    out, into = os.pipe()
    try:
        os.write(into, b"why")
        launcher = Timer(0.4, os.read, (out, 100))
        launcher.start()
        communicator._wait_until_read(into)
        assert not select.select([out], [], [], 0)[0]  # nothing is left in it
        launcher.join()
        os.write(into, b"why")
        monkeypatch.setattr(communicator, "UNREAD_S", 0.2)
        communicator._wait_until_read(into)
        assert os.read(out, 100) == b"why"
    finally:
        os.close(out)
        os.close(into)


@needs_mpi
def test_ranks_must_start_from_equal_weights(tmp_path: Path) -> None:
    code, text = start(2, "differs", tmp_path)
    assert code == communicator.FAILED
    assert (
        "train: expected the same settings and weights on every rank, but rank 1 differs from rank 0; "
        "start all ranks with the same files, settings, seed and version of gattn_tg"
    ) in text


def test_without_mpi4py(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(MissingExtraError) as raised:
        Mpi()
    assert str(raised.value).startswith("train: expected mpi4py and an MPI library for several processes, but ")
    assert str(raised.value).endswith('; pip install "gattn_tg[mpi]"')


def test_buckets_hold_every_number_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(communicator, "BUCKET", 5)
    arrays = [
        np.arange(k, dtype=np.float32).reshape(shape) for k, shape in ((6, (2, 3)), (0, (0,)), (1, ()), (9, (9,)))
    ]
    buckets = communicator._buckets(arrays)
    assert [sum(map(len, bucket)) for bucket in buckets] == [5, 5, 5, 1]
    for bucket in buckets:
        communicator._spread(-np.concatenate(bucket), bucket)
    assert all((array.reshape(-1) == -np.arange(array.size)).all() for array in arrays)


def test_one_process_asks_nobody() -> None:
    alone = Alone()
    x = np.ones(3, np.float32)
    with alone as same:
        same.sum_in_place([x])
        same.share({0: [x]})
        same.require_equal("weights", "digest")
    assert (x == 1).all()
    assert (alone.any(True), alone.any(False), alone.from_first("value")) == (True, False, "value")


def test_state_of_another_model_is_refused() -> None:
    steps = Steps(Alone())
    values = steps.values()
    del values["m.head.bias"]
    with pytest.raises(FormatError) as raised:
        steps.step.restore(values)
    assert str(raised.value) == (
        "optimizer state: expected m.head.bias of shape (2,), got None; it belongs to another model or to "
        "other settings: start without resuming"
    )
