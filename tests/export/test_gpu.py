"""Kernels for GPUs of browsers: what WebGPU asks of them, and pages where there is none. Answers: test_page.py."""

from __future__ import annotations

import re
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from browser import Browser
from exported import LETTERS, TOLERANCE, classifier
from tinygrad import Device, Tensor

from gattn_tg.cli.main import main
from gattn_tg.errors import UnsupportedError
from gattn_tg.export.program import program_of, wgsl_of
from gattn_tg.export.targets import files_of
from gattn_tg.export.wgsl import plan, read_only
from gattn_tg.front.trained import Trained
from gattn_tg.machine import browser, zig
from gattn_tg.machine.captured import Captured, capture

CHROMIUM = shutil.which("chromium")
MOST_BUFFERS = 10  # that browsers bind on nearly every computer
SHARED_BYTES = 16 * 1024  # that WebGPU promises a group of threads


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gpu")


@pytest.fixture(scope="module")
def model(home: Path) -> Trained:
    return classifier(home / "ckpt")


@pytest.fixture(scope="module")
def captured(home: Path, model: Trained) -> Captured:
    return wgsl_of(home / "ckpt")


def test_every_launch_is_kept_in_its_order_and_weights_leave_once(model: Trained, captured: Captured) -> None:
    program = program_of(model.checkpoint)
    weights = program.c("model", embedded=False)[2].weights
    told, more = plan(captured, weights)
    assert len(told["launches"]) == len(captured.launches)
    assert [launch[0] for launch in told["launches"]] == [launch.kernel for launch in captured.launches]
    # two layers of one shape: kernels are shared, launches are not
    assert len(told["sources"]) < len(told["launches"])
    held = weights + more
    for buffer, (n_bytes, at) in zip(captured.buffers, told["buffers"], strict=True):
        assert n_bytes == buffer.n_bytes
        assert (at >= 0) == (buffer.role == "constant")
        if at >= 0:
            assert held[at : at + n_bytes] == buffer.data
    assert len(more) < 0.1 * len(weights)


def test_kernels_keep_to_what_browsers_promise(captured: Captured) -> None:
    for kernel in captured.kernels:
        assert len(re.findall(r"var<storage", kernel.source)) <= MOST_BUFFERS
        shared = re.findall(r"var<workgroup> \w+: array<\w+,(\d+)>", kernel.source)
        assert 4 * sum(map(int, shared)) <= SHARED_BYTES
        (size,) = re.findall(r"@workgroup_size\(([\d,]+)\)", kernel.source)
        assert np.prod([int(n) for n in size.split(",")]) <= 256
    assert all(max(launch.groups) <= 65535 for launch in captured.launches)


def test_operands_that_are_only_read_are_declared_so(captured: Captured) -> None:
    """Else a barrier in a loop whose bound is loaded is an error in Chromium."""
    for kernel, launch in ((captured.kernels[launch.kernel], launch) for launch in captured.launches):
        source, operands = read_only(kernel.source)
        kinds = re.findall(r"var<storage,(\w+)>", source)
        assert [i for i, kind in enumerate(kinds) if kind == "read"] == operands
        written = {buffer for i, buffer in enumerate(launch.buffers) if i not in operands}
        assert all(captured.buffers[i].role in ("scratch", "output") for i in written)
        assert len(written) >= 1
    lengths = captured.inputs[2]  # int32 in a loop bound of `simt`
    assert any(lengths in launch.buffers for launch in captured.launches)


def test_bytes_that_are_only_read_need_no_atomic_words() -> None:
    source = ("var<storage,read_write>data0:array<atomic<u32>>;\nvar<storage,read_write>data1:array<atomic<u32>>;\n"
              "let x = (atomicLoad(&data1[(i>>2)])>>(i%4));\natomicAnd(&data0[(i>>2)],m);")  # fmt: skip
    found, operands = read_only(source)
    assert operands == [1]
    assert "var<storage,read>data1:array<u32>;" in found
    assert "let x = (data1[(i>>2)]>>(i%4));" in found
    assert "var<storage,read_write>data0:array<atomic<u32>>;" in found


def test_a_constant_that_a_kernel_computes_is_refused_and_one_that_was_copied_leaves_with_its_bytes() -> None:
    numbers = np.arange(8, dtype=np.float32)
    with browser.kernels():
        given = Tensor(numbers).contiguous().realize()
        found = capture(lambda x: x + given, [np.zeros(8, np.float32)])
        assert [buffer.data for buffer in found.buffers if buffer.role == "constant"] == [numbers.tobytes()]
        computed = (given * 2).contiguous().realize()
        with pytest.raises(UnsupportedError, match="got one that it computes once"):
            capture(lambda x: x + computed, [np.zeros(8, np.float32)])
    assert not Device.DEFAULT.startswith("NULL")


@pytest.mark.parametrize("ending", [".c", ".js", ".wasm"])
def test_only_pages_take_a_gpu(ending: str, home: Path, model: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(home / "ckpt"), "-o", str(home / f"x{ending}"), "--gpu"]) == 2
    assert "expected a GPU for .html" in capsys.readouterr().err
    assert not (home / f"x{ending}").exists()


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_browser_without_a_gpu_says_so_and_the_processor_answers(
    home: Path, model: Trained, captured: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zig, "FLAGS", ("-O0", *zig.FLAGS[1:]))
    page = home / "page.html"
    page.write_bytes(files_of(replace(program_of(model.checkpoint), wgsl=captured), page)["page.html"])
    assert CHROMIUM is not None
    with closing(Browser(CHROMIUM, home / "profile")) as opened:
        opened.open(page)
        opened.run(f"document.getElementById('gpu').click(); document.getElementById('sequence').value = '{LETTERS}';"
                   "document.getElementById('go').click()")
        opened.until("document.getElementById('stop').disabled")
        said = str(opened.run("document.getElementById('say').textContent"))
        row = opened.run("[...document.querySelector('tbody').rows[0].cells].map(cell => +cell.textContent)")
        assert opened.errors == []
    assert said.startswith("Done in")
    assert "on the processor, as WebGPU cannot do it here: this browser offers no GPU" in said
    np.testing.assert_allclose(row[1:], model.predict([LETTERS]).probabilities[0], atol=TOLERANCE)
