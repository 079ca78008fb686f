"""How fast one stage runs with the sizes in use, measured in a process of its own: it builds its kernels with them.

    GATTN_PLAN=candidate.toml python -m gattn_tg.cli.computer.speed forward 64 2
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from tinygrad import Tensor, TinyJit

from gattn_tg.cli.output import say_json
from gattn_tg.machine import threads
from gattn_tg.ops.attention.api import attention
from gattn_tg.ops.linear import linear

HEADS, LENGTH = 16, 2048  # attention: every panel size that is tried makes other pieces of these
SIDE = 1024  # of the matrices of a product
WARM, LEAST, SECONDS = 3, 3, 0.8  # calls that compile and record; timed calls at least; timed seconds about


def main(stage: str, d: int, n_threads: int) -> None:
    """Prints one JSON object: the speed of the fastest call in GFLOP/s, and a mean of the results to check them by.

    Args:
        stage: "forward", "backward" (forward and all gradients), "tile" (measured by the same) or "gemm".
        d: Head width; "gemm" does not look at it.
        n_threads: Cores to use.
    """
    threads.set_threads(n_threads)
    Tensor.manual_seed(0)
    flops, run = gemm() if stage == "gemm" else forward(d) if stage == "forward" else backward(d)
    for _ in range(WARM):
        results = run()
    taken: list[float] = []
    while len(taken) < LEAST or sum(taken) < SECONDS:
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    mean = sum(float(x.abs().mean().item()) for x in results)
    say_json({"gflops": flops / min(taken) * 1e-9, "mean": mean})


def heads(d: int, count: int) -> list[Tensor]:
    """Random operands of attention."""
    return [Tensor.randn(1, HEADS, LENGTH, d).realize() for _ in range(count)]


def forward(d: int) -> tuple[float, Callable[[], list[Tensor]]]:
    """Operations, and a call, of o: two products."""
    q, k, v = heads(d, 3)
    return 2 * product(d), jitted(lambda: [attention(q, k, v, impl="loops")])


def backward(d: int) -> tuple[float, Callable[[], list[Tensor]]]:
    """Operations, and a call, of o and three gradients: seven products."""
    q, k, v, do = heads(d, 4)

    def step() -> list[Tensor]:
        o = attention(q, k, v, impl="loops")
        return [o, *o.gradient(q, k, v, gradient=do)]

    return 7 * product(d), jitted(step)


def gemm() -> tuple[float, Callable[[], list[Tensor]]]:
    """Operations, and a call, of one matrix product."""
    x, w = (Tensor.randn(SIDE, SIDE).realize() for _ in range(2))
    return 2.0 * SIDE**3, jitted(lambda: [linear(x, w)])


def product(d: int) -> float:
    """Operations of one of the products of attention."""
    return 2.0 * HEADS * LENGTH * LENGTH * d


def jitted(step: Callable[[], list[Tensor]]) -> Callable[[], list[Tensor]]:
    """The step, recorded once and replayed."""

    def run() -> list[Tensor]:
        results = step()
        Tensor.realize(*results)
        return results

    recorded: Callable[[], list[Tensor]] = TinyJit(run)
    return recorded


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
