"""`gattn evaluate CKPT [DATA]`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

import numpy as np

from gattn_tg.cli import device
from gattn_tg.cli.output import say, say_json
from gattn_tg.errors import ConfigError
from gattn_tg.front.classes import TrainedClassifier
from gattn_tg.front.evaluation import Evaluation
from gattn_tg.front.load import load


def run(arguments: argparse.Namespace) -> int:
    """Prints the metrics: of a labelled table, or of the held-out data of a configuration."""
    data = arguments.input
    is_table = data is not None and data.suffix != ".toml"
    if arguments.both_strands and not is_table:
        raise ConfigError(
            "gattn evaluate: expected a labelled table for --both-strands, got the data of a configuration; "
            "name a table (the [data] of tracks and sites has both_strands of its own)"
        )
    with device.on(arguments.device, arguments.threads):
        model = load(arguments.checkpoint)
        if is_table and isinstance(model, TrainedClassifier):
            found = model.evaluate(data, both_strands=arguments.both_strands, batch_size=arguments.batch_size)
        else:
            found = model.evaluate(data)
    (tell_json if arguments.json else tell)(found)
    return 0


def tell_json(found: Evaluation) -> None:
    """Prints one object."""
    if found.confusion is not None:
        say_json({**(found.metrics["data"] or {}), "labels": list(found.labels), "confusion": found.confusion.tolist()})
        return
    shown = {key: metrics and _finite(metrics) for key, metrics in found.metrics.items()}
    say_json({"kind": found.kind, **shown})


def tell(found: Evaluation) -> None:
    """Prints a line for each part, or the confusion table."""
    if found.confusion is not None and (m := found.metrics["data"]) is not None:
        say(f"{m['n']:,} sequences  accuracy {m['accuracy']:.4f}  AUC {m['auc']:.4f}  MCC {m['mcc']:.4f}  loss "
            f"{m['loss']:.4f}")
        for line in confusion_lines(found.confusion, found.labels):
            say(line)
        return
    for key, metrics in found.metrics.items():
        if metrics:
            told = (f"{name} {value:,.0f}" if name == "n" else f"{name} {value:.4g}" for name, value in metrics.items())
            say(f"{key:<5}  " + "  ".join(told))


def confusion_lines(table: np.ndarray, labels: tuple[str, ...]) -> list[str]:
    """The confusion table as aligned text, true classes in rows."""
    wide = max(9, *(len(label) + 2 for label in labels))
    first = max(16, *(len(label) + 8 for label in labels))
    lines = ["true \\ predicted".ljust(first) + "".join(label.rjust(wide) for label in labels) + "   recall"]
    for label, row in zip(labels, table, strict=True):
        share = row[labels.index(label)] / max(row.sum(), 1)
        lines.append(f"  {label}".ljust(first) + "".join(f"{n:,}".rjust(wide) for n in row) + f"   {share:6.1%}")
    return lines


def _finite(metrics: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name: None if value != value else value for name, value in metrics.items()}
