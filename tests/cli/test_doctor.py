"""What `gattn doctor` says, from a report made by hand, and its JSON from this machine."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from gattn_tg.cli.computer.doctor import lines, packages, pairs
from gattn_tg.cli.main import main
from gattn_tg.machine.cache import Store


def candidate(name: str, **changes: Any) -> dict[str, Any]:
    return {"name": name, "found": True, "works": True, "is_gpu": True, "reason": "", "arch": "", **changes}


REPORT: dict[str, Any] = {
    "device": {
        "chosen": "CPU",
        "DEV": None,
        "candidates": [
            candidate("CUDA", works=False, reason="no CUDA driver library (libcuda)"),
            candidate("CL", is_gpu=False, arch="cl_khr_" * 20),
            candidate("CPU", is_gpu=False, arch="x86_64,native"),
        ],
    },
    "compiler": {"path": "/usr/bin/clang", "origin": "clang", "version": "clang version 14"},
    "compiler_help": "",
    "cpu": {"machine": "x86_64", "cores": 2, "vector_bits": 512, "vectors": "AVX-512",
            "pairs": {"available": ["amx_bf16", "avx512_bf16"], "used": "amx_bf16"}},
    "cache": {"folder": "/home/a/.cache/tinygrad", "refusal": "", "entries": 12, "bytes": 3 << 20},
    "plan": {
        "user_file": "/home/x/plan.toml",
        "user_file_exists": False,
        "error": "",
        "rows": [
            {"stage": "tile", "d": 0, "rows": 4, "lanes": 64, "gflops": None, "from": "package"},
            {"stage": "forward", "d": 64, "panel_bytes": 131072, "gflops": 131.0, "from": "user"},
        ],
    },
    "versions": {"python": "3.11.7", "gattn_tg": None},
    "extras": [
        {"extra": "cpu", "package": "ziglang", "version": None, "install": 'pip install "gattn_tg[cpu]"'},
        {"extra": "plots", "package": "matplotlib", "version": "3.9", "install": None},
    ],
}


def test_a_package_of_several_extras_is_listed_once_and_those_of_developers_on_one_line() -> None:
    here = [("mpi", "mpich", "5.0"), ("test", "mpich", "5.0"), ("test", "pytest", None), ("torch", "torch", None)]
    shown = packages([{"extra": extra, "package": name, "version": version, "install": "pip"}
                      for extra, name, version in here])
    assert shown == ["optional packages", "  ok  mpich            5.0",
                     "      for changing the code, absent: pytest, torch; see CONTRIBUTING.md"]


def test_the_table() -> None:
    shown = lines(REPORT)
    assert shown[0] == "python 3.11.7  gattn_tg (not installed)"
    assert "  --  CUDA     no CUDA driver library (libcuda)" in shown
    assert "  ok  CL       no GPU behind it: the CPU again, slower" in shown
    assert "  ok  CPU      x86_64,native  <- used" in shown
    assert "CPU: x86_64, 2 cores, vectors of 512 bits (AVX-512)" in shown
    assert "  ok  products of bfloat16: amx_bf16 (avx512_bf16)" in shown
    assert "      tile             rows 4 lanes 64       package" in shown
    assert "      forward   d 64   panel_bytes 131072    user      131 GFLOP/s measured" in shown
    assert "sizes of kernels (user: /home/x/plan.toml; not there, `gattn bench --tune` writes it)" in shown
    assert "  ok  compiler clang version 14 (clang)" in shown
    assert '  --  ziglang          pip install "gattn_tg[cpu]"' in shown
    assert "  ok  matplotlib       3.9" in shown


def test_what_is_missing_is_said_with_the_way_to_get_it() -> None:
    shown = lines({**REPORT, "compiler": None, "compiler_help": 'pip install "gattn_tg[cpu]"', "extras": []})
    assert '  --  compiler none; get one: pip install "gattn_tg[cpu]"' in shown
    assert shown[-1].endswith("pip install -e .")


def test_how_products_of_bfloat16_are_computed() -> None:
    assert pairs({"available": [], "used": None}) == (
        "  --  products of bfloat16: no instructions for them; computed in float32"
    )
    assert pairs({"available": ["avx512_bf16"], "used": None}) == (
        "  --  products of bfloat16: computed in float32 (avx512_bf16)"
    )


def test_a_mistake_in_the_users_sizes_is_shown() -> None:
    shown = lines({**REPORT, "plan": {**REPORT["plan"], "error": "plan: x.toml: row 1"}})
    assert "  --  plan: x.toml: row 1" in shown


def test_json_of_this_machine(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEV", raising=False)
    assert main(["doctor", "--json", "--device", "CPU"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["device"]["chosen"] == "CPU"
    assert "DEV" not in os.environ, "the wish is an argument, not the environment of the process"
    assert {"compiler", "cpu", "plan", "versions", "extras"} <= set(said)


def test_kept_kernels_are_counted_and_thrown_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CACHEDB", str(tmp_path / "cache.db"))
    Store(tmp_path).put("kernel", b"machine code")
    assert main(["cache"]) == 0
    assert "1 entries" in capsys.readouterr().out
    assert main(["cache", "--clear"]) == 0
    assert not (tmp_path / "gattn_tg.db").exists()
    assert main(["cache", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["entries"] == 0


def test_an_old_half_is_forgotten_where_too_much_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gattn_tg.machine.cache.MOST_BYTES", 200_000)
    store = Store(tmp_path)
    for i in range(200):
        store.put(f"kernel {i}", bytes(5000))
    number, size = store.size()
    assert number < 100
    assert size < 500_000
    assert store.get("kernel 199") == bytes(5000)
