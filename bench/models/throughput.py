"""Training speed of every model in tokens (bases) per second, beside the same architecture in PyTorch.

    python bench/models/throughput.py [--kinds GenomicGPT ...] [--presets tiny small] [--threads 1 2] [--seconds 20]

One step is loss, gradients, clipping and AdamW, float32, from equal weights; the losses of three steps are compared
before anything is timed, and the two take turns. PyTorch runs twice: with the `key` bias folded into q and k, so that
its flash attention can be used, and with attention written out; the faster one counts. One JSON line per case goes to
bench/results/throughput.jsonl.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from tinygrad import Tensor
from tinygrad.helpers import Context
from tinygrad.nn.state import get_state_dict

from bench.models.torch_models import TorchClassifier, TorchEncoder, TorchGPT, TorchPerBase, TorchTracks, TorchTrunk
from bench.record import REST_SECONDS, alternate, summary, write
from gattn_tg.machine import threads
from gattn_tg.models.bins import bin_ids
from gattn_tg.models.captured.inputs import to_tensors
from gattn_tg.models.kinds import KINDS
from gattn_tg.ops.cross_entropy import cross_entropy
from gattn_tg.ops.poisson import LEAST, binary_cross_entropy, poisson
from gattn_tg.training.loop.step import BETAS, Step
from gattn_tg.training.settings import TrainSettings

SETTINGS = TrainSettings(weight_decay=0.0, motif_rate=1.0, clip_norm=1.0)
RATE, STEPS, N_TRACKS, MASKED = 1e-3, 3, 8, 0.15
ALLOWED = 1e-4  # between losses of about 1 after three steps; the kernels and PyTorch sum in other orders
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """How a kind of model is fed and judged: (batch, bases) per preset, fields of its configuration, loss both ways."""

    sizes: dict[str, tuple[int, int]]
    fields: dict[str, Any]
    peer: type[TorchTrunk]
    loss: Callable[[Any, dict[str, Tensor]], tuple[Tensor, Tensor]]
    torch_loss: Callable[[TorchTrunk, dict[str, torch.Tensor]], torch.Tensor]


def _classes(model: Any, x: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    return cross_entropy(model(x["bases"], x["motif_ids"], x["lengths"]), x["labels"])


def _next_bases(model: Any, x: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    return cross_entropy(model(x["bases"], x["motif_ids"]), x["following"])


def _words(model: Any, x: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    return cross_entropy(model(x["bases"], x["motif_ids"], x["lengths"], x["places"]), x["words"])


def _rates(model: Any, x: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    return poisson(model(x["bases"], x["motif_ids"]), x["targets"]), Tensor(float(np.prod(x["targets"].shape)))


def _marks(model: Any, x: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    ones = x["marks"] * 0 + 1
    return binary_cross_entropy(model(x["bases"], x["motif_ids"]), x["marks"], ones), ones.sum()


def _torch_next_bases(model: TorchTrunk, x: dict[str, torch.Tensor]) -> torch.Tensor:
    return F.cross_entropy(model(x["bases"], x["motif_ids"]).flatten(0, 1), x["following"].flatten())


def _torch_words(model: TorchTrunk, x: dict[str, torch.Tensor]) -> torch.Tensor:
    return F.cross_entropy(model(x["bases"], x["motif_ids"], x["places"]).flatten(0, 1), x["words"].flatten())


def _torch_rates(model: TorchTrunk, x: dict[str, torch.Tensor]) -> torch.Tensor:
    rate = model(x["bases"], x["motif_ids"], x["bins"])
    return (rate - x["targets"] * rate.clamp_min(LEAST).log()).mean()


CASES = {
    "SequenceClassifier": Case(
        {"tiny": (32, 300), "small": (16, 300), "base": (8, 300)}, {"n_classes": 2, "dropout": 0.0}, TorchClassifier,
        _classes, lambda model, x: F.cross_entropy(model(x["bases"], x["motif_ids"]), x["labels"])),
    "GenomicGPT": Case(
        {"tiny": (16, 512), "small": (8, 512), "base": (4, 512)}, {"dropout": 0.0}, TorchGPT, _next_bases,
        _torch_next_bases),
    "MaskedEncoder": Case(
        {"tiny": (16, 512), "small": (8, 512), "base": (4, 512)}, {"dropout": 0.0}, TorchEncoder, _words, _torch_words),
    "TrackModel": Case(
        {"tiny": (2, 16384), "small": (1, 16384), "base": (1, 16384)},
        {"heads": (("human", N_TRACKS),), "crop_bp": 2048, "composition_bp": (), "dropout": 0.0}, TorchTracks,
        _rates, _torch_rates),
    "PerBaseModel": Case(
        {"tiny": (4, 2048), "small": (2, 2048), "base": (1, 2048)}, {"dropout": 0.0}, TorchPerBase, _marks,
        lambda model, x: F.binary_cross_entropy_with_logits(model(x["bases"], x["motif_ids"]), x["marks"])),
}


def arrays(model: Any, batch: int, n: int) -> Arrays:
    """Random inputs and targets of a model; the speed does not depend on what they are."""
    rng, c = np.random.default_rng(0), model.config
    bases = rng.integers(0, 4, (batch, n)).astype(np.uint8)
    found = {"bases": bases, "motif_ids": rng.integers(0, c.n_motifs, (batch, n)).astype(np.uint8),
             "lengths": np.full(batch, n, np.int32), "labels": rng.integers(0, 2, batch).astype(np.int32),
             "following": rng.integers(0, 4, (batch, n)).astype(np.int32),
             "marks": rng.integers(0, 2, (batch, n, 1)).astype(np.float32),
             "places": np.sort(rng.permuted(np.tile(np.arange(n), (batch, 1)), axis=1)[:, : round(MASKED * n)], axis=1)}
    found["words"] = np.take_along_axis(bases, found["places"], axis=1).astype(np.int32)
    found["places"] = found["places"].astype(np.int32)
    if hasattr(c, "bin_bp"):
        n_bins = (n - 2 * c.crop_bp) // c.bin_bp
        found["targets"] = rng.gamma(1.0, 1.0, (batch, n_bins, N_TRACKS)).astype(np.float32)
        found["bins"] = bin_ids(Tensor(found["motif_ids"]), c.bin_bp, c.bin_ranks).numpy()
    return found


def torch_runner(case: Case, model: Any, weights: Arrays, given: Arrays, folded: bool) -> Callable[[], float]:
    """One step of the peer; gives the loss."""
    peer = case.peer(model.config, weights, folded, is_causal=case.peer is TorchGPT)
    optimizer = torch.optim.AdamW(peer.parameters(), lr=RATE, weight_decay=0.0, betas=BETAS)
    inputs = {name: torch.from_numpy(x if x.dtype == np.float32 else x.astype(np.int64)) for name, x in given.items()}

    def run() -> float:
        optimizer.zero_grad(set_to_none=True)
        loss = case.torch_loss(peer, inputs)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(peer.parameters(), SETTINGS.clip_norm)
        optimizer.step()
        return loss.item()

    return run


def measured(kind: str, preset: str, n_threads: int, seconds: float) -> dict[str, Any]:
    """One case: losses compared, then timed."""
    case = CASES[kind]
    batch, n = case.sizes[preset]
    torch.set_num_threads(n_threads)
    threads.set_threads(n_threads)
    model = KINDS[kind].model(KINDS[kind].config.preset(preset, **case.fields), seed=0)
    parameters = get_state_dict(model)
    weights = {name: x.numpy() for name, x in parameters.items()}
    given = arrays(model, batch, n)
    step = Step(lambda x: case.loss(model, x), parameters, SETTINGS)
    inputs = to_tensors(given)

    def ours() -> float:
        with Context(TRAINING=1):
            return step([inputs], RATE)[0]

    runners = {"gattn_tg": ours}
    for folded in (True, False):
        runners["torch folded" if folded else "torch eager"] = torch_runner(case, model, weights, given, folded)
    losses = {name: [run() for _ in range(STEPS)] for name, run in runners.items()}
    error = max(abs(x - y) for peer in list(losses.values())[1:] for x, y in zip(losses["gattn_tg"], peer, strict=True))
    assert error < ALLOWED, f"{kind} {preset}: losses differ: {losses}"
    times = alternate(runners, 15, seconds, warm=1, rest=REST_SECONDS)
    best = min(list(times)[1:], key=lambda name: float(np.median(times[name])))
    per_s = {name: batch * n / float(np.median(times[name])) for name in ("gattn_tg", best)}
    return {
        "kind": kind, "preset": preset, "parameters": model.n_parameters, "batch": batch, "n": n, "threads": n_threads,
        "loss_difference": error, "torch": torch.__version__, "peer": best, "tokens_per_s": round(per_s["gattn_tg"]),
        "peer_tokens_per_s": round(per_s[best]), "ratio": round(per_s["gattn_tg"] / per_s[best], 3),
        "times": {name: summary(x) for name, x in times.items()},
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--presets", nargs="+", choices=("tiny", "small", "base"), default=["tiny", "small"])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--seconds", type=float, default=20.0, help="of timing per case, after compiling")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    a = parser.parse_args()
    cases = [(k, p, t) for k in a.kinds for p in a.presets if p in CASES[k].sizes for t in a.threads]
    for kind, preset, n_threads in cases:
        if not a.here:  # a process each, because PyTorch's threads of one case disturb the next
            command = [sys.executable, __file__, "--here", "--kinds", kind, "--presets", preset, "--threads",
                       str(n_threads), "--seconds", str(a.seconds)]
            subprocess.run(command, check=True)
            continue
        line = measured(kind, preset, n_threads, a.seconds)
        write("throughput", line)
        print(json.dumps({k: line[k] for k in ("kind", "preset", "threads", "tokens_per_s", "peer_tokens_per_s",
                                               "peer", "ratio", "loss_difference")}), flush=True)


if __name__ == "__main__":
    main()
