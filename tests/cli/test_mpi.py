"""How the command line finds the other processes, and what it gives each one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gattn_tg.cli import mpi
from gattn_tg.cli.arguments.parser import parser
from gattn_tg.cli.computer import environment
from gattn_tg.errors import ConfigError, UnsupportedError
from gattn_tg.machine import device_list
from gattn_tg.machine.device_list import devices_of
from gattn_tg.training.loop.communicator import Alone


class Four(SimpleNamespace):
    """Four processes, two on each machine."""

    n_ranks, rank, n_local, local_rank = 4, 3, 2, 1


@pytest.mark.parametrize("name", environment.SIZES)
def test_launchers_leave_a_trace(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mpi, "Mpi", Four)
    assert isinstance(mpi.world(False, {name: "4"}), Four)
    assert isinstance(mpi.world(False, {name: "1"}), Alone)
    assert isinstance(mpi.world(False, {name: "all"}), Alone)
    assert isinstance(mpi.world(False, {}), Alone)
    assert isinstance(mpi.world(True, {}), Four)


def test_processes_that_do_not_know_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would all write to one folder."""
    monkeypatch.setattr(mpi, "Mpi", lambda: SimpleNamespace(n_ranks=1))
    with pytest.raises(ConfigError) as raised:
        mpi.world(False, {"SLURM_STEP_NUM_TASKS": "8"})
    assert str(raised.value) == (
        "train: expected 8 processes that MPI connects, but it sees 1; start them with the mpiexec that belongs to "
        "mpi4py's library, or with srun --mpi=pmi2"
    )


def test_cores_are_shared_among_processes_of_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 16)
    monkeypatch.setattr(mpi, "cores", lambda: 16)
    four: Any = Four()
    assert mpi.n_threads(Alone(), None) is None
    assert mpi.n_threads(four, None) == 8
    assert mpi.n_threads(four, 3) == 3
    monkeypatch.setattr(mpi, "cores", lambda: 5)  # the launcher has bound each process to its own
    assert mpi.n_threads(four, None) == 5


def test_every_process_gets_a_device_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    four: Any = Four()
    assert mpi.devices(four, None) is None  # the CPU is one device for all
    monkeypatch.setattr(mpi, "Device", SimpleNamespace(DEFAULT="CUDA"))
    monkeypatch.setattr(device_list, "count", lambda kind: 8)
    assert mpi.devices(four, None) == "CUDA:1"
    assert mpi.devices(Alone(), None) is None
    assert mpi.devices(Alone(), "cuda:all") == tuple(f"CUDA:{i}" for i in range(8))
    assert mpi.devices(Alone(), "CUDA:5") == "CUDA:5"
    with pytest.raises(ConfigError) as raised:
        mpi.devices(four, "CUDA:all")
    assert str(raised.value) == (
        "train: expected one process per machine with --devices, but here are 2; leave --devices out, then every "
        "process takes a device of its own"
    )


def test_lists_of_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_list, "count", lambda kind: 2)
    assert devices_of("cpu:0, CPU:01") == ("CPU:0", "CPU:1")
    assert devices_of("cuda:all") == ("CUDA:0", "CUDA:1")
    for text, error in {
        "": "devices of one kind, got ''; write CUDA:0,CUDA:1",
        "CPU:0,CUDA:0": "devices of one kind, got 'CPU:0,CUDA:0'; write CUDA:0,CUDA:1",
        "CPU:all": "a number for each device, got 'CPU:all'; write CPU:0,CPU:1",
        "CPU": "a number for each device, got 'CPU'; write CPU:0,CPU:1",
        "CPU:1,CPU:1": "different devices, got 'CPU:1,CPU:1'; name each one once",
    }.items():
        with pytest.raises(ConfigError) as raised:
            devices_of(text)
        assert str(raised.value) == f"devices: expected {error}"
    with pytest.raises(UnsupportedError) as unsupported:
        devices_of("CUDA:0,CUDA:2")
    assert str(unsupported.value) == "devices: expected CUDA:2, but 2 are here; count from CUDA:0"
    with pytest.raises(UnsupportedError) as unsupported:
        devices_of("gpu:all")
    assert str(unsupported.value).startswith("devices: expected one of METAL, AMD, NV, CUDA, ")
    assert str(unsupported.value).endswith(", got 'gpu:all'; see gattn doctor")


def test_devices_that_cannot_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(kind: str) -> None:
        raise OSError(f"no driver of {kind}")

    monkeypatch.setattr(
        device_list, "Device", type("Devices", (), {"__class_getitem__": classmethod(lambda c, k: closed(k))})
    )
    with pytest.raises(UnsupportedError) as raised:
        devices_of("QCOM:all")
    assert str(raised.value) == (
        "devices: expected QCOM, but it cannot be opened (no driver of QCOM); `gattn doctor` lists what works here"
    )


def test_options() -> None:
    arguments = parser().parse_args(["train", "x.toml", "--devices", "CPU:0,CPU:1", "--mpi"])
    assert (arguments.devices, arguments.mpi) == ("CPU:0,CPU:1", True)
    arguments = parser().parse_args(["train", "x.toml"])
    assert (arguments.devices, arguments.mpi) == (None, False)
