"""Everything about attention on one GPU in one run of at most 8 minutes: checks, times, memory, determinism, a table.

    python bench/kernels/gpu.py [--device CUDA] [--impl auto] [--lengths 1024 4096 16384 65536] [--minutes 7.5]

Needs this repository, tinygrad and NumPy. Where PyTorch with CUDA is installed too, its FlexAttention (same table,
captured, compiled), scaled_dot_product_attention with the bias materialised, the same without any bias (the ceiling)
and the card's measured matmul peak stand beside. Every answer is compared with float64 before it is timed; what fails
is printed, and not timed. Cases are taken in order of importance; those that the minutes do not reach are named.
JSON lines go to bench/results/gpu.jsonl, also when the run is cut short.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from tinygrad import Device
from tinygrad.helpers import DEV

from bench.kernels.call import Call
from bench.kernels.gpu_parts import agree, choice, runs, training_step
from bench.record import alternate, summary, write

PASSES = ("forward", "forward+backward")
FLOPS = {"forward": 4.0, "forward+backward": 14.0}  # times h n m d
ALLOWED = {"float32": 1e-4, "bfloat16": 3e-2}  # of the largest true value; bfloat16 has 8 bits
CHECKED_ROWS, CHECKED_BACKWARD = 128, 1024
Line = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="CUDA")
    parser.add_argument("--impl", default="auto")
    parser.add_argument("--lengths", type=int, nargs="+", default=[4096, 1024, 16384, 65536])
    parser.add_argument("--widths", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--dtypes", nargs="+", choices=list(ALLOWED), default=["bfloat16", "float32"])
    parser.add_argument("--heads", type=int, default=8)
    parser.add_argument("--layers", type=int, default=6, help="of the model whose training step is timed; 0: none")
    parser.add_argument("--minutes", type=float, default=7.5)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--no-lines", action="store_true", help="print only")
    a = parser.parse_args()
    ends = time.perf_counter() + 60 * a.minutes
    DEV.value = a.device  # where a tensor without a device goes
    with_torch = a.device.split(":")[0] in ("CUDA", "NV") and _has_cuda_torch()

    def keep(line: Line) -> Line:
        if not a.no_lines:
            write("gpu", {"device": a.device, "arch": Device[a.device].arch or "", **line})
        return line

    lines, missed = [], []
    if with_torch:
        from bench.kernels.gpu_peers import matmul_tflops

        for dtype in a.dtypes:
            found = round(matmul_tflops(dtype), 1)
            print(f"matmul peak {dtype}: {keep({'case': f'matmul {dtype}', 'tflops': found})['tflops']} TFLOP/s")
    first = (a.dtypes[0], a.widths[0], a.lengths[0])
    cases = [(dtype, d, n) for dtype in a.dtypes for d in a.widths for n in a.lengths]
    for dtype, d, n in sorted(cases, key=lambda case: (a.lengths.index(case[2]) > 1, case != first)):
        if time.perf_counter() > ends:
            missed.append(f"{dtype} d{d} n{n}")
            continue
        try:
            lines += measure(Call.draw(a.heads, n, d), dtype, a, with_torch, ends, keep)
        except Exception as error:  # whatever a driver raises: the other cases are still worth their minutes
            keep({"case": f"{dtype} d{d} n{n}", "failed": f"{type(error).__name__}: {error}"[:500]})
            print(f"{dtype} d{d} n{n}: FAILED {type(error).__name__}: {error}", flush=True)
    if a.layers and time.perf_counter() < ends:
        step = keep(training_step(a.device, a.layers, n=min(4096, max(a.lengths)), rounds=a.rounds))
        first_loss, last_loss = step["loss"]
        print(f"{step['case']}: {step['step']['median_ms']:.1f} ms, loss {first_loss:.4f} -> {last_loss:.4f}")
    print(table(lines))
    if missed:
        print("no time for: " + ", ".join(missed))


def measure(
    call: Call, dtype: str, a: argparse.Namespace, with_torch: bool, ends: float, keep: Callable[[Line], Line]
) -> list[Line]:
    """Both passes of one case."""
    _, h, n, d = call.q.shape
    call = call.in_bfloat16() if dtype == "bfloat16" else call
    impl = choice(call, dtype, a.device, a.impl)
    ours, held = runs(call, dtype, a.device, a.impl)
    o, *gradients = (x.float().numpy() for x in ours["forward+backward"]())
    errors = {"o": call.output_error(o, CHECKED_ROWS)}
    if n <= CHECKED_BACKWARD:
        errors |= call.gradient_errors(gradients)
    wrong = {name: error for name, error in errors.items() if not error < ALLOWED[dtype]}
    if wrong:
        raise AssertionError(f"{impl}: {wrong}")
    same = agree(ours["forward+backward"], 20 if n <= 4096 else 3)
    peers = None
    if with_torch:
        from bench.kernels.gpu_peers import Peers

        peers = Peers(call, dtype, with_flex=True)
    found = []
    for what in PASSES:
        runners: dict[str, Callable[[], object]] = {"gattn_tg": ours[what], **(peers.of(what) if peers else {})}
        memory = {}
        if peers:
            from bench.kernels.gpu_peers import peak_megabytes

            runners = {name: run for name, run in runners.items() if name == "gattn_tg" or _works(name, run)}
            memory = {name: round(peak_megabytes(run), 1) for name, run in runners.items() if name != "gattn_tg"}
        times = alternate(runners, a.rounds, seconds=min(10.0, max(1.0, ends - time.perf_counter())))
        medians = {name: float(np.median(taken)) for name, taken in times.items()}
        flops = FLOPS[what] * h * n * n * d
        line = {
            "case": f"b1 h{h} n{n} d{d} {dtype} pair table", "pass": what, "impl": impl,
            "max_relative_error": max(errors.values()), "equal_runs": same, "memory_mb": {"gattn_tg": held, **memory},
            "tflops": {name: round(1e-12 * flops / seconds, 2) for name, seconds in medians.items()},
            "ratio": {name: round(float(np.median(times[name] / times["gattn_tg"])), 3) for name in medians},
            **{name: summary(taken) for name, taken in times.items()},
        }  # fmt: skip
        found.append(keep(line))
        print(f"{line['case']}, {what}, {impl}: " + ", ".join(f"{x} {t * 1e3:.3f} ms" for x, t in medians.items())
              + f"; error {line['max_relative_error']:.1e}, {same} runs equal", flush=True)  # fmt: skip
    return found


def table(lines: Iterable[Line]) -> str:
    """One table: a row per case and pass, TFLOP/s of everyone, ratios of time to ours."""
    names = ("gattn_tg", "flex", "sdpa", "flash")
    heads = "".join(f"{name + ' TF/s':>15}" for name in names)
    rows = [f"{'case':<40}{'pass':<18}{'impl':<7}{heads}{'x flex':>8}{'MB':>9}"]
    for line in lines:
        numbers = "".join(f"{line['tflops'].get(x, '-'):>15}" for x in names)
        ratio, memory = line["ratio"].get("flex", "-"), line["memory_mb"]["gattn_tg"]
        rows.append(f"{line['case']:<40}{line['pass']:<18}{line['impl']:<7}{numbers}{ratio:>8}{memory:>9}")
    return "\n".join(rows)


def _works(name: str, run: Callable[[], object]) -> bool:
    try:
        run()
    except Exception as error:  # a peer that does not serve the case is a result, not the end
        print(f"  {name}: {type(error).__name__}: {str(error).splitlines()[0][:160]}")
        return False
    return True


def _has_cuda_torch() -> bool:
    if importlib.util.find_spec("torch") is None:
        return False
    import torch

    return bool(torch.cuda.is_available())


if __name__ == "__main__":
    main()
