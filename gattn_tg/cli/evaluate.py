"""`gattn evaluate CKPT DATA`."""

from __future__ import annotations

import argparse

import numpy as np

from gattn_tg.cli import device
from gattn_tg.cli.output import say, say_json
from gattn_tg.models import checkpoint
from gattn_tg.score.evaluate import evaluate


def run(arguments: argparse.Namespace) -> int:
    """Prints the metrics and the confusion table."""
    with device.on(arguments.device, arguments.threads):
        model = checkpoint.load(arguments.checkpoint)
        result = evaluate(model, arguments.input, batch_size=arguments.batch_size)
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
