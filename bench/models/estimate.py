"""What `gattn train --dry-run` reckons, beside what the run then takes: seconds and main memory.

    python bench/models/estimate.py [CONFIG.toml ...]

Each configuration is reckoned and trained in processes of their own, one after the other, with one kernel cache, as a
user does it. Without names it takes the five of examples/configs. Lines go to bench/results/estimate.jsonl, with the
load of the machine: where others compute at the same time, seconds are theirs as well.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.record import ROOT, write

CONFIGS = ("splice", "language", "encoder", "sites", "tracks")


def measured(*words: str) -> tuple[dict[str, Any], int]:
    """What `gattn WORDS --json` prints, and the most main memory its process held, in bytes."""
    command = [sys.executable, "-m", "gattn_tg.cli.main", *words, "--json", "--device", "CPU"]
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdout=out, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(words)}: exit code {process.returncode}")
        out.seek(0)
        found: dict[str, Any] = json.loads(out.read())
    return found, usage.ru_maxrss * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configs", type=Path, nargs="*")
    a = parser.parse_args()
    for path in a.configs or [ROOT / "examples" / "configs" / f"{name}.toml" for name in CONFIGS]:
        reckoned, _ = measured("train", str(path), "--dry-run")
        with tempfile.TemporaryDirectory() as folder:
            done, peak = measured("train", str(path), "-o", f"{folder}/run")
        line = {
            "case": path.stem, "device": "CPU", "n_parameters": reckoned["n_parameters"], "steps": done["steps"],
            "reckoned_s": round(reckoned["run_s"], 1), "run_s": done["seconds"],
            "reckoned_mib": reckoned["peak_bytes"] >> 20, "run_mib": peak >> 20, "load": round(os.getloadavg()[0], 1),
        }  # fmt: skip
        write("estimate", line)
        print({**line, "time": round(line["reckoned_s"] / line["run_s"], 2),
               "memory": round(line["reckoned_mib"] / line["run_mib"], 2)}, flush=True)


if __name__ == "__main__":
    main()
