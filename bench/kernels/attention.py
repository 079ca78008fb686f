"""Attention with a learned motif table on the CPU beside PyTorch: forward, and forward with all gradients.

    python bench/kernels/attention.py [--threads 1 2] [--lengths 1024 2048 4096 8192] [--heads 8] [--width 64]
        [--precision bfloat16]

Peers, in one process, taking turns, on the same number of threads:
    eager    softmax(q k^T * scale + T[ids]) v, as the seed module of the project writes it
    sdpa     scaled_dot_product_attention; forward with the bias materialised beforehand, backward through T[ids]
    folded   scaled_dot_product_attention on q' = [scale q, E T], k' = [k, E] with one-hot E: no bias in memory
    flex     FlexAttention, compiled, table captured by its score function; it has no backward on CPUs
In bfloat16 all of them take q, k, v and the gradient of o in it, and one more peer is gattn_tg itself in float32.
Every result is checked against float64 before anything is timed. One JSON line per case goes to
bench/results/attention.jsonl.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from tinygrad import Tensor, TinyJit, dtypes
from torch.nn.attention.flex_attention import flex_attention
from torch.nn.functional import one_hot, scaled_dot_product_attention

from bench.kernels.call import MOTIFS, Call
from bench.record import REST_SECONDS, alternate, summary, write
from gattn_tg import MotifBias, attention
from gattn_tg.machine import threads
from gattn_tg.reference import Bias
from gattn_tg.reference import attention as reference
from gattn_tg.reference import attention_backward as reference_backward

CHECKED = 512  # rows of the first head that are checked: float64 scores of all of them would not fit into memory
CHECKED_BACKWARD = 2048  # longest case whose gradients are checked
PEERS = ("eager", "sdpa", "folded", "flex")
FACTORS = ("q", "k", "v", "do")
MOST_APART = {"float32": 1e-4, "bfloat16": 5e-2}  # largest relative error
Run = Callable[[], object]


def ours(call: Call, precision: str) -> tuple[Run, Run]:
    """Forward, and forward with gradients of q, k, v and the table; both jitted."""
    q, k, v, do, ids, table = (Tensor(x, device="CPU").realize() for x in vars(call).values())
    q, k, v, do = (x.cast(getattr(dtypes, precision)).contiguous().realize() for x in (q, k, v, do))

    @TinyJit
    def forward(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return attention(q, k, v, MotifBias.pair(table, ids), impl="loops").realize()

    @TinyJit
    def both(q: Tensor, k: Tensor, v: Tensor, do: Tensor) -> list[Tensor]:
        o = attention(q, k, v, MotifBias.pair(table, ids), impl="loops")
        results = [o, *o.gradient(q, k, v, table, gradient=do)]
        Tensor.realize(*results)
        return results

    return lambda: forward(q, k, v), lambda: both(q, k, v, do)


def in_precision(call: Call, precision: str) -> Call:
    """The same call with numbers that a type can hold."""
    if precision == "float32":
        return call
    rounded = {name: Tensor(getattr(call, name), device="CPU").cast(precision).float().numpy() for name in FACTORS}
    return replace(call, **rounded)


def peers(call: Call, with_flex: bool, precision: str) -> tuple[dict[str, Run], dict[str, Run]]:
    """PyTorch's ways of the same: forward, and forward with gradients."""
    q, k, v, do, table = (torch.from_numpy(getattr(call, x)) for x in ("q", "k", "v", "do", "table"))
    q, k, v, do = (x.to(getattr(torch, precision)) for x in (q, k, v, do))
    wanted = [x.requires_grad_() for x in (q, k, v, table)]
    ids = torch.from_numpy(call.ids.astype(np.int64))
    scale = q.shape[-1] ** -0.5
    hot = one_hot(ids, MOTIFS).to(q.dtype)[:, None].expand(-1, q.shape[1], -1, -1)

    def bias() -> torch.Tensor:
        return table[ids[:, :, None], ids[:, None, :]][:, None].to(q.dtype)

    def eager() -> torch.Tensor:
        return torch.softmax(q @ k.transpose(-1, -2) * scale + bias(), -1) @ v

    def sdpa() -> torch.Tensor:
        return scaled_dot_product_attention(q, k, v, attn_mask=bias())

    def folded() -> torch.Tensor:
        wide_q, wide_k = torch.cat([q * scale, hot @ table.to(q.dtype)], -1), torch.cat([k, hot], -1)
        return scaled_dot_product_attention(wide_q, wide_k, v, scale=1.0)

    def without_gradients(function: Callable[[], torch.Tensor]) -> Run:
        def run() -> torch.Tensor:
            with torch.no_grad():
                return function()

        return run

    def with_gradients(function: Callable[[], torch.Tensor]) -> Run:
        def run() -> list[torch.Tensor]:
            o = function()
            return [o, *torch.autograd.grad(o, wanted, do)]

        return run

    made = bias().detach().contiguous()
    forward = {
        "eager": eager,
        "sdpa": lambda: scaled_dot_product_attention(q, k, v, attn_mask=made),
        "folded": folded,
    }
    if with_flex:
        row, entries = ids[0], table.detach()  # it refuses whatever wants a gradient on a CPU

        def score(s: torch.Tensor, _b: object, _h: object, i: torch.Tensor, j: torch.Tensor) -> torch.Tensor:
            return s + entries[row[i], row[j]]

        compiled = torch.compile(flex_attention, dynamic=False)
        detached = [x.detach() for x in (q, k, v)]
        forward["flex"] = lambda: compiled(*detached, score_mod=score)
    backward = {"eager": eager, "sdpa": sdpa, "folded": folded}
    return (
        {name: without_gradients(f) for name, f in forward.items()},
        {name: with_gradients(f) for name, f in backward.items()},
    )


