"""Compiled kernels on disk: what is damaged is never used, and a place that cannot be written is no obstacle."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gattn_tg.errors import CacheWarning
from gattn_tg.machine import cache, programs, toolchain
from gattn_tg.machine.cache import Store

ROOT = Path(__file__).resolve().parent.parent.parent
VALUES = {f"kernel {i}": bytes(range(256)) * (i + 1) for i in range(24)}
SUM = (
    "import gattn_tg.ops.linear\nfrom tinygrad import Tensor\n"
    "x = (Tensor([1.0, 2.0, 3.0], device='CPU') * 2 + 1).sum().item()\nassert x == 15.0, x\nprint(x)"
)


def filled(folder: Path) -> Store:
    store = Store(folder)
    for name, value in VALUES.items():
        store.put(name, value)
    return store


def test_what_was_put_is_there_also_for_another_process(tmp_path: Path) -> None:
    assert filled(tmp_path).get("kernel 3") == VALUES["kernel 3"]
    other = Store(tmp_path)
    assert {name: other.get(name) for name in VALUES} == VALUES
    assert other.get("never put") is None


def test_a_flipped_bit_gives_the_value_or_none_and_is_made_good_again(tmp_path: Path) -> None:
    """No error, no other value: also where the bit belongs to the database itself."""
    filled(tmp_path)._close()
    path = tmp_path / cache.NAME
    whole = path.read_bytes()
    rng, n_lost = np.random.default_rng(0), 0
    places = [*range(0, 120, 5), *rng.integers(0, len(whole), 150).tolist()]
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        store = Store(tmp_path)
        for name, value in VALUES.items():
            found = store.get(name)
            assert found in (value, None), (place, name)
            n_lost += found is None
            store.put(name, value)
            assert store.get(name) == value, (place, name)
        store._close()
    assert n_lost > 50


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + b"\xff" * 5000, b"\0" * 8192])
def test_a_file_that_is_no_database_is_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / cache.NAME).write_bytes(content)
    assert filled(tmp_path).get("kernel 3") == VALUES["kernel 3"]


def test_a_value_under_another_name_is_not_taken(tmp_path: Path) -> None:
    store = filled(tmp_path)
    store._do(lambda db: db.execute("UPDATE kept SET name = 'x' WHERE name = 'kernel 3'"))
    assert store.get("x") is None


@pytest.mark.parametrize("place", ["/dev/null/cache", "/proc/none", "relative/cache"])
def test_a_place_that_cannot_be_written_warns_once_and_serves_nothing(place: str) -> None:
    assert cache.refusal(Path(place))
    store = Store(Path(place))
    with pytest.warns(CacheWarning, match="cannot be used") as told:
        found = [store.put("a", 1), store.get("a"), store.put("b", 2)]
    assert found == [None, None, None]
    assert len(told) == 1
    assert not Path("relative").exists()


def test_kernels_run_with_a_damaged_cache_and_without_one(tmp_path: Path) -> None:
    def run(place: Path) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "CACHEDB": str(place / "cache.db"), "PYTHONPATH": str(ROOT), "DEV": "CPU"}
        return subprocess.run([sys.executable, "-c", SUM], env=environment, capture_output=True, text=True, check=False)

    assert run(tmp_path).stdout == "15.0\n"
    path = tmp_path / cache.NAME
    content = bytearray(path.read_bytes())
    assert len(content) > 4096  # something is kept there
    content[4096:] = bytes(byte ^ 0x55 for byte in content[4096:])
    path.write_bytes(content)
    (tmp_path / "cache.db").write_bytes(b"tinygrad's own, damaged")
    done = run(tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "15.0\n", "")
    done = run(Path("/dev/null/none"))
    assert (done.returncode, done.stdout) == (0, "15.0\n")
    assert done.stderr.count("cannot be used") == 1


def test_machine_code_of_another_compiler_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """tinygrad's key of machine code is its source, which is the same for every compiler."""
    monkeypatch.setattr(programs, "store", lambda: Store(tmp_path))
    programs.put("compile_clang_obj", "void f() {}", b"code")
    assert programs.get("compile_clang_obj", "void f() {}") == b"code"
    monkeypatch.setattr(toolchain, "identity", lambda: "another compiler")
    assert programs.get("compile_clang_obj", "void f() {}") is None
