"""Degenerate calls, each group in a process of its own: an answer, never a kernel that reads a number as an address."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gattn_tg.errors import UnsupportedError
from gattn_tg.machine import devices
from gattn_tg.machine.arguments import placed

TESTS = Path(__file__).resolve().parents[1]
FEW = ("between_one_base", "no_scale_one_entry")
# `python tests/degenerate.py loops` has more; these have one of every way in which an operand falls away
MANY = (
    "between_one_entry", "ordered_one_entry", "dense_one_base", "one_entry_one_base", "ordered_one_key",
    "between_one_query", "no_scale_ordered", "width_one",
)  # fmt: skip


@pytest.mark.parametrize(
    ("device", "impl", "names"),
    [("CPU", "loops", MANY), ("CPU", "lazy", FEW), ("CL", "simt", FEW)],
    ids=["loops", "lazy", "simt"],
)
def test_degenerate_calls_agree_with_the_reference(device: str, impl: str, names: tuple[str, ...]) -> None:
    if device != "CPU" and (reason := devices.probe(device).reason):
        pytest.skip(f"{device} does not work here: {reason}")
    path = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    done = subprocess.run(
        [sys.executable, str(TESTS / "degenerate.py"), impl, *names], capture_output=True, text=True, check=False,
        timeout=600, env={**os.environ, "PYTHONPATH": path, "DEV": device},
    )  # fmt: skip
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"after {said[-1:]}: exit {done.returncode}, {done.stderr[-500:]}"
    assert [x["name"] for x in said] == list(names)
    assert [x for x in said if x["broke"]] == []


def test_arguments_in_the_order_of_the_call_are_found() -> None:
    left = [(None, 0), (None, 3), (None, 7), ("core_id", 2**16)]
    assert placed("k", left) == ((None, 0), (None, 1), (None, 2), ("core_id", 3))
    assert placed("k", left[:3]) == ((None, 0), (None, 1), (None, 2))


def test_a_number_among_the_buffers_is_refused() -> None:
    with pytest.raises(UnsupportedError) as raised:
        placed("flash", [(None, 0), (None, 3), (None, 7), ("core_id", 3)])
    assert str(raised.value) == (
        "kernel flash: expected arguments numbered in the order of the call, but they are 0, 3, 7, 3, so that a "
        "number would be read as an address; take DEV=CPU:CLANG"
    )
