"""What does it give a classifier of aligned sequences to see which words stand at which place? Splice junctions.

    python bench/biology/aligned.py [--placed 0 2] [--seeds 0 1]

Trains examples/configs/splice.toml as `gattn train` does, with `placed` of [model] at the values that are asked for,
and tests the best weights on the part of the bundled table that it holds back. Beside it, as "linear", a logistic
regression on the two bases at each place, whose penalty the validation rows choose. Every run appends a line to
bench/results/aligned.jsonl.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sklearn.linear_model import LogisticRegression

from bench.biology.linear import placed_words
from bench.record import choose_device, lines_of, write
from gattn_tg.data.genomes.bundled import bundled
from gattn_tg.metrics.classes import measure
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.run import train
from gattn_tg.training.tasks.classify import ClassData
from gattn_tg.training.tasks.labelled import load

BENCH = "aligned"
CONFIG = TrainConfig.from_toml(bundled("splice.toml", "configs"))
STRENGTHS = (0.01, 0.03, 0.1, 0.3, 1.0)  # inverse penalties, one of which the validation rows choose
SHOWN = ("loss", "accuracy", "mcc", "auc")


def network(placed: int, seed: int) -> dict[str, float | None]:
    """What the network reaches on the test rows."""
    with tempfile.TemporaryDirectory() as folder:
        done = train(replace(CONFIG, model={**CONFIG.model, "placed": placed}), f"{folder}/run", seed=seed)
    assert done.test is not None
    return {name: done.test[name] for name in SHOWN}


def linear() -> dict[str, float | None]:
    """What the logistic regression reaches on them."""
    sets = load(CONFIG, ClassData(**CONFIG.data))
    assert sets.test is not None
    x = {name: placed_words(part, 2) for name, part in vars(sets).items() if name in ("train", "valid", "test")}
    models = [LogisticRegression(C=c, max_iter=1000).fit(x["train"], sets.train.labels) for c in STRENGTHS]
    best = min(models, key=lambda model: measure(sets.valid.labels, model.predict_proba(x["valid"])).loss)
    found = measure(sets.test.labels, best.predict_proba(x["test"])).to_dict()
    return {name: found[name] for name in SHOWN}


def run(design: str, seed: int, test: Callable[[], dict[str, float | None]]) -> None:
    """Add a line, unless it is there."""
    if (design, seed) in {(x["design"], x["seed"]) for x in lines_of(BENCH)}:
        return
    start = time.perf_counter()
    found = test()
    line: dict[str, Any] = {"config": "splice", "design": design, "seed": seed, "test": found,
                            "seconds": round(time.perf_counter() - start, 1)}  # fmt: skip
    write(BENCH, line)
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--placed", nargs="+", type=int, default=[0, 2])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    a = parser.parse_args()
    choose_device()
    run("linear", 0, linear)
    for seed in a.seeds:
        for placed in a.placed:
            run(f"placed {placed}", seed, lambda placed=placed, seed=seed: network(placed, seed))


if __name__ == "__main__":
    main()
