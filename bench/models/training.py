"""Train a configuration on real data and test it: the numbers of the README's training table.

    python bench/models/training.py bench/configs/tf_human_0.toml --bar .886 [--threads 2]

Runs `gattn train` and `gattn evaluate` as a user would, in a temporary folder, and appends one JSON line to
bench/results/training.jsonl. `--bar` is the AUC of 4-mer ridge regression on the same test set.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

from bench.record import write


def gattn(*words: str) -> dict[str, object]:
    """A verb of the command line with --json; what it printed."""
    done = subprocess.run([sys.executable, "-m", "gattn_tg.cli.main", *words, "--json"], check=True, text=True,
                          stdout=subprocess.PIPE)
    return dict(json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--bar", type=float, default=None)
    parser.add_argument("--threads", default=None)
    a = parser.parse_args()
    data = tomllib.loads(a.config.read_text())["data"]
    threads = ("--threads", a.threads) if a.threads else ()
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        trained = gattn("train", str(a.config), "-o", f"{folder}/run", *threads)
        minutes = (time.perf_counter() - start) / 60
        test = gattn("evaluate", f"{folder}/run/best", str(a.config.parent / data["test"]), *threads)
    kept = {name: trained[name] for name in ("best_epoch", "seconds", "steps", "valid")}
    line = {"config": a.config.stem, "bar": a.bar, "minutes": round(minutes, 2), "test": test, "trained": kept}
    print(json.dumps(line, indent=1))
    write("training", line)


if __name__ == "__main__":
    main()
