"""What strengths of motifs in place of ids cost the attention of a CPU: soft `key` and soft `pair` beside `key`.

    python bench/kernels/soft.py [--threads 1 2] [--lengths 1024 2048 4096 8192] [--heads 8] [--width 64] [--motifs 64]

`key` has a table of so many entries and one id per base; the soft kinds have a strength of each of so many motifs at
every base. Gradients are those of q, k, v and the table, and of the strengths for the soft kinds. Outputs and gradients
of a small case are checked against float64 before anything is timed, and runs take turns. One JSON line for each case
goes to bench/results/soft.jsonl. Wanted: 1.15 times the time of `key` forward, and 1.25 times with gradients.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from tinygrad import Tensor, TinyJit

from bench.kernels.call import relative
from bench.record import alternate, summary, write
from gattn_tg import MotifBias, attention
from gattn_tg.machine import threads
from gattn_tg.nn.soft_motifs import folded
from gattn_tg.reference import Bias, attention_backward
from gattn_tg.reference import attention as reference
from gattn_tg.reference.soft import soft_bias, soft_bias_backward

KINDS = ("key", "soft key", "soft pair")
PASSES = ("forward", "forward+backward")
CHECKED, ERROR = 256, 1e-4  # bases that are checked, and how far from float64 the answer may be
Run = Callable[[], list[Tensor]]


def drawn(h: int, n: int, d: int, t: int) -> list[np.ndarray]:
    """q, k, v and do (1, h, n, d), strengths (1, n, t) of which few are large, as of motifs, and ids (1, n)."""
    rng = np.random.default_rng(0)
    normal = rng.standard_normal((4, 1, h, n, d), dtype=np.float32)
    strengths = rng.exponential(0.1, (1, n, t)).astype(np.float32)
    return [*normal, strengths, rng.integers(0, t, (1, n)).astype(np.uint8)]


def table_of(kind: str, t: int) -> np.ndarray:
    """A learned table."""
    shape = (t, t) if kind.endswith("pair") else (t,)
    return 0.1 * np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def runs(kind: str, arrays: list[np.ndarray], table: np.ndarray) -> tuple[Run, Run]:
    """Forward, and forward with all gradients; both jitted."""
    q, k, v, do, strengths, ids = (Tensor(x, device="CPU").realize() for x in arrays)
    entries = Tensor(table, device="CPU").realize()
    learnt = [q, k, v, entries, *([strengths] if kind.startswith("soft") else [])]

    def output() -> Tensor:
        bias = MotifBias(kind.split()[-1], entries, ids)
        if not kind.startswith("soft"):
            return attention(q, k, v, bias, impl="loops")
        wide_q, wide_k, options = folded(q, k, bias, strengths, None)
        return attention(wide_q, wide_k, v, **options, impl="loops")

    @TinyJit
    def forward(_: Tensor) -> list[Tensor]:
        return [output().realize()]

    @TinyJit
    def both(do: Tensor) -> list[Tensor]:
        o = output()
        found = [o, *o.gradient(*learnt, gradient=do)]
        Tensor.realize(*found)
        return found

    return lambda: forward(do), lambda: both(do)


def error(kind: str, arrays: list[np.ndarray], table: np.ndarray) -> float:
    """Largest error of output and gradients against float64, relative to the largest true value of each."""
    q, k, v, do, strengths, ids = arrays
    h, n = q.shape[1:3]
    if kind == "key":
        back = attention_backward(do, q, k, v, Bias.key(table, ids))
        true = [reference(q, k, v, Bias.key(table, ids)), back.dq, back.dk, back.dv, back.dtable]
    else:
        name = kind.split()[-1]
        every = Bias.dense(soft_bias(name, table, strengths, h)[0].reshape(h, n * n), np.arange(n * n).reshape(1, n, n))
        back = attention_backward(do, q, k, v, every)
        of_bias = soft_bias_backward(name, table, strengths, back.dtable.reshape(1, h, n, n))
        true = [reference(q, k, v, every), back.dq, back.dk, back.dv, *of_bias]
    found = [x.numpy() for x in runs(kind, arrays, table)[1]()]
    return max(relative(x, y) for x, y in zip(found, true, strict=True))


def measure(h: int, n: int, d: int, t: int, n_threads: int, rounds: int) -> None:
    """One length on one number of threads."""
    arrays = drawn(h, n, d, t)
    made = {kind: runs(kind, arrays, table_of(kind, t)) for kind in KINDS}
    for i, what in enumerate(PASSES):
        times = alternate({kind: made[kind][i] for kind in KINDS}, rounds, seconds=90, warm=3)
        ratios = {kind: round(float(np.median(times[kind] / times["key"])), 3) for kind in KINDS[1:]}
        write("soft", {"case": f"b1 h{h} n{n} d{d} t{t} float32", "pass": what, "threads": n_threads, "device": "CPU",
                       "impl": "loops", "ratio": ratios, **{kind: summary(times[kind]) for kind in KINDS}})
        taken = np.median(times["key"]) * 1e3
        print(f"n {n:5d}, {n_threads} threads, {what:17s} key {taken:9.1f} ms; {ratios}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--lengths", type=int, nargs="+", default=[1024, 2048, 4096, 8192])
    parser.add_argument("--heads", type=int, default=8)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--motifs", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=9)
    a = parser.parse_args()
    small = drawn(2, CHECKED, a.width, a.motifs)
    for kind in KINDS:
        found = error(kind, small, table_of(kind, a.motifs))
        assert found < ERROR, f"{kind}: {found}"
    for n_threads in a.threads:
        threads.set_threads(n_threads)
        for n in a.lengths:
            measure(a.heads, n, a.width, a.motifs, n_threads, a.rounds)


if __name__ == "__main__":
    main()
