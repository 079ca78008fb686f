"""Training from a data set ten times as large as the memory that the process may use.

    python bench/models/large_data.py [--margin-mib 256] [--length 1000] [--steps 60]

A process trains a small model from a small set, so that kernels are compiled and everything that a run needs is there.
It then lets itself have so much data memory (RLIMIT_DATA) as it has by now and a margin more, shows that an array of a
fifth of the data set cannot be had, and trains from an encoded table whose bases and motif ids are ten times the
margin. The line in bench/results/large_data.jsonl has `waited` of metrics.jsonl, the share of time for which the steps
waited for data.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from bench.record import ROOT, write

TIMES = 10  # the data set in margins
CONFIG = """[data]
train = "{train}"
valid = "small"
[model]
width = 16
n_layers = 1
n_heads = 2
positions = "learned"
[train]
steps = {steps}
batch_size = 16
validate_every = {steps}
reverse_complement = true
log_every = 10
"""


def table(folder: Path, n: int, length: int) -> None:
    """An encoded table of random rows, written in blocks; every block is drawn anew."""
    from gattn_tg.data.facts import facts_of
    from gattn_tg.data.tables.files import BASES, HEADER, MOTIFS, ROWS, row_type
    from gattn_tg.data.tables.header import header_text
    from gattn_tg.io import TableColumns
    from gattn_tg.motif import MotifVocabulary

    folder.mkdir()
    rng = np.random.default_rng(0)
    with ExitStack() as stack:
        bases, motifs, rows = (stack.enter_context((folder / name).open("wb")) for name in (BASES, MOTIFS, ROWS))
        for first in range(0, n, 8192):
            size = min(8192, n - first)
            some = rng.integers(0, 4, (size, length), np.uint8)
            ids = np.where(some == 1, np.uint8(1), np.uint8(0))
            facts = facts_of(some, ids, np.full(size, length))
            told = np.zeros(size, row_type(0))
            told["length"], told["sequence"], told["content"] = length, facts.sequence, facts.content
            told["label"] = some[:, length // 2] % 2
            for file, array in ((bases, some), (motifs, ids), (rows, told)):
                file.write(array.tobytes())
    columns, vocabulary = TableColumns(), MotifVocabulary.default()
    (folder / HEADER).write_text(header_text(n, n * length, ("n", "y"), columns, vocabulary), encoding="utf-8")


def held() -> int:
    """Bytes of data memory that this process has."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmData"))


def limited(home: Path, margin: int, steps: int) -> None:
    """The process with the limit: prints one JSON object."""
    from gattn_tg.training.config import TrainConfig
    from gattn_tg.training.run import train

    for name in ("small", "large"):
        (home / f"{name}.toml").write_text(CONFIG.format(train=name, steps=steps))
    train(TrainConfig.from_toml(home / "small.toml"), home / "run_small").fitted.finished()
    base = held()
    resource.setrlimit(resource.RLIMIT_DATA, (base + margin, base + margin))
    large = sum(path.stat().st_size for path in (home / "large").iterdir())
    try:
        np.ones(large // 5, np.uint8)
    except MemoryError:
        refused = True
    else:
        refused = False
    began = time.perf_counter()
    run = train(TrainConfig.from_toml(home / "large.toml"), home / "run_large")
    run.fitted.finished()
    task = run.task
    lines = [json.loads(line) for line in (home / "run_large" / "metrics.jsonl").read_text().splitlines()]
    waited = [line["waited"] for line in lines if "waited" in line]
    print(json.dumps({
        "rows": len(task.train), "length": task.train.width, "data_mib": large >> 20, "base_mib": base >> 20,
        "margin_mib": margin >> 20, "times": round(large / margin, 1), "a_fifth_in_memory_refused": refused,
        "more_mib": (held() - base) >> 20, "steps": steps, "seconds": round(time.perf_counter() - began, 1),
        "waited": round(float(np.mean(waited[1:] or waited)), 4),
    }))  # fmt: skip


def measured(home: Path, margin: int, length: int, steps: int) -> dict[str, object]:
    """Makes the tables and runs the limited process."""
    table(home / "small", 64, length)
    table(home / "large", TIMES * margin // (2 * length) + 1, length)
    command = [sys.executable, __file__, "--home", str(home), "--margin-mib", str(margin >> 20), "--steps", str(steps)]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, check=True)
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--margin-mib", type=int, default=256)
    parser.add_argument("--length", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--home", type=Path, default=None, help="folder of the tables: run as the limited process")
    a = parser.parse_args()
    if a.home is not None:
        limited(a.home, a.margin_mib << 20, a.steps)
        return
    with tempfile.TemporaryDirectory() as folder:
        line = measured(Path(folder), a.margin_mib << 20, a.length, a.steps)
    line = {"case": "training beyond memory", "device": "CPU", **line, "load": round(os.getloadavg()[0], 1)}
    write("large_data", line)
    print(line)


if __name__ == "__main__":
    main()