def check(call: Call, forward: dict[str, Run], both: dict[str, Run], most: float) -> dict[str, float]:
    """Largest error against float64, relative to the largest true value; fails above `most`."""
    n = call.q.shape[2]
    last = slice(max(0, n - CHECKED), n)
    q, k, v = call.q[:, :1, last], call.k[:, :1], call.v[:, :1]
    true = reference(q, k, v, Bias.pair(call.table, call.ids[:, last], call.ids))
    errors = {name: _error(run(), true, last) for name, run in forward.items()}
    if n <= CHECKED_BACKWARD:
        bias = Bias.pair(call.table, call.ids)
        of = reference_backward(call.do, call.q, call.k, call.v, bias)
        for name, run in both.items():
            found = [_array(x) for x in run()[1:]]
            for what, x, y in zip(("dq", "dk", "dv", "dtable"), found, (of.dq, of.dk, of.dv, of.dtable), strict=True):
                errors[f"{name} {what}"] = float(np.abs(x - y).max() / np.abs(y).max())
    wrong = {name: error for name, error in errors.items() if not error < most}
    assert not wrong, f"n={n}: {wrong}"
    return errors


def _error(o: object, true: np.ndarray, rows: slice) -> float:
    found = _array(o)[:, :1, rows]
    return float(np.abs(found - true).max() / np.abs(true).max())


def _array(x: object) -> np.ndarray:
    return np.asarray(x.float().numpy() if isinstance(x, Tensor) else x.detach().float())


def measure(h: int, n: int, d: int, n_threads: int, rounds: int, chosen: list[str], precision: str) -> None:
    """One length on one number of threads."""
    call = in_precision(Call.draw(h, n, d), precision)
    mine, mine_both = ours(call, precision)
    every = peers(call, "flex" in chosen, precision)
    forward, both = ({x: run for x, run in runs.items() if x in chosen} for runs in every)
    if precision != "float32":
        forward["gattn_tg float32"], both["gattn_tg float32"] = ours(call, "float32")
    # scores of the peers are bfloat16 in memory: their errors decide the bound
    most = MOST_APART[precision]
    errors = check(call, {"gattn_tg": mine, **forward}, {"gattn_tg": mine_both, **both}, most)
    flops = 4.0 * h * n * n * d
    for what, runs, count in (
        ("forward", {"gattn_tg": mine, **forward}, flops),
        ("forward+backward", {"gattn_tg": mine_both, **both}, 3.5 * flops),
    ):
        times = alternate(runs, rounds, seconds=90, rest=REST_SECONDS)
        medians = {name: float(np.median(taken)) for name, taken in times.items()}
        ratios = {name: float(np.median(times[name] / times["gattn_tg"])) for name in times if name != "gattn_tg"}
        write(
            "attention",
            {
                "case": f"b1 h{h} n{n} d{d} {precision} pair table", "pass": what, "threads": n_threads,
                "device": "CPU", "impl": "loops", "torch": torch.__version__,
                "max_relative_error": max(errors.values()),
                "gflops": round(1e-9 * count / medians["gattn_tg"], 1),
                "ratio": {name: round(ratio, 3) for name, ratio in ratios.items()},
                "ratio_to_best": round(min(ratios.values()), 3),
                **{name: summary(taken) for name, taken in times.items()},
            },
        )  # fmt: skip
        print(
            f"n {n:5d}, {n_threads} threads, {what:17s}{medians['gattn_tg'] * 1e3:9.1f} ms "
            f"({1e-9 * count / medians['gattn_tg']:5.0f} GFLOP/s); "
            + ", ".join(f"{name} {medians[name] * 1e3:.1f} ms = {ratios[name]:.2f} x" for name in ratios),
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--lengths", type=int, nargs="+", default=[1024, 2048, 4096, 8192])
    parser.add_argument("--heads", type=int, default=8)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--precision", choices=list(MOST_APART), default="float32")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=PEERS, help="flex takes 20 s to compile per case")
    a = parser.parse_args()
    warnings.filterwarnings("ignore", module="torch")
    for n_threads in a.threads:
        threads.set_threads(n_threads)
        torch.set_num_threads(n_threads)
        for n in a.lengths:
            measure(a.heads, n, a.width, n_threads, a.rounds, a.peers, a.precision)


if __name__ == "__main__":
    main()
