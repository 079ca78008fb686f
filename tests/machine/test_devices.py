"""Which device is chosen: the user's word, a GPU that works, else the CPU; never OpenCL on the CPU."""

from __future__ import annotations

import json
import subprocess

import pytest

from gattn_tg.errors import UnsupportedError
from gattn_tg.machine import devices


def candidate(name: str, works: bool = True, is_gpu: bool = True) -> devices.Candidate:
    return devices.Candidate(name, found=True, works=works, is_gpu=is_gpu)


@pytest.mark.parametrize("name", ["CPU", "CPU:LLVM", "CPU::x86_64,native", "CUDA"])
def test_explicit_name_is_taken(name: str) -> None:
    assert devices.choose(name) == name


def test_numbered_devices_are_for_lists_of_devices() -> None:
    assert devices.choose("cuda:0") == "CUDA"
    with pytest.raises(UnsupportedError, match="expected a device without a number, got 'CL:1'"):
        devices.choose("CL:1")  # tinygrad reads the 1 of DEV=CL:1 as the name of a renderer


def test_explicit_name_may_be_lower_case() -> None:
    assert devices.choose("cuda") == "CUDA"


def test_unknown_name_is_refused() -> None:
    with pytest.raises(UnsupportedError) as raised:
        devices.choose("TPU")
    assert str(raised.value) == (
        "device: expected one of METAL, AMD, NV, CUDA, QCOM, CL, CPU, WEBGPU, DSP, NULL, PYTHON, "
        "got 'TPU'; `gattn doctor` lists what works here"
    )


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        ([], "CPU"),
        ([candidate("CL", is_gpu=False)], "CPU"),
        ([candidate("NV", works=False), candidate("CUDA")], "CUDA"),
        ([candidate("NV", works=False)], "CPU"),
        ([candidate("CL")], "CL"),
    ],
)
def test_first_working_gpu_else_cpu(
    there: list[devices.Candidate], chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "present", lambda: tuple(c.name for c in there))
    monkeypatch.setattr(devices, "probe", {c.name: c for c in there}.__getitem__)
    assert devices.choose(None) == chosen


def test_probe_of_a_hanging_driver_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*args: object, **kwargs: object) -> None:
        raise subprocess.TimeoutExpired("probe", devices.PROBE_SECONDS)

    monkeypatch.setattr(devices, "_absence", lambda name: "")
    monkeypatch.setattr(subprocess, "run", hang)
    found = devices.probe.__wrapped__("CUDA")
    assert not found.works
    assert found.reason == "did not answer within 60 s"


def test_probe_reports_the_last_line_of_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    done = subprocess.CompletedProcess([], 1, "", "Traceback\nRuntimeError: no such device\n")
    monkeypatch.setattr(devices, "_absence", lambda name: "")
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: done)
    assert devices.probe.__wrapped__("CUDA").reason == "RuntimeError: no such device"


def test_cpu_works_here() -> None:
    found = devices.probe("CPU")
    assert found.works
    assert not found.is_gpu


def test_report_is_plain_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "GPUS", ())
    report = json.loads(json.dumps(devices.report()))
    assert report["cpu"]["vector_bits"] in (128, 256, 512)
    assert report["versions"]["tinygrad"].startswith("0.14")
    assert report["compiler"]["version"]
