"""One row of queries per head against a cache of keys, as in generation, beside PyTorch SDPA.

    python bench/kernels/decode.py [--threads 1 2] [--batch 1 8] [--heads 8] [--keys 16384] [--width 64]
                                   [--precision bfloat16]

The result is checked against float64 before anything is timed. Reading the cache is what takes the time, so the line
has gigabytes per second. SDPA reads a cache of the same precision. One JSON line per case goes to
bench/results/decode.jsonl.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from tinygrad import Tensor, TinyJit
from torch.nn.functional import scaled_dot_product_attention

from bench.record import REST_SECONDS, alternate, summary, write
from gattn_tg import attention
from gattn_tg.machine import threads
from gattn_tg.reference import attention as reference

ALLOWED = {"float32": 1e-5, "bfloat16": 2.0**-7}


def measure(b: int, h: int, m: int, d: int, n_threads: int, rounds: int, precision: str) -> None:
    """One size on one number of threads."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((b, h, n, d), dtype=np.float32) for n in (1, m, m)]
    given = [Tensor(x, device="CPU").cast(precision).contiguous().realize() for x in arrays]
    peer_given = [torch.from_numpy(x).to(getattr(torch, precision)) for x in arrays]
    arrays = [x.float().numpy() for x in given]
    step = TinyJit(lambda q, k, v: attention(q, k, v, impl="loops").realize())

    def peer() -> torch.Tensor:
        with torch.no_grad():
            return scaled_dot_product_attention(*peer_given)

    true = reference(*(x[:1] for x in arrays))
    error = float(np.abs(step(*given).float().numpy()[:1] - true).max() / np.abs(true).max())
    assert error < ALLOWED[precision], f"{b} x {h} x {m}: relative error {error}"
    times = alternate({"gattn_tg": lambda: step(*given), "sdpa": peer}, rounds, warm=3, rest=REST_SECONDS)
    ratio = float(np.median(times["sdpa"] / times["gattn_tg"]))
    speed = 2e-9 * arrays[1].size * given[1].dtype.itemsize / float(np.median(times["gattn_tg"]))
    write(
        "decode",
        {
            "case": f"b{b} h{h} n1 m{m} d{d} {precision}", "threads": n_threads, "device": "CPU", "impl": "loops",
            "relative_error": error, "ratio": round(ratio, 3), "gigabytes_per_second": round(speed, 1),
            "torch": torch.__version__, **{name: summary(taken) for name, taken in times.items()},
        },
    )  # fmt: skip
    print(
        f"batch {b}, {h} heads, {m} keys, {precision}, {n_threads} threads: "
        f"{np.median(times['gattn_tg']) * 1e3:.2f} ms ({speed:.1f} GB/s), "
        f"SDPA {np.median(times['sdpa']) * 1e3:.2f} ms, ratio {ratio:.2f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8])
    for name, default in (("heads", 8), ("keys", 16384), ("width", 64), ("rounds", 15)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--precision", choices=ALLOWED, default="float32")
    a = parser.parse_args()
    for n_threads in a.threads:
        threads.set_threads(n_threads)
        torch.set_num_threads(n_threads)
        for b in a.batch:
            measure(b, a.heads, a.keys, a.width, n_threads, a.rounds, a.precision)


if __name__ == "__main__":
    main()
