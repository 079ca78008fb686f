"""`gattn bench`: its table, what --tune writes, what it refuses; measurements are made up, no time is asserted."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gattn_tg.cli.computer import bench, speed
from gattn_tg.cli.computer.bench import Speed
from gattn_tg.cli.main import main
from gattn_tg.machine import sizes as plan_table
from gattn_tg.machine import toolchain
from gattn_tg.machine.sizes import Row

Table = dict[tuple[int, str, int], Row]


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A path for the user's file on a machine of 512 bits, and a table that is read anew before and after."""
    path = tmp_path / "made" / "plan.toml"
    monkeypatch.setenv("GATTN_PLAN", str(path))
    monkeypatch.setattr(toolchain, "vector_bits", lambda: 512)
    monkeypatch.setattr(toolchain, "vector_registers", lambda: 32)
    plan_table.table.cache_clear()
    yield path
    plan_table.table.cache_clear()


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Table]:
    """Measurements in which (2, 32), 64 KB at d 32, and (4, 32) are fastest; the tables they were made with."""
    tables: list[Table] = []
    fast = {("tile", 64, (2, 32)): 150.0, ("forward", 32, (65536,)): 120.0, ("gemm", 0, (4, 32)): 102.0}
    fast["gemm", 0, (6, 32)] = 40.0

    def timed(rows: Table, stage: str, d: int, n_threads: int) -> Speed:
        tables.append(rows)
        sizes = rows[512, stage, 0 if stage in ("tile", "gemm") else d, 0].sizes
        if sizes == (128,):
            return Speed(999.0, 1.1)
        return Speed(error="clang: no") if sizes == (4, 16) else Speed(fast.get((stage, d, sizes), 100.0), 1.0)

    monkeypatch.setattr(bench, "timed", timed)
    return tables


def test_the_rows_in_use_are_measured(user: Path, measured: list[Table], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in out[2:]] == ["tile", "forward", "backward", "gemm"]
    assert out[3] == "forward     64  panel_bytes 131072          100.0  in use"
    assert not user.exists()


def test_tuning_writes_what_is_clearly_faster(
    user: Path, measured: list[Table], capsys: pytest.CaptureFixture[str]
) -> None:
    user.parent.mkdir()
    user.write_text(plan_table.text([Row(256, "tile", (4, 16)), Row(512, "gemm", (3, 32))]))
    assert main(["bench", "--tune", "--d", "32,64"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert "tile        64  rows 2 lanes 32             150.0  best" in out
    assert "tile        64  rows 4 lanes 16                 -  clang: no" in out
    assert "backward    64  chunk_rows 128              999.0  wrong results" in out
    assert "gemm            rows 3 lanes 32             100.0  in use, best" in out  # 2 % is noise
    assert out[-1].startswith(f"wrote {user}; ")
    rows = {row.key: (row.sizes, row.gflops) for row in plan_table.load(user, "user")}
    assert rows == {
        (256, "tile", 0, 0): ((4, 16), None), (512, "gemm", 0, 0): ((3, 32), 100.0),
        (512, "tile", 0, 0): ((2, 32), 150.0),
        (512, "forward", 32, 0): ((65536,), 120.0), (512, "forward", 64, 0): ((131072,), 100.0),
        (512, "backward", 32, 0): ((64,), 100.0), (512, "backward", 64, 0): ((64,), 100.0),
    }  # fmt: skip
    tried = [rows[512, "gemm", 0, 0].sizes for rows in measured]
    assert (tried.count((6, 32)), tried.count((6, 64))) == (1, bench.ROUNDS)  # what is hopeless is not tried again
    assert measured[-1][512, "tile", 0, 0].sizes == (2, 32)  # later stages have the winners of earlier ones
    assert [path.name for path in user.parent.iterdir()] == ["plan.toml"]
    plan_table.table.cache_clear()
    assert plan_table.tile() == (2, 32)


def test_only_tiles_that_fit_the_registers_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "vector_bits", lambda: 256)
    monkeypatch.setattr(toolchain, "vector_registers", lambda: 16)
    assert bench.candidates("tile") == [(2, 32), (4, 16), (2, 16)]
    assert bench.candidates("gemm") == [(6, 16), (5, 16), (4, 16), (3, 16), (2, 16)]
    monkeypatch.setattr(toolchain, "vector_bits", lambda: 128)
    assert bench.candidates("tile") == bench.candidates("gemm") == [(2, 16)]


def test_json_is_one_object(user: Path, measured: list[Table], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--tune", "--json", "--threads", "1"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    said = json.loads(out)
    assert (said["vector_bits"], said["threads"], said["wrote"]) == (512, 1, str(user))
    first = {"stage": "tile", "d": 64, "rows": 4, "lanes": 64, "gflops": 100.0, "marks": ["in use"], "note": ""}
    assert said["rows"][0] == first
    assert said["rows"][4]["gflops"] is None


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["bench", *arguments]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    return err


def test_refusals(
    user: Path, measured: list[Table], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "the CPU, but --device CUDA came" in refused(capsys, "--device", "CUDA")
    assert "widths from 8 to 256, as 32,64, got '4'" in refused(capsys, "--d", "4")
    monkeypatch.setenv("GATTN_PLAN", os.devnull)
    assert f"{os.devnull}: expected a plain file, but something else came" in refused(capsys, "--tune")
    user.parent.write_text("")
    monkeypatch.setenv("GATTN_PLAN", str(user))
    assert "a folder that can be written, but it cannot" in refused(capsys, "--tune")
    assert measured == []
    monkeypatch.setattr(bench, "timed", lambda *_: Speed(error="clang: no"))
    assert "expected stage tile to run with the sizes in use, but it ends with clang: no;" in refused(capsys)


def test_a_mistake_in_the_users_file_is_not_overwritten(user: Path, capsys: pytest.CaptureFixture[str]) -> None:
    user.parent.mkdir()
    user.write_text("row = 1")
    assert f"plan: {user}: row: expected [[row]] tables" in refused(capsys, "--tune")
    assert user.read_text() == "row = 1"


def test_a_measurement_reads_its_table_in_a_process_of_its_own() -> None:
    said = bench.timed({(64, "gemm", 0): Row(64, "gemm", (6, 64))}, "gemm", 0, 1)
    assert "row 1: bits: expected one of 128, 256, 512, got 64" in said.error


@pytest.mark.parametrize(("stage", "d"), [("tile", 16), ("backward", 16), ("gemm", 0)])
def test_every_stage_is_measured(
    stage: str, d: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (("HEADS", 2), ("LENGTH", 64), ("SIDE", 64), ("SECONDS", 0.0)):
        monkeypatch.setattr(speed, name, value)
    monkeypatch.setattr("gattn_tg.machine.threads.set_threads", lambda n: None)  # it holds for the whole process
    speed.main(stage, d, 1)
    said = json.loads(capsys.readouterr().out)
    assert said["gflops"] > 0
    assert said["mean"] > 0
