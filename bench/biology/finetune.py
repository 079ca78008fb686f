"""Fine-tuning an imported encoder: all weights or updates of low rank, with a motif table and without, and no encoder.

    python bench/biology/finetune.py [--home runs/finetune] [--seeds 0 1 2] [--steps 1500] [--timed]

Trains bench/configs/finetune_encoder.toml, a small model in the form of DNABERT-1, from scratch on human windows where
the folder has none yet; writes it as transformers does (config.json, vocabulary, safetensors), imports these files, and
compares the vectors of both. Then bench/configs/finetune.toml learns tf_mouse_0 from the import, and from random
weights of the same sizes. The best weights are chosen by the validation AUC; the test AUC goes to
bench/results/finetune.jsonl, one JSON line per beginning, way of learning, table and seed, with the peak of the memory
of a process that does nothing else. Cells that are in the file are skipped. Seconds are kept with --timed alone, for a
quiet machine; a line with seconds is measured again where the one in the file has none. The human windows have no
labels.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("DEV", "CPU")

import numpy as np

import gattn_tg
from bench.kernels.memory import resident
from bench.record import ROOT, lines_of, write
from gattn_tg.front.converting import convert_model
from gattn_tg.front.importing import import_model
from gattn_tg.machine import threads
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.loop.watch import Validated, Watcher
from gattn_tg.training.run import train

ENCODER, CLASSIFIER = (ROOT / "bench" / "configs" / f"{name}.toml" for name in ("finetune_encoder", "finetune"))
# how a run begins and what it learns: the encoder at a third of the rate of the head, or updates of rank 8
WAYS: dict[str, dict[str, Any]] = {
    "scratch": {},
    "all": {"trunk_rate": 0.3},
    "low rank": {"lora_rank": 8, "trunk_rate": 1.0},
}
TABLES = ("none", "key")
SAME = 1e-5  # of the largest number of a vector: the files hold float32


class Progress(Watcher):
    """Prints a line per validation, where nobody reads the output."""

    def validated(self, record: Validated, *_: object) -> None:
        told = ", ".join(f"{k} {v:.4g}" for k, v in record.metrics.items())
        print(f"step {record.step}: {told}", file=sys.stderr, flush=True)


def prepared(home: Path, steps: int) -> None:
    """Trains the encoder, writes it and reads it back, where it is not there yet."""
    encoder, files, imported = home / "encoder", home / "hf", home / "imported"
    if not (encoder / "best").is_dir():
        config = TrainConfig.from_toml(ENCODER)
        config = replace(config, train=replace(config.train, steps=steps))
        train(config, encoder, mode="overwrite" if encoder.exists() else "new",
              watcher=Progress()).fitted.finished()
    if not imported.is_dir():
        convert_model(encoder / "best", files, overwrite=True)
        import_model(files, imported)
    draw = np.random.default_rng(0)
    sequence = "".join(draw.choice(list("ACGT"), 101))
    first, second = (gattn_tg.load(x).embed([sequence]).vectors[0] for x in (encoder / "best", imported))
    apart = float(np.abs(first - second).max() / np.abs(first).max())
    if not apart <= SAME:
        raise SystemExit(f"the import differs from the encoder by {apart:.1e} of the largest number")



def tuned(imported: Path, way: str, table: str, seed: int, folder: Path) -> dict[str, Any]:
    """One run in this process."""
    config, sizes = TrainConfig.from_toml(CLASSIFIER), TrainConfig.from_toml(ENCODER).model
    model = {**(sizes if way == "scratch" else {}), **config.model, "motif": table}
    settings = replace(config.train, **WAYS[way])
    start = None if way == "scratch" else imported
    done = train(replace(config, model=model, train=settings), folder, mode="overwrite" if folder.exists() else "new",
                 seed=seed, start=start, watcher=Progress())  # fmt: skip
    fitted = done.fitted.finished()
    tested = json.loads((folder / "test.json").read_text())
    return {"valid_auc": round(max(x.metrics["auc"] for x in fitted.validations), 4),
            "test_auc": round(tested["auc"], 4), "best_step": fitted.best_step,
            "seconds": round(fitted.seconds, 1),
            "memory_mib": round(resident("VmHWM"))}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=ROOT / "runs" / "finetune")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=1500, help="of the encoder")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--timed", action="store_true", help="keep seconds: on a quiet machine")
    parser.add_argument("--alone", nargs=3, help=argparse.SUPPRESS)  # one run in a process that the bench started
    a = parser.parse_args()
    threads.set_threads(a.threads)
    if a.alone:
        way, table, seed = a.alone
        folder = a.home / f"{way.replace(' ', '_')}_{table}_{seed}"
        print(json.dumps(tuned(a.home / "imported", way, table, int(seed), folder)))
        return
    home = a.home / str(a.steps)
    prepared(home, a.steps)
    done = {(x["way"], x["table"], x["seed"], x["encoder_steps"]) for x in lines_of("finetune")
            if not a.timed or x["seconds"] is not None}  # fmt: skip
    for seed, way, table in itertools.product(a.seeds, WAYS, TABLES):
        steps = 0 if way == "scratch" else a.steps
        if (way, table, seed, steps) in done:
            continue
        command = [sys.executable, __file__, "--home", str(home), "--threads", str(a.threads), "--alone", way, table,
                   str(seed)]  # fmt: skip
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        found = json.loads(said.splitlines()[-1])
        found["seconds"] = found["seconds"] if a.timed else None
        write("finetune", {"set": "tf_mouse_0", "way": way, "table": table, "seed": seed, "encoder_steps": steps,
                           "threads": a.threads, **found})
        print(f"{way}, table {table}, seed {seed}: valid {found['valid_auc']}, test {found['test_auc']}", flush=True)


if __name__ == "__main__":
    main()
