"""Attention with a learned motif table through OpenCL: the kernels of GPU threads beside plain tensor operations.

    python bench/kernels/opencl.py [--device CL] [--lengths 1024] [--heads 4] [--width 64]

Forward, and forward with the gradients of q, k, v and the table; checked against float64 before anything is timed. One
JSON line per length and pass goes to bench/results/opencl.jsonl.
"""

from __future__ import annotations

import argparse

import numpy as np

from bench.kernels.call import Call
from bench.kernels.gpu_parts import runs
from bench.record import alternate, summary, write

IMPLEMENTATIONS = ("simt", "lazy")
ROWS, ALLOWED = 512, 1e-4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="CL")
    parser.add_argument("--lengths", type=int, nargs="+", default=[1024])
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=7)
    a = parser.parse_args()
    for n in a.lengths:
        measure(Call.draw(a.heads, n, a.width), a.device, a.rounds)


def measure(call: Call, device: str, rounds: int) -> None:
    """One length."""
    _, h, n, d = call.q.shape
    made = {impl: runs(call, "float32", device, impl)[0] for impl in IMPLEMENTATIONS}
    worst = 0.0
    for impl, passes in made.items():
        o, *gradients = (x.numpy() for x in passes["forward+backward"]())
        errors = {"o": call.output_error(o, ROWS), **call.gradient_errors(gradients)}
        assert max(errors.values()) < ALLOWED, f"{impl}: {errors}"
        worst = max(worst, *errors.values())
    for what in ("forward", "forward+backward"):
        times = alternate({impl: passes[what] for impl, passes in made.items()}, rounds, seconds=60)
        ratio = float(np.median(times["lazy"] / times["simt"]))
        write("opencl", {
            "case": f"b1 h{h} n{n} d{d} float32 pair table", "pass": what, "device": device,
            "max_relative_error": worst, "ratio": round(ratio, 2),
            **{impl: summary(taken) for impl, taken in times.items()},
        })  # fmt: skip
        print(f"n {n}, {what}: simt {np.median(times['simt']) * 1e3:.1f} ms, lazy {np.median(times['lazy']) * 1e3:.1f} "
              f"ms = {ratio:.2f} x; error {worst:.1e}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
