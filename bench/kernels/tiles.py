"""Kernels by the tile that stays in the registers: matrix products, a convolution, attention both ways.

    DEV=CPU python bench/kernels/tiles.py [--gemm 3x32 5x16 ...] [--tile 2x32 4x16 ...] [--threads 1] [--rounds 3]

Every tile is in processes of its own, which take turns; a speed is the best of all runs. Without --gemm and --tile it
tries those of `gattn bench --tune`, and those in use. One JSON line for each case and tile goes to
bench/results/tiles.jsonl.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("DEV", "CPU")

import numpy as np
from tinygrad import Tensor

from bench.record import write
from gattn_tg import attention
from gattn_tg.cli.computer.bench import candidates
from gattn_tg.machine import sizes, threads, toolchain
from gattn_tg.machine.recorded import recorded
from gattn_tg.ops.convolution import convolution
from gattn_tg.ops.linear import linear

RUNS = 15
PRODUCTS = ((1024, 1024, 1024), (4096, 256, 256), (4800, 256, 1024))
HEADS = ((1024, 64), (1024, 32), (512, 16))
BATCH, BASES, CHANNELS, KERNEL = 8, 2048, 64, 15


def best(flops: float, function: Callable[..., Tensor | list[Tensor]], *shapes: tuple[int, ...]) -> float:
    """GFLOP/s of the fastest of some runs."""
    rng = np.random.default_rng(0)
    given = [Tensor(rng.standard_normal(shape, dtype=np.float32)).realize() for shape in shapes]

    def realized(*operands: Tensor) -> Tensor | list[Tensor]:
        made = function(*operands)
        Tensor.realize(*(made if isinstance(made, list) else [made]))
        return made

    captured = recorded(realized, given)
    times = []
    for _ in range(2 + RUNS):
        start = time.perf_counter()
        captured(*given)
        times.append(time.perf_counter() - start)
    return flops / min(times[2:]) * 1e-9


def both_ways(q: Tensor, k: Tensor, v: Tensor, do: Tensor) -> list[Tensor]:
    """Attention and its gradients."""
    o = attention(q, k, v, impl="loops")
    return [o, *o.gradient(q, k, v, gradient=do)]


def one(stage: str) -> dict[str, float]:
    """GFLOP/s of every case of a stage in this process."""
    if stage == "gemm":
        found = {f"product {m} x {n} x {k}": best(2.0 * m * n * k, linear, (m, k), (n, k)) for m, n, k in PRODUCTS}
        flops = 2.0 * BATCH * BASES * CHANNELS * CHANNELS * KERNEL
        shapes = (BATCH, BASES, CHANNELS), (CHANNELS, CHANNELS, KERNEL)
        return found | {f"convolution {KERNEL} wide, {CHANNELS} to {CHANNELS}": best(flops, convolution, *shapes)}
    found = {}
    for n, d in HEADS:
        shape, flops = (1, 8, n, d), 2.0 * 8 * n * n * d
        found[f"attention n {n}, d {d}"] = best(2 * flops, lambda *x: attention(*x, impl="loops"), *[shape] * 3)
        found[f"attention n {n}, d {d}, with gradients"] = best(7 * flops, both_ways, *[shape] * 4)
    return found


def measured(stage: str, tile: tuple[int, ...]) -> dict[str, float]:
    """The cases of a stage with a tile, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder) / "plan.toml"
        plan.write_text(sizes.text([sizes.Row(toolchain.vector_bits(), stage, tile)]), encoding="utf-8")
        done = subprocess.run([sys.executable, *sys.argv, "--one", stage], check=True, capture_output=True, text=True,
                              env={**os.environ, "GATTN_PLAN": str(plan)})
    return dict(json.loads(done.stdout.splitlines()[-1]))


def pair(text: str) -> tuple[int, ...]:
    rows, lanes = text.split("x")
    return int(rows), int(lanes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for stage in ("gemm", "tile"):
        parser.add_argument(f"--{stage}", type=pair, nargs="*", metavar="ROWSxLANES")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.one:
        threads.set_threads(a.threads)
        print(json.dumps(one(a.one)))
        return
    for stage in ("gemm", "tile"):
        used = sizes.row(stage).sizes
        asked = vars(a)[stage]
        tiles = list(dict.fromkeys([used, *candidates(stage)] if asked is None else asked))
        rounds = [{tile: measured(stage, tile) for tile in tiles} for _ in range(a.rounds)]
        for case in rounds[0][tiles[0]] if tiles else ():
            for tile in tiles:
                speed = round(max(x[tile][case] for x in rounds), 1)
                line = {"stage": stage, "case": case, "rows": tile[0], "lanes": tile[1], "in_use": tile == used,
                        "bits": toolchain.vector_bits(), "registers": toolchain.vector_registers(),
                        "threads": a.threads, "gflops": speed}
                assert math.isfinite(speed)
                write("tiles", line)
                print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
