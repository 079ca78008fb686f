"""The presets `long` by the length of the sequence: seconds and memory of a forward pass and of a training step.

    DEV=CPU python bench/models/long.py [--lengths 8192 32768 131072 262144 524288 1048576] [--models bases 128 32]
        [--threads 2] [--runs 2] [--minutes 20] [--peers sdpa flex] [--out FILE]

`bases` is GenomicGPT with preset "long", 128 and 32 are TrackModel with that preset and bins of so many bases. DNA is
that of chromosome 16 that is bundled, again and again. Steps are those of training, with recompute. Every case is a
process of its own: seconds are the least of --runs after the first call, which is captured and compiled; memory is the
peak of the resident set of the whole process (Linux). Lengths from 131,072 on are fitted by seconds ~ length **
exponent. Peers are one attention layer of the same sizes (4 heads of 32 channels, window 1024, 1,024 anchors) in
PyTorch, forward, beside ours: `sdpa` with the mask as one byte for a pair, `flex` compiled with a block mask; what they
raise is written down. One JSON line per case goes to bench/results/long.jsonl.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("DEV", "CPU")

import numpy as np
from tinygrad import Device, Tensor
from tinygrad.helpers import Context
from tinygrad.nn.state import get_state_dict

from bench.kernels.memory import resident
from bench.record import machine, write
from gattn_tg import attention
from gattn_tg.data.genomes.bundled import ALPHA_GLOBIN, bundled
from gattn_tg.data.genomes.corpus import behind
from gattn_tg.io import read_fasta
from gattn_tg.machine import threads
from gattn_tg.machine.recorded import recorded
from gattn_tg.models.captured.forward import Forward
from gattn_tg.models.gpt import GenomicGPT, GPTConfig
from gattn_tg.models.tracks import TrackConfig, TrackModel
from gattn_tg.motif import MotifVocabulary, annotate, causal_ids
from gattn_tg.ops.cross_entropy import cross_entropy
from gattn_tg.ops.poisson import poisson
from gattn_tg.seq import encode
from gattn_tg.training.loop.step import Loss, Step
from gattn_tg.training.settings import TrainSettings

LENGTHS = [2**13, 2**15, 2**17, 2**18, 2**19, 2**20]
HEADS, HEAD_WIDTH, WINDOW, ANCHORS, TRACKS = 4, 32, 1_024, 1_024, 2
FITTED = 2**17  # lengths from here on tell how time grows; below, what does not depend on the length counts


def model_of(name: str, n: int) -> tuple[Any, dict[str, np.ndarray], Loss]:
    """The model, what it reads and learns from, and its loss."""
    (record,) = read_fasta(bundled(ALPHA_GLOBIN))
    bases = np.resize(encode(record.sequence), n)[None]
    if name == "bases":
        language, read = GenomicGPT(GPTConfig.preset("long")), behind(bases)
        ids = causal_ids(read, MotifVocabulary.default())
        return language, {"bases": read, "motif_ids": ids, "labels": bases}, lambda x: cross_entropy(
            language(x["bases"], x["motif_ids"]), x["labels"])
    tracks = TrackModel(TrackConfig.preset("long", bin_bp=int(name), heads=[["tracks", TRACKS]]))
    counts = np.random.default_rng(0).poisson(1.0, (1, n // int(name), TRACKS)).astype(np.float32)
    return tracks, {"bases": bases, "motif_ids": annotate(bases[0])[None], "labels": counts}, lambda x: (
        poisson(tracks(x["bases"], x["motif_ids"]), x["labels"]), (x["labels"] * 0 + 1).sum())


def run_of(name: str, what: str, n: int) -> Callable[[], object]:
    """A forward pass or a training step."""
    model, arrays, loss = model_of(name, n)
    if what == "forward":
        forward = Forward(model, 1)
        return lambda: forward.whole(arrays["bases"], arrays["motif_ids"])
    step = Step(loss, get_state_dict(model), TrainSettings(recompute=True, batch_size=1))
    inputs = {key: Tensor(x).realize() for key, x in arrays.items()}

    def stepped() -> float:
        with Context(TRAINING=1):
            found, _ = step([inputs], 1e-3)
        Device[Device.DEFAULT].synchronize()
        return found

    return stepped


def attention_of(who: str, n: int, n_threads: int) -> Callable[[], object]:
    """One layer of causal attention with a window and anchors, evenly spaced, by us or by PyTorch."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((1, HEADS, n, HEAD_WIDTH), dtype=np.float32) for _ in range(3)]
    places = np.arange(min(ANCHORS, n), dtype=np.int32) * (n // min(ANCHORS, n))
    if who == "ours":
        q, k, v, at = (Tensor(x).realize() for x in (*arrays, places[None]))
        captured = recorded(lambda *given: attention(
            *given, is_causal=True, window_size=(WINDOW - 1, 0), anchors=at).realize(), [q, k, v, at])
        return lambda: captured(q, k, v)
    import torch
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    torch.set_num_threads(n_threads)
    given, index = [torch.from_numpy(x) for x in arrays], torch.arange(n)
    is_anchor = torch.zeros(n, dtype=torch.bool)
    is_anchor[torch.from_numpy(places).long()] = True

    def seen(_b: object, _h: object, i: torch.Tensor, j: torch.Tensor) -> torch.Tensor:
        return (j <= i) & ((i - j < WINDOW) | is_anchor[i] | is_anchor[j])

    if who == "sdpa":
        mask = seen(None, None, index[:, None], index)
        return lambda: torch.nn.functional.scaled_dot_product_attention(*given, attn_mask=mask)
    block_mask, compiled = create_block_mask(seen, None, None, n, n, device="cpu"), torch.compile(flex_attention)

    def forward() -> torch.Tensor:
        with torch.no_grad():
            return compiled(*given, block_mask=block_mask)

    return forward


def one(name: str, what: str, n: int, n_threads: int, runs: int) -> dict[str, Any]:
    """What this process, which does nothing else, takes."""
    threads.set_threads(n_threads)
    run = attention_of(name, n, n_threads) if what == "attention" else run_of(name, what, n)
    before, times = resident("VmRSS"), []
    for _ in range(1 + runs):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return {"first_s": round(times[0], 2), "seconds": round(min(times[1:] or times), 3), "before_MB": round(before),
            "peak_MB": round(resident("VmHWM"))}  # fmt: skip


def measured(name: str, what: str, n: int, a: argparse.Namespace) -> dict[str, Any]:
    """The same of a new process; what it says where it fails."""
    choices = ["--threads", str(a.threads), "--runs", str(a.runs)]
    command = [sys.executable, __file__, "--one", name, what, str(n), *choices]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60 * a.minutes)
    except subprocess.TimeoutExpired:
        return {"failed": f"not done after {a.minutes} minutes"}
    if done.returncode:  # a negative code is the signal that ended it: -9 where the machine has no memory left
        said = done.stderr.strip().splitlines()
        return {"failed": (said[-1] if said else f"ended with code {done.returncode}")[:200]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def exponent(found: dict[int, float]) -> float | None:
    """Of seconds ~ length ** exponent, by least squares on logarithms; None for fewer than two lengths."""
    far = {n: s for n, s in found.items() if n >= FITTED} or found
    return round(float(np.polyfit(np.log(list(far)), np.log(list(far.values())), 1)[0]), 3) if len(far) > 1 else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS)
    parser.add_argument("--models", nargs="*", choices=("bases", "128", "32"), default=["bases", "128", "32"])
    parser.add_argument("--peers", nargs="*", choices=("sdpa", "flex"), default=["sdpa", "flex"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=20, help="after which a case is given up")
    parser.add_argument("--out", type=Path, default=None, help="file for the lines; else bench/results/long.jsonl")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)  # name what n: one measurement in this process
    a = parser.parse_args()
    if a.one:
        print(json.dumps(one(a.one[0], a.one[1], int(a.one[2]), a.threads, a.runs)))
        return
    cases = [(name, what) for name in a.models for what in ("forward", "step")]
    cases += [(who, "attention") for who in ("ours", *a.peers)] if a.peers else []
    for name, what in cases:
        seconds: dict[int, float] = {}
        for n in a.lengths:
            line = {"model": name, "pass": what, "length": n, "threads": a.threads, **measured(name, what, n, a)}
            if "seconds" in line:
                seconds[n] = line["seconds"]
                line["exponent"] = exponent(seconds)
            if a.out:
                with a.out.open("a", encoding="utf-8") as out:
                    out.write(json.dumps({**line, **machine()}, sort_keys=True) + "\n")
            else:
                write("long", line)
            print(json.dumps(line), flush=True)
            if "failed" in line:
                break  # longer ones fail too


if __name__ == "__main__":
    main()
