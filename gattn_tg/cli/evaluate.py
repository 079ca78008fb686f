"""`gattn evaluate CKPT [DATA]`."""

from __future__ import annotations

import argparse

import numpy as np

from gattn_tg.cli import device
from gattn_tg.cli.output import say, say_json
from gattn_tg.errors import ConfigError
from gattn_tg.models import checkpoint
from gattn_tg.score.evaluate import evaluate
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.evaluate import judge, own_config


def run(arguments: argparse.Namespace) -> int:
    """Prints the metrics: of a labelled table, or of the held-out data of a configuration."""
    data = arguments.input
    if data is not None and data.suffix != ".toml":
        return run_table(arguments)
    if arguments.both_strands:
        raise ConfigError(
            "gattn evaluate: a labelled table is required for --both-strands, but came the data of a configuration; "
            "name a table (the [data] of tracks and sites has both_strands of its own)"
        )
    config = own_config(arguments.checkpoint) if data is None else TrainConfig.from_toml(data)
    with device.on(arguments.device, arguments.threads):
        judged = judge(arguments.checkpoint, config)
    sets = {"valid": judged.valid, "test": judged.test}
    if arguments.json:
        shown = {key: metrics and _finite(metrics) for key, metrics in sets.items()}
        say_json({"kind": judged.kind, **shown})
        return 0
    for key, metrics in sets.items():
        if metrics:
            told = (f"{name} {value:,.0f}" if name == "n" else f"{name} {value:.4g}" for name, value in metrics.items())
            say(f"{key:<5}  " + "  ".join(told))
    return 0


def run_table(arguments: argparse.Namespace) -> int:
    """Prints the metrics and the confusion table of labelled sequences."""
    with device.on(arguments.device, arguments.threads):
        model = checkpoint.load(arguments.checkpoint, kind="SequenceClassifier")
        result = evaluate(
            model, arguments.input, batch_size=arguments.batch_size, both_strands=arguments.both_strands
        )
    if arguments.json:
        say_json({**result.metrics.to_dict(), "labels": list(result.labels), "confusion": result.confusion.tolist()})
        return 0
    m = result.metrics
    say(f"{m.n:,} sequences  accuracy {m.accuracy:.4f}  AUC {m.auc:.4f}  MCC {m.mcc:.4f}  loss {m.loss:.4f}")
    for line in confusion_lines(result.confusion, result.labels):
        say(line)
    return 0


def confusion_lines(table: np.ndarray, labels: tuple[str, ...]) -> list[str]:
    """The confusion table as aligned text, true classes in rows."""
    wide = max(9, *(len(label) + 2 for label in labels))
    first = max(16, *(len(label) + 8 for label in labels))
    lines = ["true \\ predicted".ljust(first) + "".join(label.rjust(wide) for label in labels) + "   recall"]
    for label, row in zip(labels, table, strict=True):
        share = row[labels.index(label)] / max(row.sum(), 1)
        lines.append(f"  {label}".ljust(first) + "".join(f"{n:,}".rjust(wide) for n in row) + f"   {share:6.1%}")
    return lines


def _finite(metrics: dict[str, float]) -> dict[str, float | None]:
    return {name: None if value != value else value for name, value in metrics.items()}
