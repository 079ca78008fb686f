"""Seconds from the start of a process to the first results of the demo's model, with no kernel compiled before.

    python bench/models/cold.py [--runs 3]

Every run is a process of its own with an empty kernel cache: imports, data, model, the first training step and the
first predicted batch. The warm line is one more run with the cache that the last one has left. Lines go to
bench/results/cold.jsonl.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

import numpy as np

from bench.record import write


def first_results(began: float) -> dict[str, float]:
    """Seconds since `began` at which each stage was done, in this process."""
    from tinygrad.nn.state import get_state_dict

    from gattn_tg.cli.demo.learn import MODEL, TRAINING
    from gattn_tg.data import encode_labelled, splice_junctions
    from gattn_tg.models.captured.inputs import to_tensors
    from gattn_tg.models.classifier import SequenceClassifier
    from gattn_tg.motif import MotifVocabulary
    from gattn_tg.training.loop.step import Step
    from gattn_tg.training.tasks.classify import Classify

    done = {"imported": time.time() - began}
    vocabulary = MotifVocabulary.default()
    table, rows = splice_junctions()
    data = encode_labelled(table, vocabulary)
    model = SequenceClassifier(MODEL, seed=0)
    task = Classify(model, data.subset(rows[0]), data.subset(rows[1]), vocabulary, TRAINING)
    done["model"] = time.time() - began
    step = Step(task.loss, get_state_dict(model), TRAINING)
    loss, _ = step([to_tensors(task.batch(0, 0, 0, 1))], TRAINING.learning_rate)
    assert np.isfinite(loss)
    done["first_step"] = time.time() - began
    some = data.subset(rows[2][: TRAINING.batch_size])
    assert np.isfinite(task.forward(*some.inputs, *task.summaries.of(some))).all()
    done["first_prediction"] = time.time() - began
    return {name: round(seconds, 2) for name, seconds in done.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--child", type=float, help=argparse.SUPPRESS)  # when the parent started this process
    a = parser.parse_args()
    if a.child:
        print(json.dumps(first_results(a.child)))
        return
    found: dict[str, list[dict[str, float]]] = {"cold": [], "warm": []}
    for run in range(a.runs):
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "XDG_CACHE_HOME": folder, "CACHEDB": f"{folder}/kernels.db", "DEV": "CPU"}
            for state in ("cold", "warm")[: 1 + (run == a.runs - 1)]:
                command = [sys.executable, __file__, "--child", str(time.time())]
                done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
                found[state].append(json.loads(done.stdout.splitlines()[-1]))
                print(state, found[state][-1], flush=True)
    for state, runs in found.items():
        medians = {name: float(np.median([run[name] for run in runs])) for name in runs[0]}
        write("cold", {"case": "demo model", "cache": state, "device": "CPU", "runs": len(runs), **medians})


if __name__ == "__main__":
    main()
