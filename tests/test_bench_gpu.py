"""bench/kernels/gpu.py runs from start to end on whatever is here: checks, times, equality, a step, the table."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_the_script_ends_with_its_table_on_a_cpu():
    sizes = "--device CPU --lengths 32 --widths 16 --dtypes float32 --heads 2 --layers 1 --rounds 1 --no-lines"
    done = subprocess.run(
        [sys.executable, ROOT / "bench" / "kernels" / "gpu.py", *sizes.split()],
        capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "FAILED" not in done.stdout
    assert "20 runs equal" in done.stdout
    assert "training step, 1 layers" in done.stdout
    *_, head, forward, both = done.stdout.splitlines()
    assert head.split()[:4] == ["case", "pass", "impl", "gattn_tg"]
    assert forward.startswith("b1 h2 n32 d16 float32 pair table")
    assert both.split()[7:9] == ["forward+backward", "loops"]
