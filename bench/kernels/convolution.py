"""Convolution along long sequences on the CPU beside PyTorch's conv1d: forward alone, and with both gradients.

    python bench/kernels/convolution.py [--threads 1 2] [--shapes 1,131072,5,32,15 ...] [--rounds 15]

A shape is sequences,bases,channels in,channels out,kernel. PyTorch gets its own layout (channels first), ours has
channels last; both add a bias. Values and gradients are compared before anything is timed. One JSON line per shape goes
to bench/results/convolution.jsonl.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from tinygrad import Tensor, TinyJit

from bench.record import REST_SECONDS, alternate, summary, write
from gattn_tg.machine import threads
from gattn_tg.ops.convolution import convolution

# the stem of a track model, and stages of its tower: half the bases each time, more channels
SHAPES = ("1,131072,5,64,15", "4,16384,5,32,15", "4,8192,32,32,5", "4,4096,48,64,5", "2,4096,128,128,5",
          "4,1024,96,128,5")


def measure(shape: tuple[int, ...], rounds: int) -> dict[str, object]:
    """Times of both, after a comparison of everything they compute."""
    b, n, n_in, n_out, kernel = shape
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s).astype(np.float32) for s in ((b, n, n_in), (n_out, n_in, kernel), (n_out,))]
    arrays[1] /= np.sqrt(n_in * kernel)
    cotangent = rng.standard_normal((b, n, n_out)).astype(np.float32)
    x, w, bias, dy = (Tensor(a).realize() for a in (*arrays, cotangent))
    theirs = [torch.from_numpy(a) for a in arrays]
    theirs[0] = theirs[0].transpose(1, 2).contiguous()
    torch_dy = torch.from_numpy(cotangent).transpose(1, 2).contiguous()
    for t in theirs:
        t.requires_grad_()

    @TinyJit
    def forward() -> Tensor:
        return convolution(x, w, bias).realize()

    @TinyJit
    def both() -> list[Tensor]:
        y = convolution(x, w, bias)
        # as in a network: the input of the first layer has no gradient
        results = [y, *(y * dy).sum().gradient(*([x, w, bias] if n_in > 5 else [w, bias]))]
        Tensor.realize(*results)
        return results

    def torch_forward() -> torch.Tensor:
        with torch.no_grad():
            return torch.nn.functional.conv1d(theirs[0], theirs[1], theirs[2], padding=kernel // 2)

    def torch_both() -> list[torch.Tensor]:
        y = torch.nn.functional.conv1d(theirs[0], theirs[1], theirs[2], padding=kernel // 2)
        return [y, *torch.autograd.grad(y, theirs if n_in > 5 else theirs[1:], torch_dy)]

    y, *gradients = torch_both()
    expected = [y.transpose(1, 2), *(gradients if n_in <= 5 else [gradients[0].transpose(1, 2), *gradients[1:]])]
    errors = []
    for ours, true in zip(both(), expected, strict=True):
        true = true.detach().numpy()
        errors.append(float(np.abs(ours.numpy() - true).max() / np.abs(true).max()))
    assert max(errors) < 1e-4, f"results differ: {errors}"
    times = alternate({"forward": forward, "torch_forward": torch_forward, "both": both, "torch_both": torch_both},
                      rounds, seconds=25, rest=REST_SECONDS)
    return {"error": max(errors), **{name: summary(t) for name, t in times.items()},
            "ratio_forward": round(float(np.median(times["torch_forward"]) / np.median(times["forward"])), 3),
            "ratio_both": round(float(np.median(times["torch_both"]) / np.median(times["both"])), 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--shapes", nargs="+", default=SHAPES)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--dry", action="store_true", help="write no line")
    a = parser.parse_args()
    for count in a.threads:
        threads.set_threads(count)
        torch.set_num_threads(count)
        for text in a.shapes:
            line = measure(tuple(int(v) for v in text.split(",")), a.rounds)
            print(f"{count} threads {text:20}: forward {line['forward']['median_ms']:.1f} ms, PyTorch "  # type: ignore[index]
                  f"{line['torch_forward']['median_ms']:.1f} (ratio {line['ratio_forward']}); with gradients "  # type: ignore[index]
                  f"{line['both']['median_ms']:.1f}, PyTorch {line['torch_both']['median_ms']:.1f} "  # type: ignore[index]
                  f"(ratio {line['ratio_both']})", flush=True)
            if not a.dry:
                write("convolution", {"case": text, "threads": count, "torch": torch.__version__, **line})


if __name__ == "__main__":
    main()
