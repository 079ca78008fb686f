"""tinygrad's own kernels on a CPU with its rules for unrolling, and with ours (`gattn_tg.machine.unrolling`).

    python bench/kernels/unrolling.py [--sizes 4096 65536 1048576] [--rounds 15]

Seconds of processor time to lower a kernel, and time of a run, the two in turns; the results are compared first. One
JSON line per kernel and size goes to bench/results/unrolling.jsonl.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from tinygrad import Tensor, TinyJit, codegen
from tinygrad.codegen.opt import heuristic
from tinygrad.helpers import DEV, Context

from bench.record import alternate, summary, write
from gattn_tg.machine import cpu, unrolling

WIDTH, REPEATS, ALLOWED = 64, 10, 1e-4
RULES = {"theirs": unrolling.tinygrads, "ours": unrolling.optimized}
Operation = Callable[..., Tensor]
KERNELS: dict[str, tuple[int, Operation]] = {  # how many operands of (n / WIDTH, WIDTH), and what is done with them
    "add": (2, lambda x, y: x + y),
    "gelu": (1, lambda x: x.gelu()),
    "adam": (3, lambda x, y, z: x - 1e-3 * (0.9 * y + 0.1 * x) / ((0.99 * z * z + 0.01 * x * x).sqrt() + 1e-8)),
    "transposed": (1, lambda x: x.T.contiguous()),
    "joined": (2, lambda x, y: x.cat(y, dim=1)),
    "shifted": (1, lambda x: x[1:].pad(((0, 1), None)) * x),
    "halves": (1, lambda x: x.half().float() * 2),
    "rows": (1, lambda x: x.sum(1)),
    "columns": (1, lambda x: x.sum(0)),
    "all": (1, lambda x: x.square().sum()),
    "softmax": (1, lambda x: x.softmax(1)),
    "product": (2, lambda x, y: x @ y[:WIDTH].T),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[4096, 65536, 1048576])
    parser.add_argument("--kernels", nargs="+", choices=KERNELS, default=list(KERNELS))
    parser.add_argument("--rounds", type=int, default=15)
    a = parser.parse_args()
    DEV.value = "CPU"
    cpu.install()
    with Context(CACHELEVEL=0):  # everything is lowered here
        for name in a.kernels:
            for n in a.sizes:
                measure(name, n, a.rounds)


def measure(name: str, n: int, rounds: int) -> None:
    """One kernel of one size."""
    operands, operation = KERNELS[name]
    rng = np.random.default_rng(0)
    xs = [Tensor(rng.standard_normal((n // WIDTH, WIDTH)).astype(np.float32)).realize() for _ in range(operands)]
    lowering, runs, results = {}, {}, {}
    for rule, optimized in RULES.items():
        heuristic.hand_coded_optimizations = optimized
        codegen.to_program_cache.clear()
        run = TinyJit(lambda *xs: operation(*xs).realize())
        began = time.process_time()
        run(*xs)
        lowering[rule] = time.process_time() - began
        results[rule] = run(*xs).numpy()
        run(*xs)
        runs[rule] = lambda run=run: [run(*xs) for _ in range(REPEATS)]
    error = float(np.abs(results["ours"] - results["theirs"]).max() / np.abs(results["theirs"]).max())
    assert error < ALLOWED, f"{name}: {error}"
    times = {rule: taken / REPEATS for rule, taken in alternate(runs, rounds, seconds=30).items()}
    ratio = float(np.median(times["theirs"]) / np.median(times["ours"]))
    write("unrolling", {
        "kernel": name, "elements": n, "threads": cpu.cores(), "ratio": round(ratio, 2), "max_error": error,
        "lowering_s": {rule: round(x, 3) for rule, x in lowering.items()},
        **{rule: summary(taken) for rule, taken in times.items()},
    })  # fmt: skip
    print(f"{name} {n}: lowered in {lowering['theirs']:.2f} s, ours {lowering['ours']:.2f} s; run in "
          f"{np.median(times['theirs']) * 1e6:.0f} us, ours {np.median(times['ours']) * 1e6:.0f} us = {ratio:.2f} x",
          flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
