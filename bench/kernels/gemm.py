"""Matrix products of a linear layer on the CPU beside PyTorch (MKL): forward, gradient of x, gradient of W.

    python bench/kernels/gemm.py [--threads 1 2] [--shapes 512,512,512 1024,1024,1024] [--rounds 25]
        [--precision bfloat16]

A shape is tokens,outputs,inputs: y (tokens, outputs) = x W^T. Every run is a jitted step of four equal products, as
in a model; results are checked against float64 before anything is timed. One JSON line per product goes to
bench/results/gemm.jsonl, with GFLOP/s, the ratio to PyTorch and the share of the peak measured in the same process.
In bfloat16 both have operands and results of it, and the peak is still that of float32 multiply-adds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import torch
from tinygrad import Tensor, TinyJit, dtypes
from tinygrad.dtype import DType

from bench.kernels.roofline import multiply_adds
from bench.record import REST_SECONDS, alternate, summary, write
from gattn_tg.kernels.dense.gemm import kernel
from gattn_tg.kernels.dense.gemm_plan import paired, plan
from gattn_tg.kernels.pairs import unit as pair_unit
from gattn_tg.machine import threads
from gattn_tg.ops.launch import Output, launch
from gattn_tg.ops.linear import product, product_tn

SHAPES = ("512,512,512", "1024,1024,1024", "2048,512,512", "4096,256,1024", "4096,1024,256", "8192,256,256")
PRODUCTS = 4  # per run, so that the start of a jitted step counts as little as it does in a model


def forward(x: Tensor, w: Tensor) -> Tensor:
    """x W^T as `linear` launches it, without the copy of a result that nothing else reads."""
    (m, k), n = x.shape, w.shape[0]
    g = plan(m, n, k, lanes="nk", pairs=paired(m, k, "mk") if x.dtype == dtypes.bfloat16 else None)
    return launch(kernel(g), [Output(g.out_shape, x.dtype), Output(g.scratch_shape, dtypes.float32)], [x, w])[0]


def rounded(x: np.ndarray, dtype: DType) -> Tensor:
    """Numbers in a type."""
    return Tensor(x, device="CPU").cast(dtype).contiguous().realize()


def in_type(function: Callable[..., Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """A product whose result has the type of its operands."""
    return lambda a, b: function(a, b, a.dtype)


def jitted(function: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor) -> Callable[[], list[Tensor]]:
    """A step of PRODUCTS equal products."""

    @TinyJit
    def step() -> list[Tensor]:
        results = [function(x, y) for _ in range(PRODUCTS)]
        Tensor.realize(*results)
        return results

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--shapes", nargs="+", default=SHAPES)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    a = parser.parse_args()
    dtype, peer_dtype = getattr(dtypes, a.precision), getattr(torch, a.precision)
    most = 1e-5 if a.precision == "float32" else 2.0**-7
    for n_threads in a.threads:
        threads.set_threads(n_threads)
        torch.set_num_threads(n_threads)
        top = multiply_adds() / 1e9
        for shape in a.shapes:
            m, n, k = map(int, shape.split(","))
            rng = np.random.default_rng(0)
            x, w, dy = (rng.standard_normal(s, dtype=np.float32) for s in ((m, k), (n, k), (m, n)))
            tx, tw, tdy = (rounded(v, dtype) for v in (x, w, dy))
            px, pw, pdy = (torch.from_numpy(v).to(peer_dtype) for v in (x, w, dy))
            x, w, dy = (v.float().numpy() for v in (tx, tw, tdy))
            for name, ours, theirs, true in (
                ("forward", jitted(forward, tx, tw), (px, pw.T), (x, w.T)),
                ("dgrad", jitted(in_type(product), tdy, tw), (pdy, pw), (dy, w)),
                ("wgrad", jitted(in_type(product_tn), tdy, tx), (pdy.T, px), (dy.T, x)),
            ):
                expected = true[0].astype(np.float64) @ true[1]
                error = np.abs(ours()[0].float().numpy() - expected).max() / np.abs(expected).max()
                assert error < most, f"{shape} {name}: relative error {error}"
                out = torch.empty(expected.shape, dtype=peer_dtype)

                def torch_step(out: torch.Tensor = out, theirs: tuple[torch.Tensor, ...] = theirs) -> None:
                    for _ in range(PRODUCTS):
                        torch.mm(*theirs, out=out)

                times = alternate({"gattn_tg": ours, "torch": torch_step}, a.rounds, seconds=10, rest=REST_SECONDS)
                rate = {who: 2e-9 * PRODUCTS * m * n * k / float(np.median(taken)) for who, taken in times.items()}
                ratio = float(np.median(times["torch"] / times["gattn_tg"]))
                write(
                    "gemm",
                    {
                        "case": f"{m}x{n}x{k}", "product": name, "threads": n_threads, "device": "CPU",
                        "precision": a.precision,
                        "pairs": pair_unit.chosen() if a.precision == "bfloat16" else None,
                        "relative_error": float(error), "gflops": {who: round(r, 1) for who, r in rate.items()},
                        "ratio": round(ratio, 3), "peak_gflops": round(top, 1),
                        "of_peak": round(rate["gattn_tg"] / top, 3), "torch": torch.__version__,
                        **{who: summary(taken) for who, taken in times.items()},
                    },
                )
                print(
                    f"{n_threads} threads {m:5d} x {n:4d} x {k:4d} {name:7s} {rate['gattn_tg']:6.1f} GFLOP/s, "
                    f"torch {rate['torch']:6.1f}, ratio {ratio:.2f}, {rate['gattn_tg'] / top:.0%} of peak {top:.0f}"
                )


if __name__ == "__main__":
    main()
