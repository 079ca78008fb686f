"""One training step of a classifier on the CPU, beside the same model in PyTorch with eager attention.

    python bench/models/train_step.py [--layers 6 --width 256 --length 1024 --batch 2 --threads 2]
        [--precision bfloat16] [--compiled]

Forward, backward and AdamW; the models start from the same weights, and their losses are compared before anything is
timed. In bfloat16 both keep float32 weights: gattn_tg as its training does, PyTorch under autocast. With --compiled,
PyTorch runs through `torch.compile`. One JSON line goes to bench/results/train_step.jsonl.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from tinygrad import Device, Tensor, TinyJit, dtypes
from tinygrad.helpers import Context
from tinygrad.nn.optim import AdamW
from tinygrad.nn.state import get_state_dict

from bench.models.torch_models import TorchClassifier
from bench.record import REST_SECONDS, alternate, summary, write
from gattn_tg.kernels.pairs import unit as pair_unit
from gattn_tg.machine import threads
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.training.loop.parameters import is_decayed

RATE, DECAY, STEPS = 1e-3, 0.01, 3
MOST_APART = {"float32": 1e-4, "bfloat16": 5e-2}  # losses of a few steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("layers", 6), ("width", 256), ("heads", 4), ("length", 1024), ("batch", 2), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--motif", default="pair", choices=["key", "pair", "none"])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--precision", choices=list(MOST_APART), default="float32")
    parser.add_argument("--compiled", action="store_true")
    a = parser.parse_args()
    is_narrow = a.precision == "bfloat16"
    torch.set_num_threads(a.threads)
    threads.set_threads(a.threads)
    config = ClassifierConfig(n_classes=2, width=a.width, n_layers=a.layers, n_heads=a.heads, motif=a.motif,
                              mlp_ratio=4, stem_kernel=0, dropout=0.0)
    model = SequenceClassifier(config, seed=0)
    weights = get_state_dict(model)
    peer = TorchClassifier(config, {name: t.numpy() for name, t in weights.items()})

    rng = np.random.default_rng(0)
    bases, ids = (rng.integers(0, top, (a.batch, a.length)).astype(np.uint8) for top in (4, 16))
    labels = rng.integers(0, 2, a.batch)
    inputs = [Tensor(bases).realize(), Tensor(ids).realize(), Tensor(np.full(a.batch, a.length, np.int32)).realize()]
    narrow = [is_narrow and is_decayed(name, t) for name, t in weights.items()]
    ours = AdamW([t.is_param_(True) for t in weights.values()], lr=RATE, weight_decay=DECAY)
    target = Tensor(labels.astype(np.int32)).realize()

    @TinyJit
    def step() -> Tensor:
        with Context(TRAINING=1):
            masters = [Tensor(p.uop) for p in ours.params]
            for p, master, is_rounded in zip(ours.params, masters, narrow, strict=True):
                p.replace(master.cast(dtypes.bfloat16) if is_rounded else master)
            loss = model(*inputs).float().sparse_categorical_crossentropy(target)
            gradients = loss.gradient(*masters)
            for p, master, gradient in zip(ours.params, masters, gradients, strict=True):
                p.replace(master)
                p.grad = gradient
            # together: a loss realised after the update would be computed again, from the new weights
            Tensor.realize(loss, *ours.schedule_step())
            return loss

    run_peer = torch.compile(peer) if a.compiled else peer
    theirs = torch.optim.AdamW(peer.parameters(), lr=RATE, weight_decay=DECAY, betas=(0.9, 0.999))
    torch_inputs = torch.from_numpy(bases.astype(np.int64)), torch.from_numpy(ids.astype(np.int64))
    torch_target = torch.from_numpy(labels)

    def torch_step() -> float:
        theirs.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=is_narrow):
            loss = torch.nn.functional.cross_entropy(run_peer(*torch_inputs).float(), torch_target)
        loss.backward()
        theirs.step()
        return loss.item()

    pairs = [(step().item(), torch_step()) for _ in range(STEPS)]
    error = max(abs(x - y) for x, y in pairs)
    assert error < MOST_APART[a.precision], f"losses differ: {pairs}"

    def run() -> None:
        step()
        Device[Device.DEFAULT].synchronize()

    times = alternate({"gattn_tg": run, "torch": torch_step}, a.rounds, seconds=120, warm=1, rest=REST_SECONDS)
    ratio = float(np.median(times["torch"]) / np.median(times["gattn_tg"]))
    line = {"case": vars(a), "device": Device.DEFAULT, "torch": torch.__version__, "loss_difference": error,
            "pairs": pair_unit.chosen() if is_narrow else None,
            "gattn_tg": summary(times["gattn_tg"]), "peer": summary(times["torch"]), "ratio": round(ratio, 3)}
    way = "compiled" if a.compiled else "eager"
    write("train_step", line)
    print(f"{a.layers} layers, width {a.width}, n {a.length}, batch {a.batch}, {a.precision}, {a.threads} threads: "
          f"gattn_tg {line['gattn_tg']['median_ms']:.0f} ms, PyTorch {way} {line['peer']['median_ms']:.0f} ms, "
          f"ratio {ratio:.2f} (loss difference {error:.1e})")


if __name__ == "__main__":
    main()
