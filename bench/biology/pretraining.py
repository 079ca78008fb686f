"""Does a masked encoder help a classifier that has little data? The same classifier from scratch and from its trunk.

    python bench/biology/pretraining.py [--encoder runs/encoder] [--sets tf_human_3 ...] [--fraction .1] [--seeds 0 1 2]

Trains bench/configs/encoder.toml on human windows where the folder has no checkpoint yet, then fine-tunes on a share
of the training rows of each set, the same rows in the same order for both beginnings. The best weights are chosen by
the validation AUC; the test AUC goes to bench/results/pretraining.jsonl, one JSON line per set, seed and beginning.
Cells that are in the file are skipped. The human windows have no labels, but may share sequence with test rows.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path

from bench.biology.study_bias import SETS, VOCABULARY, fraction_of, load
from bench.record import ROOT, lines_of, write
from gattn_tg.machine import threads
from gattn_tg.models import checkpoint
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.loop.fit import Fit
from gattn_tg.training.loop.start import take_over
from gattn_tg.training.loop.watch import Validated, Watcher
from gattn_tg.training.run import train
from gattn_tg.training.settings import TrainSettings
from gattn_tg.training.tasks.classify import Classify

CONFIG = ROOT / "bench" / "configs" / "encoder.toml"
BEGINNINGS = ("scratch", "pretrained")


class Progress(Watcher):
    """Prints a line per validation."""

    def validated(self, record: Validated, *_: object) -> None:
        print(f"step {record.step}: " + ", ".join(f"{k} {v:.4g}" for k, v in record.metrics.items()), flush=True)


def tuned(name: str, fraction: float, seed: int, encoder: Path | None, trunk_rate: float) -> dict[str, object]:
    """Validation and test metrics of one classifier."""
    parts, task_set = load(name), SETS[name]
    rows = fraction_of(parts["train"], fraction, seed)
    shape = ClassifierConfig.preset("tiny", n_classes=2, max_length=rows.width, stem_kernel=9, pool="mean", dropout=0.0)
    model = SequenceClassifier(shape, seed=seed)
    settings = TrainSettings(epochs=task_set.passes[fraction], batch_size=64, learning_rate=2e-3, warmup_steps=50,
                             weight_decay=0.05, motif_rate=3.0, reverse_complement=task_set.flips, monitor="auc",
                             seed=seed)
    task = Classify(model, rows, parts["valid"], VOCABULARY, settings, held_out=parts["test"])
    loaded = take_over(model, encoder, VOCABULARY).loaded if encoder else ()
    fitted = Fit(task, settings, rates=dict.fromkeys(loaded, trunk_rate)).run().finished()
    test = task.test()
    assert test is not None
    best = max(v.metrics["auc"] for v in fitted.validations)
    return {"valid_auc": round(best, 4), "test_auc": round(test["auc"], 4), "best_step": fitted.best_step,
            "examples": len(rows), "seconds": round(fitted.seconds, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", type=Path, default=ROOT / "runs" / "encoder")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--fraction", type=float, choices=(0.1, 0.25, 1.0), default=0.1)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--trunk-rate", type=float, default=0.5)
    parser.add_argument("--threads", type=int, default=None)
    a = parser.parse_args()
    if a.threads:
        threads.set_threads(a.threads)
    if not (a.encoder / "best").is_dir():
        train(TrainConfig.from_toml(CONFIG), a.encoder, watcher=Progress()).fitted.finished()
    steps = checkpoint.load(a.encoder / "best").extra["step"]
    done = {(x["set"], x["fraction"], x["seed"], x["beginning"]) for x in lines_of("pretraining")}
    for name, seed, beginning in itertools.product(a.sets, a.seeds, BEGINNINGS):
        if (name, a.fraction, seed, beginning) in done:
            continue
        start = time.perf_counter()
        encoder = a.encoder / "best" if beginning == "pretrained" else None
        found = tuned(name, a.fraction, seed, encoder, a.trunk_rate)
        write("pretraining", {"set": name, "fraction": a.fraction, "seed": seed, "beginning": beginning,
                              "encoder_steps": steps if encoder else 0, "trunk_rate": a.trunk_rate, **found})
        print(f"{name} seed {seed} {beginning}: valid {found['valid_auc']}, test {found['test_auc']}, "
              f"{time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
