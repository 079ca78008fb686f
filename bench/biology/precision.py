"""Does training in bfloat16 reach what float32 reaches? Test AUC of both at equal seeds, on real data.

    python bench/biology/precision.py [--config bench/configs/tf_human_0.toml] [--seeds 0 1 2] [--threads 1]

The same configuration is trained with `precision = "float32"` and with `precision = "bfloat16"` (weights, activations
and their gradients in bfloat16, sums, softmax and the weights that learn in float32), and each is tested in its own
precision. One JSON line per run goes to bench/results/precision.jsonl; runs that have one are not repeated.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import tomllib
from dataclasses import replace
from pathlib import Path

import gattn_tg
from bench.record import ROOT, lines_of, write
from gattn_tg.front.load import load
from gattn_tg.kernels.pairs import unit as pair_unit
from gattn_tg.machine import threads
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.settings import Precision

PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")


def tested(config: TrainConfig, precision: Precision, seed: int, test: Path) -> dict[str, float | None]:
    """Metrics of the test set after a training from this seed."""
    config = replace(config, train=replace(config.train, precision=precision))
    with tempfile.TemporaryDirectory() as folder:
        run = gattn_tg.train(config, Path(folder) / "run", seed=seed, device="CPU").folder
        found = load(run, "CPU", precision).evaluate(test).metrics["data"]
    assert found is not None
    return dict(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=ROOT / "bench" / "configs" / "tf_human_0.toml")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=1)
    a = parser.parse_args()
    threads.set_threads(a.threads)
    config = TrainConfig.from_toml(a.config)
    test = a.config.parent / tomllib.loads(a.config.read_text(encoding="utf-8"))["data"]["test"]
    done = {(x["set"], x["precision"], x["seed"]) for x in lines_of("precision")}
    for seed, precision in itertools.product(a.seeds, PRECISIONS):
        if (a.config.stem, precision, seed) in done:
            continue
        found = tested(config, precision, seed, test)
        write("precision", {"set": a.config.stem, "precision": precision, "seed": seed, "test": found,
                            "pairs": pair_unit.chosen() if precision == "bfloat16" else None})  # fmt: skip
        print(f"{a.config.stem}, {precision}, seed {seed}: test AUC {found['auc']:.4f}", flush=True)


if __name__ == "__main__":
    main()
