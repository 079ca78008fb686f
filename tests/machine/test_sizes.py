"""The table of sizes: what the package ships, what a user's file changes, and every mistake in one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tinygrad import Tensor

from gattn_tg import attention
from gattn_tg.errors import ConfigError
from gattn_tg.kernels.dense.gemm_plan import Gemm
from gattn_tg.kernels.loops import units as plan
from gattn_tg.kernels.loops.backward_sizes import BackwardSizes
from gattn_tg.machine import cache, toolchain
from gattn_tg.machine import sizes as plan_table
from gattn_tg.machine.sizes import WIDTHS, Row


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A path for the user's file, and a table that is read anew before and after."""
    path = tmp_path / "plan.toml"
    monkeypatch.setenv("GATTN_PLAN", str(path))
    monkeypatch.setattr(toolchain, "vector_bits", lambda: 512)
    plan_table.table.cache_clear()
    yield path
    plan_table.table.cache_clear()


def test_the_package_has_every_row(user: Path) -> None:
    assert {(r.bits, r.stage) for r in plan_table.table()} == {(b, s) for b in WIDTHS for s in plan_table.STAGES}
    assert {r.origin for r in plan_table.table()} == {"package"}
    assert plan_table.tile() == (4, 64)
    assert [plan_table.gemm_tile(bits) for bits in WIDTHS] == [(5, 16), (5, 16), (6, 64)]
    assert {plan_table.panel_bytes(d) for d in (8, 64, 256)} == {128 * 1024}
    assert {plan_table.chunk_rows(d) for d in (8, 64, 256)} == {64}


def test_rows_of_the_user_go_first_and_head_widths_take_the_nearest(user: Path) -> None:
    rows = [Row(512, "forward", (32768,), 32, 99.5), Row(512, "forward", (65536,), 128), Row(512, "gemm", (4, 32))]
    rows += [Row(512, "backward", (16,), 64), Row(256, "tile", (4, 16))]
    user.write_text(plan_table.text(rows))
    assert [plan_table.panel_bytes(d) for d in (8, 32, 33, 64, 65, 256)] == [32768, 32768, 131072, 131072, 65536, 65536]
    assert plan.query_rows(heads=8, n=2048, width=32) == 256
    assert plan.query_rows(heads=8, n=2048, width=64) == 512
    assert BackwardSizes(1, 1, 1, 1000, 1000, 64, 48).rows == 16
    assert (Gemm(100, 100, 100).height, Gemm(100, 100, 100).width) == (4, 32)
    assert plan_table.tile() == (4, 64)  # the row of another vector width does not count
    assert [r.origin for r in plan_table.load(user, "user")] == ["user"] * 5


