"""Two versions of gattn_tg beside each other on the CPU: attention and a training step, one process each, taking turns.

    python bench/models/commits.py OLD NEW [--threads 2] [--rounds 15]

OLD and NEW are folders with a checkout each. Both take the same inputs and weights; losses and means of outputs are
compared before anything is timed. One JSON line per case goes to bench/results/commits.jsonl; a ratio above 1 says that
NEW is faster.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tinygrad import Tensor

HEADS, HEAD_WIDTH, MOTIFS = 8, 64, 16
ATTENTION = tuple(f"attention {what} n {n}" for n in (1024, 4096) for what in ("forward", "with gradients"))
TRAINING = "training step, 6 layers, width 256, n 1024, batch 2"
CASES = (*ATTENTION, TRAINING)


def _attention(case: str) -> Callable[[], Sequence[Tensor]]:
    """One call with a pair table, float32: its output, or its gradients."""
    from tinygrad import Tensor, TinyJit

    from gattn_tg import MotifBias, attention
    n = int(case.split()[-1])
    rng = np.random.default_rng(0)
    q, k, v, do = (Tensor(x).realize() for x in rng.standard_normal((4, 1, HEADS, n, HEAD_WIDTH), dtype=np.float32))
    ids = Tensor(rng.integers(0, MOTIFS, (1, n)).astype(np.uint8)).realize()
    table = Tensor(rng.standard_normal((MOTIFS, MOTIFS), dtype=np.float32)).realize()

    @TinyJit
    def run() -> tuple[Tensor, ...]:
        if "forward" in case:
            return (attention(q, k, v, bias=MotifBias.pair(table, ids)).realize(),)
        leaves = [x.detach() for x in (q, k, v, table)]
        o = attention(*leaves[:3], bias=MotifBias.pair(leaves[3], ids))
        gradients = (o * do).sum().gradient(*leaves)
        Tensor.realize(*gradients)
        return tuple(gradients)

    return run


def _training() -> Callable[[], Sequence[Tensor]]:
    """One step of a classifier: its loss."""
    from tinygrad import Tensor, TinyJit
    from tinygrad.helpers import Context
    from tinygrad.nn.optim import AdamW
    from tinygrad.nn.state import get_state_dict

    from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
    config = ClassifierConfig(n_classes=2, width=256, n_layers=6, n_heads=4, motif="pair", mlp_ratio=4, stem_kernel=0,
                              dropout=0.0)
    model = SequenceClassifier(config, seed=0)
    rng = np.random.default_rng(0)
    bases, ids = (rng.integers(0, top, (2, 1024)).astype(np.uint8) for top in (4, MOTIFS))
    inputs = [Tensor(bases).realize(), Tensor(ids).realize(), Tensor(np.full(2, 1024, np.int32)).realize()]
    target = Tensor(rng.integers(0, 2, 2).astype(np.int32)).realize()
    descent = AdamW([t.is_param_(True) for t in get_state_dict(model).values()], lr=1e-4)

    @TinyJit
    def run() -> tuple[Tensor, ...]:
        with Context(TRAINING=1):
            descent.zero_grad()
            loss = model(*inputs).sparse_categorical_crossentropy(target)
            loss.backward()
            Tensor.realize(loss, *descent.schedule_step())
            return (loss,)

    return run


def serve(threads: int) -> None:
    """Answer lines of standard input, each the name of a case, with a result and its milliseconds."""
    homes = ("gattn_tg.machine.threads", "gattn_tg.kernels.threads")  # the second before rooms were moved
    home = next(x for x in homes if importlib.util.find_spec(x.rpartition(".")[0]) and importlib.util.find_spec(x))
    importlib.import_module(home).set_threads(threads)
    from tinygrad import Device

    runs: dict[str, Callable[[], Sequence[Tensor]]] = {}
    for line in sys.stdin:
        case = line.strip()
        if case not in runs:
            runs[case] = _training() if case == TRAINING else _attention(case)
        start = time.perf_counter()
        found = runs[case]()
        Device["CPU"].synchronize()
        milliseconds = 1e3 * (time.perf_counter() - start)
        print(json.dumps([float(sum(x.abs().mean().item() for x in found)), milliseconds]), flush=True)


def _ask(process: subprocess.Popen[str], case: str) -> tuple[float, float]:
    print(case, file=process.stdin, flush=True)
    found, milliseconds = json.loads(process.stdout.readline())
    return found, milliseconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path, metavar="OLD")
    parser.add_argument("new", type=Path, metavar="NEW")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.serve:
        serve(a.threads)
        return
    from bench.record import write

    processes = {}
    for name, folder in (("old", a.old), ("new", a.new)):
        command = [sys.executable, str(Path(__file__).resolve()), str(a.old), str(a.new), "--serve",
                   "--threads", str(a.threads)]
        environment = {**os.environ, "PYTHONPATH": str(folder.resolve()), "DEV": "CPU"}
        processes[name] = subprocess.Popen(command, env=environment, text=True, stdin=subprocess.PIPE,
                                           stdout=subprocess.PIPE)
    for case in CASES:
        for _ in range(3):  # the first two calls compile and capture
            found = {name: _ask(p, case)[0] for name, p in processes.items()}
            assert abs(found["old"] - found["new"]) < 1e-4, f"{case}: {found}"
        times: dict[str, list[float]] = {name: [] for name in processes}
        for i in range(a.rounds):
            for name in sorted(processes, reverse=bool(i % 2)):
                time.sleep(.1)
                times[name].append(_ask(processes[name], case)[1])
        medians: dict[str, Any] = {f"{name}_ms": round(float(np.median(x)), 2) for name, x in times.items()}
        ratio = medians["old_ms"] / medians["new_ms"]
        line = {"case": case, "threads": a.threads, "rounds": a.rounds, **medians, "ratio": round(ratio, 3),
                "difference": abs(found["old"] - found["new"]), "commits": [_commit(a.old), _commit(a.new)]}
        write("commits", line)
        print(f"{case}, {a.threads} threads: old {medians['old_ms']:.1f} ms, new {medians['new_ms']:.1f} ms, "
              f"ratio {ratio:.3f}", flush=True)
    for process in processes.values():
        process.stdin.close()
        process.wait()


def _commit(folder: Path) -> str:
    command = ["git", "-C", str(folder), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
