"""What far bases add to a language model: bits per base by context, and with anchors of four kinds beside a short one.

    DEV=CPU python bench/biology/context.py [--width 2048] [--contexts 64 256 2048] [--beside 64] [--anchors 32]
        [--steps 120] [--batch 4] [--valid 96] [--seeds 3] [--folder /tmp/gattn_context] [--threads 1]

A tiny GenomicGPT learns from human windows. First its context grows, without anchors; then, beside the context of
--beside bases, as many anchors as --anchors stand in every window: bases of CpG and CpG islands (`motif`), evenly
spaced ones (`even`), places drawn once for all windows (`random`), or none. All runs of a seed see the same windows in
the same order, and bits per base are those of the second halves of held-out windows. Seeds are the outer loop, so that
a study that is cut short has whole tables of fewer seeds. One JSON line per run goes to bench/results/context.jsonl.
For 1 and 8 kb:

    --width 8192 --contexts 1024 8192 --beside 1024 --anchors 128 --batch 2 --valid 24 --steps 60 --threads 2
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from unittest import mock

import numpy as np
from tinygrad import Tensor

from bench.record import ROOT, write
from gattn_tg.machine import threads
from gattn_tg.models.gpt import GenomicGPT
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.run import train

GENOME = ROOT.parent / "shared" / "data" / "tracks" / "hg38_borzoi_tiny_seqs.fa.gz"
CLASSES = ("cpg", "cpg_island")
TOML = """\
[data]
genomes = ["{genome}"]
width = {width}
n_valid = {valid}

[model]
kind = "GenomicGPT"
preset = "tiny"
context = {context}
anchors = {anchors}
n_anchors = {n_anchors}

[train]
steps = {steps}
batch_size = {batch}
learning_rate = 3e-3
min_learning_rate = 1e-4
warmup_steps = 20
reverse_complement = true
validate_every = {steps}
seed = {seed}
"""


def drawn(count: int) -> mock.mock._patch[object]:
    """Anchors at places drawn once, in place of those of the configuration."""

    def anchors(_: GenomicGPT, motif_ids: Tensor, lengths: Tensor | None = None) -> Tensor:
        b, n = motif_ids.shape
        places = np.sort(np.random.default_rng(0).choice(n, count, replace=False)).astype(np.int32)
        return Tensor(places, device=motif_ids.device).unsqueeze(0).expand(b, count).contiguous()

    return mock.patch.object(GenomicGPT, "anchors", anchors)


def run(name: str, context: int, seed: int, a: argparse.Namespace) -> dict[str, object]:
    """One training, and what it came to."""
    even = f"every {a.width // a.anchors}"
    anchors: str | list[str] = {"none": "", "motif": list(CLASSES)}.get(name, even)
    path = a.folder / f"{name}_{context}_{seed}.toml"
    path.write_text(TOML.format(genome=a.genome.resolve(), width=a.width, context=context, anchors=json.dumps(anchors),
                                n_anchors=a.anchors, steps=a.steps, seed=seed, batch=a.batch, valid=a.valid),
                    encoding="utf-8")  # fmt: skip
    began = time.perf_counter()
    config, folder = TrainConfig.from_toml(path), a.folder / "run"
    if name == "random":
        with drawn(a.anchors):
            fitted = train(config, folder, mode="overwrite").fitted
    else:
        fitted = train(config, folder, mode="overwrite").fitted
    fitted.finished()
    metrics = fitted.validations[-1].metrics
    return {"part": "language", "anchors": name, "n_anchors": 0 if name == "none" else a.anchors, "context": context,
            "width": a.width, "seed": seed, "steps": a.steps, "bases_seen": a.steps * a.batch * a.width,
            "bits_per_base": round(metrics["bits_per_base"], 5), "seconds": round(time.perf_counter() - began, 1),
            "threads": a.threads}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=2048)
    parser.add_argument("--contexts", type=int, nargs="+", default=[64, 256, 2048])
    parser.add_argument("--beside", type=int, default=64)
    parser.add_argument("--anchors", type=int, default=32)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--valid", type=int, default=96, help="held-out windows that are judged")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--genome", type=Path, default=GENOME)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/gattn_context"))
    parser.add_argument("--threads", type=int, default=1)
    a = parser.parse_args()
    if not a.genome.is_file():
        print(f"skipped: {a.genome} is absent")
        return
    a.folder.mkdir(parents=True, exist_ok=True)
    threads.set_threads(a.threads)
    for seed in range(a.seeds):
        runs = [("none", context) for context in a.contexts]
        runs += [(name, a.beside) for name in ("motif", "even", "random")]
        for name, context in runs:
            line = run(name, context, seed, a)
            write("context", line)
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
