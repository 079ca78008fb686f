"""`[train] recompute`: memory and time of a step by layers, with blocks kept and with blocks computed again.

    python bench/models/recompute.py [--layers 2 4 8] [--width 128] [--length 1024] [--batch 4] [--steps 20]

A classifier with a pair table on one process. Weights after all steps are compared bit for bit. Memory is what tinygrad
holds for the step: weights, moments and the arena of the captured graph. One JSON line per number of layers goes to
bench/results/recompute.jsonl.
"""

from __future__ import annotations

import argparse
import gc
import os
import time

os.environ.setdefault("DEV", "CPU")

import numpy as np
from tinygrad import Device, GlobalCounters, Tensor
from tinygrad.helpers import Context
from tinygrad.nn.state import get_state_dict

from bench.record import write
from gattn_tg.machine import threads
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.training.loop.step import Step
from gattn_tg.training.settings import TrainSettings

MIB = 2**20


def trained(a: argparse.Namespace, layers: int, *, is_again: bool) -> tuple[dict[str, np.ndarray], int, float]:
    """Weights, bytes, and the median seconds of a step that is replayed."""
    config = ClassifierConfig(n_classes=2, width=a.width, n_layers=layers, n_heads=4, motif="pair", dropout=0.1)
    gc.collect()  # what an earlier run held
    before = GlobalCounters.mem_used
    model, rng = SequenceClassifier(config, seed=0), np.random.default_rng(0)
    parameters = get_state_dict(model)
    bases, ids = (rng.integers(0, top, (a.batch, a.length)).astype(np.uint8) for top in (4, 16))
    lengths, labels = np.full(a.batch, a.length, np.int32), rng.integers(0, 2, a.batch).astype(np.int32)
    inputs = {str(i): Tensor(x).realize() for i, x in enumerate((bases, ids, lengths, labels))}

    def loss(given: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        *read, truth = given.values()
        return model(*read).sparse_categorical_crossentropy(truth) * a.batch, (truth >= 0).sum().float()

    step, times = Step(loss, parameters, TrainSettings(recompute=is_again, batch_size=a.batch)), []
    with Context(TRAINING=1):
        for _ in range(a.steps):
            start = time.perf_counter()
            step([inputs], 1e-3)
            Device[Device.DEFAULT].synchronize()
            times.append(time.perf_counter() - start)
    taken = GlobalCounters.mem_used - before
    return {name: x.numpy().copy() for name, x in parameters.items()}, taken, float(np.median(times[1:]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, nargs="+", default=[2, 4, 8])
    for name, default in (("width", 128), ("length", 1024), ("batch", 4), ("steps", 20), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    a = parser.parse_args()
    threads.set_threads(a.threads)
    for layers in a.layers:
        kept, kept_bytes, kept_s = trained(a, layers, is_again=False)
        again, again_bytes, again_s = trained(a, layers, is_again=True)
        line = {"layers": layers, "width": a.width, "length": a.length, "batch": a.batch, "threads": a.threads,
                "steps": a.steps, "kept_mib": round(kept_bytes / MIB, 1), "again_mib": round(again_bytes / MIB, 1),
                "kept_ms": round(1e3 * kept_s, 1), "again_ms": round(1e3 * again_s, 1),
                "same_bits": all(again[name].tobytes() == x.tobytes() for name, x in kept.items())}
        write("recompute", line)
        print(line, flush=True)


if __name__ == "__main__":
    main()
