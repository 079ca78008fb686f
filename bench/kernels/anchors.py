"""Attention with a window and anchors on the CPU beside the same mask through full attention.

    DEV=CPU python bench/kernels/anchors.py [--lengths 4096 16384] [--windows 512 1024] [--anchors 1024]
        [--heads 4] [--width 32] [--island 64] [--threads 1] [--peers full sdpa flex]

The anchors stand in islands of so many bases, as CpG islands do, evenly spread. Peers, in one process, taking turns:
    full     attention over all keys by the same kernels without window and anchors: what a mask costs in them
    sdpa     PyTorch's scaled_dot_product_attention with the mask in memory, one byte for a pair
    flex     FlexAttention with a block mask, compiled; it has no backward on CPUs, and its error is written down
Every result is checked against float64 before anything is timed. Extra memory is the growth of the peak of a
process of its own in its first call. One JSON line per case goes to bench/results/anchors.jsonl. Ten minutes on one
quiet core.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from tinygrad import Tensor, TinyJit
from torch.nn.attention.flex_attention import create_block_mask, flex_attention
from torch.nn.functional import scaled_dot_product_attention

from bench.kernels.memory import CLEAR, RESET_PEAK, resident
from bench.record import REST_SECONDS, alternate, summary, write
from gattn_tg import attention
from gattn_tg.machine import threads
from gattn_tg.reference.forward import attention as reference

PEERS = ("full", "sdpa", "flex")
FORWARD, BOTH = "forward", "forward+backward"
WARM = 512  # bases of a first call
CHECKED = 256  # rows at the end of the first head that are checked, some of them anchors
Run = Callable[[], object]


@dataclass(frozen=True)
class Call:
    """One sequence: arrays (1, h, n, d), places of anchors (1, a), and bases on either side that a base sees."""

    q: np.ndarray
    k: np.ndarray
    v: np.ndarray
    do: np.ndarray
    anchors: np.ndarray
    window: int

    @classmethod
    def draw(cls, h: int, n: int, d: int, window: int, anchors: int, island: int) -> Call:
        rng = np.random.default_rng(0)
        q, k, v, do = (rng.standard_normal((1, h, n, d), dtype=np.float32) for _ in range(4))
        count = anchors // island
        starts = (np.arange(count) * 2 + 1) * n // (2 * count) - island // 2
        return cls(q, k, v, do, (starts[:, None] + np.arange(island)).reshape(1, -1).astype(np.int32), window)

    @property
    def is_anchor(self) -> np.ndarray:
        """Of every base."""
        found = np.zeros(self.q.shape[2], bool)
        found[self.anchors[0]] = True
        return found


def ours(call: Call, *, has_window: bool) -> tuple[Run, Run]:
    """Forward, and forward with gradients of q, k and v; both captured."""
    q, k, v, do, anchors = (Tensor(x, device="CPU").realize() for x in (call.q, call.k, call.v, call.do, call.anchors))
    options = {"window_size": call.window, "anchors": anchors} if has_window else {}

    @TinyJit
    def forward(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return attention(q, k, v, impl="loops", **options).realize()

    @TinyJit
    def both(q: Tensor, k: Tensor, v: Tensor, do: Tensor) -> list[Tensor]:
        o = attention(q, k, v, impl="loops", **options)
        results = [o, *o.gradient(q, k, v, gradient=do)]
        Tensor.realize(*results)
        return results

    return lambda: forward(q, k, v), lambda: both(q, k, v, do)


def sdpa(call: Call) -> tuple[Run, Run]:
    """PyTorch with the whole mask."""
    q, k, v, do = (torch.from_numpy(x) for x in (call.q, call.k, call.v, call.do))
    places, is_anchor = torch.arange(q.shape[2]), torch.from_numpy(call.is_anchor)
    seen = (places[:, None] - places).abs() <= call.window
    seen |= is_anchor | is_anchor[:, None]
    wanted = [x.clone().requires_grad_() for x in (q, k, v)]

    def forward() -> torch.Tensor:
        with torch.no_grad():
            return scaled_dot_product_attention(q, k, v, attn_mask=seen)

    def both() -> list[torch.Tensor]:
        o = scaled_dot_product_attention(*wanted, attn_mask=seen)
        return [o, *torch.autograd.grad(o, wanted, do)]

    return forward, both


def flex(call: Call) -> Run:
    """FlexAttention, which skips blocks that nobody sees."""
    q, k, v = (torch.from_numpy(x) for x in (call.q, call.k, call.v))
    n, is_anchor = q.shape[2], torch.from_numpy(call.is_anchor)

    def seen(_b: object, _h: object, i: torch.Tensor, j: torch.Tensor) -> torch.Tensor:
        return ((i - j).abs() <= call.window) | is_anchor[i] | is_anchor[j]

    mask = create_block_mask(seen, None, None, n, n, device="cpu")
    compiled = torch.compile(flex_attention, dynamic=False)

    def forward() -> torch.Tensor:
        with torch.no_grad():
            return compiled(q, k, v, block_mask=mask)

    return forward


def error(o: object, call: Call) -> float:
    """Of the last rows of the first head against float64, relative to the largest value."""
    n = call.q.shape[2]
    q, k, v = call.q[:, :1, n - CHECKED :], call.k[:, :1], call.v[:, :1]
    true = reference(q, k, v, window_size=call.window, anchors=call.anchors)
    found = np.asarray(o.numpy() if isinstance(o, Tensor) else o)[:, :1, n - CHECKED :]
    return float(np.abs(found - true).max() / np.abs(true).max())


def extra_mb(name: str, what: str, call: Call) -> float:
    """What the first call of this process adds to its memory, masks and kept intermediates included."""
    runners_of(name, Call.draw(1, WARM, call.q.shape[3], 8, 16, 8))[what]()  # so that only what grows is counted
    before = resident("VmRSS")
    CLEAR.write_text(RESET_PEAK)
    kept = runners_of(name, call)[what]()
    grown = resident("VmHWM") - before
    del kept
    return round(grown, 1)


def runners_of(name: str, call: Call) -> dict[str, Run]:
    """Forward, and forward with gradients, of one of those that are compared."""
    if name == "flex":
        return {FORWARD: flex(call)}
    forward, both = sdpa(call) if name == "sdpa" else ours(call, has_window=name == "gattn_tg")
    return {FORWARD: forward, BOTH: both}


def in_a_process(name: str, what: str, sizes: list[str]) -> float | None:
    """`extra_mb` in a process of its own; None where it failed."""
    command = [sys.executable, __file__, "--one", name, what, *sizes]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return float(done.stdout.splitlines()[-1]) if done.returncode == 0 else None


def measure(sizes: list[str], n_threads: int, rounds: int, chosen: list[str]) -> None:
    """One length and one window."""
    call, said = Call.draw(*map(int, sizes)), {}
    _, h, n, d = call.q.shape
    runners = {name: runners_of(name, call) for name in ("gattn_tg", *chosen)}
    if "flex" in runners:
        try:
            runners["flex"][FORWARD]()
        except Exception as failure:  # whatever its compiler raises is a result of this bench
            said["flex"] = f"{type(failure).__name__}: {str(failure)[:200]}"
            del runners["flex"]
    errors = {name: error(of[FORWARD](), call) for name, of in runners.items() if name != "full"}
    assert max(errors.values()) < 1e-4, errors
    for what in (FORWARD, BOTH):
        times = alternate({name: of[what] for name, of in runners.items() if what in of}, rounds, 90, rest=REST_SECONDS)
        memory = {name: in_a_process(name, what, sizes) for name in times}
        ratios = {name: round(float(np.median(times[name] / times["gattn_tg"])), 3) for name in times}
        del ratios["gattn_tg"]
        write("anchors", {
            "case": f"b1 h{h} n{n} d{d} float32, {call.window} bases on either side, {call.anchors.shape[1]} anchors",
            "pass": what, "threads": n_threads, "device": "CPU", "impl": "loops", "torch": torch.__version__,
            "max_relative_error": max(errors.values()), "ratio": ratios, "extra_MB": memory, "failed": said,
            **{name: summary(taken) for name, taken in times.items()},
        })  # fmt: skip
        mine = float(np.median(times["gattn_tg"]))
        print(f"n {n:6d}, window {call.window}, {what:17s}{mine * 1e3:9.1f} ms; "
              + ", ".join(f"{name} {ratio:.2f} x" for name, ratio in ratios.items())
              + f"; MB {memory} {said or ''}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", type=int, nargs="+", default=[4096, 16384])
    parser.add_argument("--windows", type=int, nargs="+", default=[512, 1024])
    parser.add_argument("--anchors", type=int, default=1024)
    parser.add_argument("--island", type=int, default=64)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one", nargs="+", help=argparse.SUPPRESS)  # who what h n d window anchors island: its memory
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    a = parser.parse_args()
    warnings.filterwarnings("ignore", module="torch")
    if a.one:
        print(extra_mb(*a.one[:2], Call.draw(*map(int, a.one[2:]))))
        return
    threads.set_threads(a.threads)
    torch.set_num_threads(a.threads)
    for n in a.lengths:
        for window in a.windows:
            sizes = [str(x) for x in (a.heads, n, a.width, window, a.anchors, a.island)]
            measure(sizes, a.threads, a.rounds, a.peers)


if __name__ == "__main__":
    main()
