"""What every bench shares: runs that alternate, medians, and one JSON line per measurement."""

from __future__ import annotations

import json
import platform
import subprocess
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

REST_SECONDS = 0.3  # `alternate(rest=)` for runs shorter than a second beside a peer with OpenMP threads
ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"


def choose_device() -> None:
    """Puts tensors where `gattn` puts them: what DEV says, else a GPU that works, else the CPU, and never on an OpenCL
    driver that only plays the part of a GPU.
    """
    from tinygrad.helpers import DEV

    from gattn_tg.front.load import device_of

    if (chosen := device_of(None)) is not None:
        DEV.value = chosen


def alternate(
    runners: Mapping[str, Callable[[], object]], rounds: int, seconds: float = 60.0, warm: int = 2, rest: float = 0.0
) -> dict[str, np.ndarray]:
    """Seconds of every run, the runners taking turns, so that a slow minute of the machine slows all of them.

    Args:
        runners: what to time, by name; each call must return only when its work is done.
        rounds: timed turns of each.
        seconds: after this long no new round starts (at least three are run).
        warm: untimed calls before, which compile and fill caches.
        rest: seconds of silence before every timed run; the OpenMP threads of a peer keep their cores busy for up to
            0.2 s after its work, which would be counted to whoever comes next.
    """
    for run in runners.values():
        for _ in range(warm):
            run()
    times: dict[str, list[float]] = {name: [] for name in runners}
    began = time.perf_counter()
    for turn in range(rounds):
        if turn >= 3 and time.perf_counter() - began > seconds:
            break
        for name, run in runners.items():
            time.sleep(rest)
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    return {name: np.array(taken) for name, taken in times.items()}


def summary(times: np.ndarray) -> dict[str, float]:
    """Median, 10th and 90th percentile in milliseconds."""
    low, middle, high = np.percentile(times * 1e3, [10, 50, 90])
    return {"median_ms": round(middle, 4), "p10_ms": round(low, 4), "p90_ms": round(high, 4), "runs": len(times)}


def lines_of(bench: str) -> list[dict[str, Any]]:
    """What is in the file of results of a bench, oldest first; nothing where there is no file."""
    path = RESULTS / f"{bench}.jsonl"
    return [json.loads(x) for x in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def machine() -> dict[str, Any]:
    """Processor, versions and commit: what a number is worthless without."""
    from gattn_tg.machine import toolchain

    found = toolchain.find()
    cpu = next((line.split(":", 1)[1].strip() for line in _cpuinfo() if line.startswith("model name")), "")
    return {"cpu": cpu or platform.processor() or platform.machine(), "python": platform.python_version(),
            "tinygrad": version("tinygrad"), "numpy": np.__version__,
            "compiler": toolchain.version(found) if found else "",
            "vectors": toolchain.vector_name() if found else "", "commit": _commit()}


def write(bench: str, line: Mapping[str, Any]) -> None:
    """Append one measurement to bench/results/BENCH.jsonl."""
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / f"{bench}.jsonl").open("a", encoding="utf-8") as out:
        out.write(json.dumps({**line, **machine()}, sort_keys=True) + "\n")


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def _commit() -> str:
    done = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True,
                          check=False)
    return done.stdout.strip() or "unknown"
