"""Bits per base by position, of a language model that learnt from short windows and reads a long one.

    DEV=CPU python bench/biology/positions.py [--trained 8192] [--read 131072] [--windows 4] [--steps 120] [--seeds 3]
        [--folder /tmp/gattn_positions] [--threads 1]

A tiny GenomicGPT with rotary positions learns from human windows of --trained bases, all of which it sees. Then it
reads --windows stretches of --read bases of other chromosomes (hg19 chr22 and chr20), without learning on, in five
ways: `trained` looks no further back than in training, the others back to the first base, with `rope_scaling` "none",
"linear", "ntk" and "yarn" and the factor read / trained. One JSON line per seed and way goes to
bench/results/positions.jsonl: mean bits per base of the first half of --trained, its second half, and every further
doubling, and of all that is beyond --trained. Ways that look far back take time with the square of --read.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from tinygrad.nn.state import get_state_dict

from bench.biology.context import GENOME, TOML
from bench.record import ROOT, write
from gattn_tg.io import read_fasta
from gattn_tg.machine import threads
from gattn_tg.models.gpt import GenomicGPT
from gattn_tg.models.likelihood import BaseMetrics, Likelihood
from gattn_tg.motif import MotifVocabulary
from gattn_tg.seq import encode
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.run import train
from gattn_tg.types import Float, UInt8

REGIONS = ("hg19_chr22_20000000_21000000.fa.gz", "hg19_chr20_1000000_2000000.fa.gz")
SCALINGS = ("none", "linear", "ntk", "yarn")


def windows_of(folder: Path, n: int, count: int) -> UInt8[np.ndarray, "count n"]:
    """So many stretches of n known bases, evenly spread over the regions."""
    found = []
    for name in REGIONS:
        (record,) = read_fasta(folder / name)
        bases = encode(record.sequence)
        each = -(-count // len(REGIONS))
        found += [bases[first : first + n] for first in np.linspace(0, len(bases) - n, each).astype(int)]
    return np.stack(found[:count])


def trained(seed: int, a: argparse.Namespace) -> GenomicGPT:
    """The model, after its training."""
    path = a.folder / f"{seed}.toml"
    text = TOML.format(genome=a.genome.resolve(), width=a.trained, context=a.trained, anchors='""', n_anchors=1,
                       steps=a.steps, seed=seed, batch=a.batch, valid=a.valid)  # fmt: skip
    path.write_text(text, encoding="utf-8")
    done = train(TrainConfig.from_toml(path), a.folder / "run", mode="overwrite")
    done.fitted.finished()
    model: GenomicGPT = done.task.model
    return model


def read_as(model: GenomicGPT, **changes: object) -> GenomicGPT:
    """The same weights with another context or rotation."""
    other = GenomicGPT(replace(model.config, **changes))
    weights = get_state_dict(model)
    for name, x in get_state_dict(other).items():
        x.assign(weights[name]).realize()
    return other


def bits_by_position(model: GenomicGPT, windows: UInt8[np.ndarray, "w n"], edges: list[int]) -> list[float]:
    """Mean bits per base between every two edges."""
    sums = [BaseMetrics() for _ in edges[1:]]
    for row, log2_p in zip(windows, Likelihood(model, MotifVocabulary.default(), batch_size=1)(windows), strict=True):
        for metrics, (first, last) in zip(sums, pairwise(edges), strict=True):
            metrics.add(log2_p[:, first:last], row[None, first:last])
    return [round(metrics.result()["bits_per_base"], 5) for metrics in sums]


def beyond(bits: list[float], edges: list[int], trained_bp: int) -> float:
    """Their mean over all bases behind those of training."""
    sizes = np.diff(edges)
    far: Float[np.ndarray, "e"] = np.array(edges[:-1]) >= trained_bp
    return round(float(np.average(np.array(bits)[far], weights=sizes[far])), 5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trained", type=int, default=8192)
    parser.add_argument("--read", type=int, default=131_072)
    parser.add_argument("--windows", type=int, default=4)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--valid", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--genome", type=Path, default=GENOME)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/gattn_positions"))
    parser.add_argument("--threads", type=int, default=1)
    a = parser.parse_args()
    regions = ROOT.parent / "shared" / "data" / "regions"
    if not a.genome.is_file() or not regions.is_dir():
        print(f"skipped: {a.genome} or {regions} is absent")
        return
    a.folder.mkdir(parents=True, exist_ok=True)
    threads.set_threads(a.threads)
    windows, factor = windows_of(regions, a.read, a.windows), a.read / a.trained
    doublings = int(np.log2(factor))
    edges = [0, a.trained // 2, *(a.trained << i for i in range(doublings + 1))]
    ways: list[tuple[str, dict[str, object]]] = [("trained", {})]
    far = {"context": a.read, "rope_factor": factor, "rope_context": a.trained}
    ways += [(f"all, {name}", {**far, "rope_scaling": name}) for name in SCALINGS]
    for seed in range(a.seeds):
        model = trained(seed, a)
        for way, changes in ways:
            began = time.perf_counter()
            bits = bits_by_position(read_as(model, **changes), windows, edges)
            line = {"way": way, "seed": seed, "trained": a.trained, "read": a.read, "windows": a.windows,
                    "steps": a.steps, "edges": edges, "bits_per_base": bits,
                    "beyond": beyond(bits, edges, a.trained), "seconds": round(time.perf_counter() - began, 1),
                    "threads": a.threads}  # fmt: skip
            write("positions", line)
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
