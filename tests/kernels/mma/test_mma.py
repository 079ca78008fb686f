"""The kernels of matrix units: the table of fragments, the kernels in the emulator, refusals, the plan."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tinygrad import Tensor, dtypes

from gattn_tg import attention
from gattn_tg.errors import UnsupportedError
from gattn_tg.kernels.mma import plan as mma_plan
from gattn_tg.kernels.mma.fragment import CDNA, CUDA, METAL, RDNA3, RDNA4, find
from gattn_tg.kernels.mma.plan import Machine
from gattn_tg.kernels.tiles.kinds import KINDS
from gattn_tg.kernels.tiles.score import Score
from gattn_tg.ops.attention import mma

FRAGMENTS = {x.name: x for x in (CUDA, METAL, RDNA3, RDNA4, CDNA)}
EMULATED = {
    # every case on one device; two of them with broken numbers
    "sm_80": ["pair_window", "between_segments", "wide", "key_causal_broken", "ordered_rope_broken"],
    "METAL": ["ordered_rope", "pair_window_float32"],  # the slowest to emulate
    "gfx1100": ["same_lengths"],
    "gfx1201": ["padded"],
    "gfx942": ["dense"],
}
H100 = Machine("CUDA", "sm_90", 48 * 1024, is_cuda=True)
PAIR = Score(scale=0.125, kind=KINDS["pair"], classes=16)


# ---- the table


@pytest.mark.parametrize("fragment", FRAGMENTS.values(), ids=FRAGMENTS)
def test_lanes_hold_every_element_of_a_product(fragment):
    lanes, (a, b, c) = range(fragment.lanes), fragment.elements
    held = {
        "a": [fragment.a(lane, i) for lane in lanes for i in range(a)],
        "b": [fragment.b(lane, i) for lane in lanes for i in range(b)],
        "c": [fragment.c(lane, i) for lane in lanes for i in range(c)],
    }
    assert set(held["a"]) == set(itertools.product(range(fragment.rows), range(fragment.depth)))
    assert set(held["b"]) == set(itertools.product(range(fragment.depth), range(fragment.columns)))
    assert sorted(held["c"]) == sorted(itertools.product(range(fragment.rows), range(fragment.columns)))


@pytest.mark.parametrize("fragment", FRAGMENTS.values(), ids=FRAGMENTS)
def test_sharers_of_a_row_are_the_lanes_that_hold_it(fragment):
    size = range(fragment.elements[2])
    rows = {lane: {fragment.c(lane, e)[0] for e in size} for lane in range(fragment.lanes)}
    for lane in rows:
        named = [fragment.sharer(lane, x) for x in range(fragment.sharers)]
        assert sorted(named) == [other for other in rows if rows[other] == rows[lane]]
        assert [fragment.own_rows[e] for e in size] == [sorted(rows[lane]).index(fragment.c(lane, e)[0]) for e in size]


def test_results_stay_in_registers_where_the_same_lane_needs_them():
    assert {name: fragment.chain is not None for name, fragment in FRAGMENTS.items()} == {
        "m16n8k16": True, "simdgroup8x8x8": True, "rdna3_16x16x16": False, "rdna4_16x16x16": True,
        "cdna_16x16x16": True,
    }  # fmt: skip
    assert CUDA.chain == ((0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2), (1, 3))


def test_two_steps_of_a_lane_are_sixteen_bytes():
    places = [CUDA.channel(step, k) for step in range(2) for k in range(16)]
    assert sorted(places) == list(range(32))
    for lane in range(32):
        own = [CUDA.channel(step, CUDA.b(lane, i)[0]) for step in range(2) for i in range(4)]
        assert own == list(range(own[0], own[0] + 8))
        assert own[0] % 8 == 0


# ---- in the emulator


@pytest.fixture(scope="module")
def emulated():
    """What broke the promise, by device and case; a process for each device."""
    tests, found = Path(__file__).resolve().parents[2], {}

    def run(arch):
        if arch not in found:
            environment = os.environ | {"DEV": f"PYTHON::{arch}", "PYTHONPATH": f"{tests.parent}{os.pathsep}{tests}"}
            command = [sys.executable, str(tests / "emulated_mma.py"), *EMULATED[arch]]
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
            assert done.returncode == 0, done.stderr
            lines = [json.loads(line) for line in done.stdout.splitlines()]
            found[arch] = {line["name"]: line["broke"] for line in lines}
        return found[arch]

    return run


@pytest.mark.parametrize(("arch", "name"), [(arch, name) for arch, names in EMULATED.items() for name in names])
def test_keeps_the_promise_in_the_emulator(arch, name, emulated):
    assert emulated(arch)[name] == ""


# ---- choice


def test_refuses_devices_without_matrix_units():
    q = Tensor.zeros(1, 1, 2, 16, device="CPU", dtype=dtypes.bfloat16)
    text = 'attention(impl="mma"): expected a device with matrix instructions that it knows, got CPU; use impl="auto"'
    with pytest.raises(UnsupportedError, match=re.escape(text)):
        attention(q, q, q, impl="mma")


@pytest.mark.parametrize(
    ("maker", "arch", "dtype", "text"),
    [
        ("CUDA", "sm_90", dtypes.float32, "expected operands of float16 or bfloat16, got float32, of which tf32"),
        ("NV", "sm_75", dtypes.float16, "expected a device of sm_80 or later, got sm_75"),
        ("CUDA", "sm_80", dtypes.float64, "expected operands of float16 or bfloat16, got"),
        ("METAL", "Apple6", dtypes.float16, "expected a device of Apple7 or later, got Apple6"),
        ("METAL", "Apple9", dtypes.float64, "expected operands of float16, bfloat16 or float32, got"),
        ("AMD", "gfx1100", dtypes.float32, "expected operands of float16 or bfloat16, got"),
        ("AMD", "gfx1030", dtypes.float16, "expected a device with matrix instructions that it knows, got gfx1030"),
    ],
)
def test_the_table_says_what_it_does_not_serve(maker, arch, dtype, text):
    assert str(find(maker, arch, dtype)).startswith(text)


def test_the_table_finds_the_instructions_of_a_device():
    made = [("CUDA", "sm_80"), ("NV", "sm_90a"), ("METAL", "Apple7"), ("AMD", "gfx1100"), ("AMD", "gfx1201"),
            ("AMD", "gfx950")]  # fmt: skip
    assert [find(maker, arch, dtypes.bfloat16) for maker, arch in made] == [CUDA, CUDA, METAL, RDNA3, RDNA4, CDNA]
    assert find("METAL", "Apple7", dtypes.float32) is METAL


def test_plan_takes_the_largest_tiles_that_fit():
    found = mma_plan.plan(H100, PAIR, 64, 64, dtypes.bfloat16)
    assert not isinstance(found, str)
    assert [x.name for x in (found.forward, found.rows, found.keys)] == [
        "mma4_128x32_early", "mma4_64x64_early", "mma4_32x64_early",
    ]  # fmt: skip
    wider = mma_plan.plan(H100, PAIR, 128, 128, dtypes.bfloat16)
    assert not isinstance(wider, str)
    assert [x.name for x in (wider.forward, wider.rows, wider.keys)] == [
        "mma4_64x32_early", "mma4_64x32", "mma4_16x64_early",
    ]  # fmt: skip


def test_refuses_tiles_that_do_not_fit(monkeypatch):
    monkeypatch.setattr(mma_plan, "machine", lambda device: H100)
    mma.plan.cache_clear()
    q = Tensor.zeros(1, 1, 2, 512, device="CPU", dtype=dtypes.bfloat16)
    text = (
        'attention(impl="mma"): expected 32832 bytes of shared memory and 392 registers a thread for its smallest '
        'tile (forward, head widths 512 and 512), got 49152 and 168; use impl="auto"'
    )
    with pytest.raises(UnsupportedError, match=re.escape(text)):
        attention(q, q, q, impl="mma")
    mma.plan.cache_clear()


def test_auto_waits_for_a_proof(monkeypatch):
    monkeypatch.setattr(mma, "refuse", lambda problem: None)
    monkeypatch.setattr(mma, "UNPROVEN", {"CPU": "only their syntax was checked"})
    q = Tensor.ones(1, 1, 2, 16, device="CPU")
    np.testing.assert_array_equal(attention(q, q, q).numpy(), q.numpy())  # another one served it
    problem = type("Problem", (), {"q": q})
    text = 'only their syntax was checked, nothing ran on such a device yet; impl="mma" takes it nevertheless'
    assert mma.doubt(problem) == text
