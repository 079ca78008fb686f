"""Attention with products by distance (`relative=`) on the CPU beside PyTorch with their map in memory.

    DEV=CPU python bench/kernels/relative.py [--lengths 1536 4096] [--heads 8] [--width 64] [--values 192]
        [--threads 1] [--rounds 5] [--dry]

The sizes are those of Enformer (1,536 tokens) and of Borzoi (4,096). Peers, in one process, taking turns:
    eager    scores, shifted products by distance, softmax and values as tensors: what enformer-pytorch computes
    sdpa     scaled_dot_product_attention, the shifted products as its mask
All gradients are taken: of q, k, v and of both factors. Results are checked against float64, and gradients against
those of PyTorch, before anything is timed. Extra memory is the growth of the peak of a process of its own in its first
call. One JSON line per length and pass goes to bench/results/relative.jsonl.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import warnings
from collections.abc import Callable

import numpy as np
import torch
from tinygrad import Tensor, TinyJit
from torch.nn.functional import scaled_dot_product_attention

from bench.kernels.memory import CLEAR, RESET_PEAK, resident
from bench.record import REST_SECONDS, alternate, summary, write
from gattn_tg import attention
from gattn_tg.machine import threads
from gattn_tg.reference.forward import attention as reference

SIDES = ("gattn_tg", "eager", "sdpa")
FORWARD, BOTH = "forward", "forward+backward"
WARM = 256  # tokens of a first call
CHECKED = 128  # rows at the end of the first head that are checked
ALLOWED, ALLOWED_GRADIENT = 1e-5, 1e-4  # of the largest value: float32 sums of n terms, in other orders
Call = tuple[np.ndarray, ...]


def draw(h: int, n: int, d: int, e: int) -> Call:
    """q, k, v, both factors, and the gradient of the output."""
    rng = np.random.default_rng(0)
    shapes = ((1, h, n, d), (1, h, n, d), (1, h, n, e), (1, h, n, d), (h, 2 * n - 1, d), (1, h, n, e))
    return tuple(rng.standard_normal(shape, dtype=np.float32) * (0.3 if i in (3, 4) else 1)
                 for i, shape in enumerate(shapes))  # fmt: skip


def ours(call: Call) -> dict[str, Callable[[], list[Tensor]]]:
    """One kernel each way; both captured."""
    given = [Tensor(x, device="CPU").realize() for x in call]

    @TinyJit
    def forward(q: Tensor, k: Tensor, v: Tensor, of_q: Tensor, of_k: Tensor) -> Tensor:
        return attention(q, k, v, relative=(of_q, of_k), impl="loops").realize()

    @TinyJit
    def both(q: Tensor, k: Tensor, v: Tensor, of_q: Tensor, of_k: Tensor, do: Tensor) -> list[Tensor]:
        o = attention(q, k, v, relative=(of_q, of_k), impl="loops")
        results = [o, *o.gradient(q, k, v, of_q, of_k, gradient=do)]
        Tensor.realize(*results)
        return results

    return {FORWARD: lambda: [forward(*given[:5])], BOTH: lambda: both(*given)}


def peer(name: str, call: Call) -> dict[str, Callable[[], list[torch.Tensor]]]:
    """PyTorch."""
    *wanted, do = (torch.from_numpy(x).requires_grad_() for x in call)

    def of_distance(of_q: torch.Tensor, of_k: torch.Tensor) -> torch.Tensor:
        products = (of_q[0] @ of_k.transpose(1, 2)).contiguous()
        h, n, r = products.shape
        return products.as_strided((1, h, n, n), (h * n * r, n * r, r - 1, 1), n - 1)  # row i begins n - 1 - i later

    def run() -> torch.Tensor:
        q, k, v, of_q, of_k = wanted
        added = of_distance(of_q, of_k)
        if name == "sdpa":
            return scaled_dot_product_attention(q, k, v, attn_mask=added)
        return (q @ k.transpose(2, 3) * q.shape[3] ** -0.5 + added).softmax(-1) @ v

    def forward() -> list[torch.Tensor]:
        with torch.no_grad():
            return [run()]

    def both() -> list[torch.Tensor]:
        o = run()
        return [o.detach(), *torch.autograd.grad(o, wanted, do.detach())]

    return {FORWARD: forward, BOTH: both}


def runners_of(name: str, call: Call) -> dict[str, Callable[[], list]]:  # type: ignore[type-arg]
    """Forward, and forward with gradients, of one side."""
    return dict(ours(call) if name == "gattn_tg" else peer(name, call))


def error(o: np.ndarray, call: Call) -> float:
    """Of the last rows of the first head against float64, relative to the largest value."""
    q, k, v, of_q, of_k, _ = call
    n = q.shape[2]
    first = n - CHECKED  # the last rows alone stand CHECKED - 1 distances from the end
    true = reference(q[:, :1, first:], k[:, :1], v[:, :1],
                     relative=(of_q[:, :1, first:], of_k[:1, : n + CHECKED - 1]))  # fmt: skip
    return float(np.abs(o[:, :1, first:] - true).max() / np.abs(true).max())


def extra_mb(name: str, what: str, sizes: list[int]) -> float:
    """What the first call of this process adds to its memory, kept intermediates included."""
    h, _, d, e = sizes
    runners_of(name, draw(h, WARM, d, e))[what]()  # so that only what grows is counted
    run = runners_of(name, draw(*sizes))[what]
    before = resident("VmRSS")
    CLEAR.write_text(RESET_PEAK)
    kept = run()
    grown = resident("VmHWM") - before
    del kept
    return round(grown, 1)


def in_a_process(name: str, what: str, sizes: list[int]) -> float:
    """`extra_mb` in a process of its own."""
    command = [sys.executable, __file__, "--one", name, what, *map(str, sizes)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def measure(sizes: list[int], n_threads: int, rounds: int, is_dry: bool) -> None:
    """One length."""
    call, (h, n, d, e) = draw(*sizes), sizes
    runners = {name: runners_of(name, call) for name in SIDES}
    found = {name: [np.asarray(x.numpy()) for x in of[BOTH]()] for name, of in runners.items()}
    errors = {name: error(arrays[0], call) for name, arrays in found.items()}
    apart = max(float(np.abs(x - y).max() / np.abs(y).max())
                for x, y in zip(found["gattn_tg"], found["eager"], strict=True))  # fmt: skip
    if not (max(errors.values()) <= ALLOWED and apart <= ALLOWED_GRADIENT):
        raise SystemExit(f"n {n}: errors {errors}, gradients apart by {apart:.1e}")
    for what in (FORWARD, BOTH):
        times = alternate({name: of[what] for name, of in runners.items()}, rounds, 90, rest=REST_SECONDS)
        memory = {name: in_a_process(name, what, sizes) for name in SIDES}
        ratios = {name: round(float(np.median(times[name] / times["gattn_tg"])), 3) for name in SIDES[1:]}
        line = {
            "case": f"b1 h{h} n{n} d{d} e{e} float32, products by distance of width {d}", "n": n, "pass": what,
            "threads": n_threads, "device": "CPU", "impl": "loops", "torch": torch.__version__,
            "max_relative_error": max(errors.values()), "gradients_apart": apart, "ratio": ratios, "extra_MB": memory,
            **{name: summary(taken) for name, taken in times.items()},
        }  # fmt: skip
        if not is_dry:
            write("relative", line)
        print(f"n {n}, {what}: {line['gattn_tg']['median_ms']:.1f} ms, "
              + ", ".join(f"{name} {ratio:.2f} x" for name, ratio in ratios.items())
              + f"; MB {memory}; error {max(errors.values()):.1e}, gradients {apart:.1e}", flush=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", type=int, nargs="+", default=[1536, 4096])
    parser.add_argument("--heads", type=int, default=8)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--values", type=int, default=192)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dry", action="store_true", help="write no line")
    parser.add_argument("--one", nargs="+", help=argparse.SUPPRESS)  # who what h n d e: its memory
    a = parser.parse_args()
    warnings.filterwarnings("ignore", module="torch")
    if a.one:
        print(extra_mb(*a.one[:2], [int(x) for x in a.one[2:]]))
        return
    threads.set_threads(a.threads)
    torch.set_num_threads(a.threads)
    for n in a.lengths:
        measure([a.heads, n, a.width, a.values], a.threads, a.rounds, a.dry)


if __name__ == "__main__":
    main()
