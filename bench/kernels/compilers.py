"""The same kernels by two C compilers: attention by the width of its heads, and a training step.

    DEV=CPU python bench/kernels/compilers.py [--widths 16 32 ...] [--heads 4 8] [--length 1024] [--threads 1]
        [--rounds 3]

The compilers are that of `ziglang` and the newest clang of the PATH. Each is in processes of its own, which take turns;
a time is the least of all runs. Attention is forward, 4 heads; the step is that of a classifier of 6 layers of width
256, pair table, two sequences, with so many --heads. One JSON line for each case goes to
bench/results/compilers.jsonl.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("DEV", "CPU")

import numpy as np
from tinygrad import Tensor
from tinygrad.helpers import Context
from tinygrad.nn.state import get_state_dict

from bench.record import write
from gattn_tg import attention
from gattn_tg.machine import threads, toolchain
from gattn_tg.machine.recorded import recorded
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.ops.cross_entropy import cross_entropy
from gattn_tg.training.loop.step import Step
from gattn_tg.training.settings import TrainSettings

WIDTHS = [16, 24, 32, 40, 48, 64, 66, 80, 96, 128]
HEADS = 4
RUNS = 9


def least(run: Callable[[], object]) -> float:
    """Milliseconds of the fastest of some runs, after two that compile and capture."""
    times = []
    for _ in range(2 + RUNS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times[2:])


def attended(d: int, n: int) -> Callable[[], object]:
    """Attention forward."""
    rng = np.random.default_rng(0)
    q, k, v = (Tensor(rng.standard_normal((1, HEADS, n, d), dtype=np.float32)).realize() for _ in range(3))
    captured = recorded(lambda *given: attention(*given, impl="loops").realize(), [q, k, v])
    return lambda: captured(q, k, v)


def stepped(heads: int, n: int) -> Callable[[], object]:
    """One training step."""
    model = SequenceClassifier(ClassifierConfig(n_classes=2, width=256, n_layers=6, n_heads=heads, motif="pair",
                                                mlp_ratio=4, stem_kernel=0, dropout=0.0))
    rng = np.random.default_rng(0)
    arrays = {"bases": rng.integers(0, 4, (2, n)).astype(np.uint8), "ids": rng.integers(0, 16, (2, n)).astype(np.uint8),
              "lengths": np.full(2, n, np.int32), "labels": np.arange(2, dtype=np.int32)}  # fmt: skip
    inputs = {name: Tensor(x).realize() for name, x in arrays.items()}
    step = Step(lambda x: cross_entropy(model(x["bases"], x["ids"], x["lengths"]), x["labels"]), get_state_dict(model),
                TrainSettings(batch_size=2))

    def run() -> None:
        with Context(TRAINING=1):
            step([inputs], 1e-3)

    return run


def one(a: argparse.Namespace) -> dict[str, float]:
    """Milliseconds of every case in this process."""
    threads.set_threads(a.threads)
    found = {f"attention, heads of {d}": least(attended(d, a.length)) for d in a.widths}
    return found | {f"training step, heads of {256 // h}": least(stepped(h, a.length)) for h in a.heads}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", type=int, nargs="+", default=WIDTHS)
    parser.add_argument("--heads", type=int, nargs="*", default=[4, 8], help="of the training steps")
    parser.add_argument("--length", type=int, default=1024)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.one:
        print(json.dumps(one(a)))
        return
    zig, path = toolchain.zig(), toolchain.on_path(os.environ.get("PATH"))
    if zig is None or path is None:
        print("skipped: two compilers are needed, ziglang and a clang of the PATH")
        return
    chosen = {"ziglang": {"CC": str(toolchain.ZIGCC), "GATTN_ZIG": zig}, "clang": {"CC": path.path}}
    names = {who: toolchain.version(toolchain.Compiler(set_["CC"], who)) for who, set_ in chosen.items()}
    times: dict[str, list[dict[str, float]]] = {who: [] for who in chosen}
    for _ in range(a.rounds):
        for who, more in chosen.items():
            done = subprocess.run([sys.executable, *sys.argv, "--one"], env={**os.environ, **more}, check=True,
                                  capture_output=True, text=True, cwd=Path.cwd())
            times[who].append(json.loads(done.stdout.splitlines()[-1]))
    for case in times["clang"][0]:
        ms = {who: round(min(x[case] for x in rounds), 2) for who, rounds in times.items()}
        line = {"case": case, "length": a.length, "threads": a.threads, "compilers": names, **ms,
                "ratio": round(ms["clang"] / ms["ziglang"], 3)}
        write("compilers", line)
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