def test_machines_with_few_registers_take_smaller_tiles(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("GATTN_PLAN", str(user))
    with toolchain.assuming(128):  # as WebAssembly
        assert (plan_table.tile(), plan_table.gemm_tile(128)) == ((2, 16), (3, 16))
        monkeypatch.setattr(toolchain, "vector_registers", lambda: 32)  # as NEON
        assert (plan_table.tile(), plan_table.gemm_tile(128)) == ((4, 16), (5, 16))
        user.write_text(plan_table.text([Row(128, "gemm", (4, 48)), Row(128, "tile", (1, 64), registers=16)]))
        plan_table.table.cache_clear()
        assert (plan_table.tile(), plan_table.gemm_tile(128)) == ((4, 16), (4, 48))
        monkeypatch.undo()
        monkeypatch.setenv("GATTN_PLAN", str(user))
        assert (plan_table.tile(), plan_table.gemm_tile(128)) == ((1, 64), (4, 48))  # the user's before the package's


def test_a_changed_plan_gives_the_same_numbers(user: Path) -> None:
    rng = np.random.default_rng(0)
    q, k, v = (Tensor(x, device="CPU") for x in rng.standard_normal((3, 1, 2, 150, 40), dtype=np.float32))

    def call(scale: float) -> list[np.ndarray]:
        o = attention(q, k, v, scale=scale, impl="loops")
        return [x.numpy() for x in (o, *o.square().sum().gradient(q, k, v))]

    given = call(0.15)
    user.write_text(
        plan_table.text([Row(512, "tile", (2, 16)), Row(512, "forward", (4096,), 64), Row(512, "backward", (16,), 64)])
    )
    plan_table.table.cache_clear()
    # kernels are kept by their score function, so a scale that differs by one bit makes new ones
    for x, y in zip(given, call(float(np.nextafter(0.15, 1))), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-5)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    rows = [Row(128, "tile", (1, 16)), Row(512, "backward", (32,), 128, 88.25)]
    path.write_text(plan_table.text(rows))
    found = plan_table.load(path, "package")
    assert [(r.key, r.sizes, r.gflops) for r in found] == [
        ((128, "tile", 0, 0), (1, 16), None), ((512, "backward", 128, 0), (32,), 88.2),
    ]  # fmt: skip


GOOD = '[[row]]\nbits = 512\nstage = "gemm"\nrows = 6\nlanes = 64\n'
MISTAKES = {
    "bits =": "a TOML file with rows of sizes, but it does not read (Invalid value",
    "size = 1": "size: expected only [[row]], got this key",
    "row = 3": "row: expected [[row]] tables, got 3",
    GOOD.replace("512", "64"): "row 1: bits: expected one of 128, 256, 512, got 64",
    GOOD.replace("gemm", "warp"): "row 1: stage: expected one of tile, forward, backward, gemm, got 'warp'",
    GOOD + GOOD.replace("= 6\n", "= 0\n"): "row 2: rows: expected a whole number from 1 to 16, got 0",
    GOOD.replace("lanes = 64", ""): (
        "row 1: lanes: expected a whole number from 16 to 256 in steps of 16, got nothing"
    ),
    GOOD.replace("64", "true"): "lanes: expected a whole number from 16 to 256 in steps of 16, got True",
    GOOD.replace("gemm", "tile"): "row 1: rows: expected one of 1, 2, 4, got 6",
    GOOD + "d = 64": "row 1: d: expected only bits, gflops, lanes, registers, rows, stage in stage gemm, got this key",
    GOOD + "gflops = -1": "row 1: gflops: expected a number above 0, got -1",
    '[[row]]\nbits = 512\nstage = "forward"\npanel_bytes = 2048': (
        "row 1: d: expected a whole number from 1 to 4096, got nothing"
    ),
}


@pytest.mark.parametrize("content", MISTAKES)
def test_every_mistake_names_file_and_key(user: Path, content: str) -> None:
    user.write_text(content)
    with pytest.raises(ConfigError, match=re.escape(MISTAKES[content])) as error:
        plan_table.tile()
    assert str(error.value).startswith(f"plan: {user}: ")
    assert MISTAKES[content] in str(plan_table.report()["error"])


def test_a_folder_in_place_of_the_file_is_said(user: Path) -> None:
    user.mkdir()
    with pytest.raises(ConfigError, match="expected a TOML file with rows of sizes, but it does not read"):
        plan_table.tile()


@pytest.mark.parametrize("folder", ["x" * 5000, "locked"])
def test_a_folder_that_cannot_be_looked_into_is_one_line(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0)
    if folder == "locked" and os.access(locked, os.X_OK):
        pytest.skip("this user may look into every folder")
    monkeypatch.setenv("GATTN_PLAN", str(tmp_path / folder / "plan.toml"))
    plan_table.table.cache_clear()
    with pytest.raises(ConfigError, match="expected a TOML file with rows of sizes, but it does not read") as raised:
        plan_table.tile()
    assert "\n" not in str(raised.value)
    assert plan_table.report()["error"] == str(raised.value)
    locked.chmod(0o700)
    plan_table.table.cache_clear()


def test_an_empty_cache_variable_is_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GATTN_PLAN", raising=False)
    monkeypatch.delenv("CACHEDB", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    for place in (plan_table.user_file(), cache.folder()):
        assert place.is_relative_to(Path.home() / ".cache")


def test_where_the_users_file_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATTN_PLAN", "/here/p.toml")
    assert plan_table.user_file() == Path("/here/p.toml")
    monkeypatch.delenv("GATTN_PLAN")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert plan_table.user_file() == Path("/cache/gattn_tg/plan.toml")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert plan_table.user_file() == Path.home() / ".cache/gattn_tg/plan.toml"


def test_the_report_has_the_rows_of_this_machine(user: Path) -> None:
    user.write_text(GOOD.replace("6", "4", 1) + "gflops = 10")
    report = plan_table.report()
    assert (report["user_file"], report["user_file_exists"], report["error"]) == (str(user), True, "")
    rows = {row["stage"]: row for row in report["rows"]}  # type: ignore[attr-defined]
    assert rows["gemm"] == {"stage": "gemm", "d": 0, "rows": 4, "lanes": 64, "gflops": 10.0, "from": "user"}
    assert rows["forward"]["from"] == "package"


def test_import_reads_no_table() -> None:
    code = "import gattn_tg; from gattn_tg.machine import sizes as p; print(p.table.cache_info().currsize)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"


@pytest.mark.parametrize(("machine", "bits", "name"), [
    ("x86_64", 512, "AVX-512"), ("AMD64", 256, "AVX2"), ("x86_64", 128, "SSE"), ("arm64", 128, "NEON"),
    ("aarch64", 128, "NEON"),
])  # fmt: skip
def test_names_of_vectors(monkeypatch: pytest.MonkeyPatch, machine: str, bits: int, name: str) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr(toolchain, "vector_bits", lambda: bits)
    assert toolchain.vector_name() == name
