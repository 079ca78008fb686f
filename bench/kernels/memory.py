"""Peak memory of attention beyond its inputs on the CPU, forward and with all gradients, beside PyTorch.

    python bench/kernels/memory.py [--length 16384] [--heads 8] [--width 64] [--long 65536] [--long-heads 2]

Every measurement is a process of its own. Extra memory is the peak of its resident set during the call (results and
kept intermediates included) minus what was resident before; Linux only. The long case runs without a limit and shows
that forward and backward at this length fit and how long they take. Lines go to bench/results/memory.jsonl.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from bench.record import write

MOTIFS = 16
WARM = 512
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"  # proc(5): writing 5 to clear_refs sets the peak to what is resident now


def resident(field: str) -> float:
    """A size of this process in MB: VmRSS now, VmHWM its peak."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024


def measure(who: str, what: str, h: int, n: int, d: int) -> dict[str, float]:
    """Extra megabytes and seconds of one call in this process."""
    make = _tinygrad if who == "gattn_tg" else _torch
    make(what, h, WARM, d)()  # a short call first, so that only what grows with the length is counted
    run = make(what, h, n, d)
    before = resident("VmRSS")
    CLEAR.write_text(RESET_PEAK)
    start = time.perf_counter()
    kept = run()
    seconds = time.perf_counter() - start
    extra = resident("VmHWM") - before
    del kept
    return {"extra_MB": round(extra, 1), "seconds": round(seconds, 2)}


def _tinygrad(what: str, h: int, n: int, d: int):
    import numpy as np
    from tinygrad import Tensor

    from gattn_tg import MotifBias, attention

    rng = np.random.default_rng(0)
    q, k, v, do = (
        Tensor(rng.standard_normal((1, h, n, d), dtype=np.float32), device="CPU").realize() for _ in range(4)
    )
    ids = Tensor(rng.integers(0, MOTIFS, (1, n)).astype(np.uint8), device="CPU").realize()
    table = Tensor(rng.standard_normal((MOTIFS, MOTIFS), dtype=np.float32), device="CPU").realize()

    def run() -> list[Tensor]:
        o = attention(q, k, v, MotifBias.pair(table, ids), impl="loops")
        results = [o]
        if what == "forward+backward":
            results += o.gradient(q, k, v, table, gradient=do)
        Tensor.realize(*results)
        return results

    return run


def _torch(what: str, h: int, n: int, d: int):
    import torch

    torch.manual_seed(0)
    q, k, v, do = torch.randn(4, 1, h, n, d).unbind()
    ids, table = torch.randint(0, MOTIFS, (1, n)), torch.randn(MOTIFS, MOTIFS)
    wanted = [x.requires_grad_(what != "forward") for x in (q, k, v, table)]

    def run() -> list[torch.Tensor]:
        bias = table[ids[:, :, None], ids[:, None, :]][:, None]
        o = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return [o] if what == "forward" else [o, *torch.autograd.grad(o, wanted, do)]

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("length", 16384), ("heads", 8), ("width", 64), ("long", 65536), ("long-heads", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--who", nargs="+", default=["gattn_tg", "sdpa"])
    parser.add_argument("--one", nargs=5, help=argparse.SUPPRESS)  # who what h n d: one measurement in this process
    a = parser.parse_args()
    if a.one:
        who, what, *sizes = a.one
        print(json.dumps(measure(who, what, *map(int, sizes))))
        return
    cases = [(who, what, a.heads, a.length) for what in ("forward", "forward+backward") for who in a.who]
    if a.long:
        cases.append(("gattn_tg", "forward+backward", a.long_heads, a.long))
    for who, what, h, n in cases:
        command = [sys.executable, __file__, "--one", who, what, str(h), str(n), str(a.width)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        case = f"b1 h{h} n{n} d{a.width} float32 pair table"
        if done.returncode:
            # a negative code is the signal that ended it: 9 when the machine has run out of memory
            found = {"failed": (done.stderr.strip().splitlines() or [f"ended with code {done.returncode}"])[-1]}
        else:
            found = json.loads(done.stdout.splitlines()[-1])
        write("memory", {"case": case, "pass": what, "who": who, "device": "CPU", **found})
        print(f"{case}, {what}, {who}: {found}", flush=True)


if __name__ == "__main__":
    main()
