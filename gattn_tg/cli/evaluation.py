"""What `gattn evaluate` prints: metrics, a table of true and predicted classes, the share of a class in a mixture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from gattn_tg.cli.output import say, say_json
from gattn_tg.front.evaluation import SHOWN, Evaluation
from gattn_tg.metrics.mixture import Z95, Share


def tell_share(path: Path, label: str, found: Share, *, as_json: bool) -> None:
    """Prints the share of a class in a mixture."""
    if as_json:
        say_json({"mixture": str(path), "label": label, **asdict(found)})
        return
    say(f"{path}: {label} {found.estimate:.1%} of {found.n:,} sequences (95 % {found.low:.1%} to {found.high:.1%})")
    if found.outside > Z95:
        say(f"warning: its mean score lies {found.outside:.1f} standard errors outside of what mixtures of both "
            "classes give; it holds something else, or the known sequences are of another kind")


def tell_json(found: Evaluation) -> None:
    """Prints one object."""
    intervals = {part: {name: _finite({"low": low, "high": high}) for name, (low, high) in one.items()}
                 for part, one in found.intervals.items() if one}  # fmt: skip
    if found.confusion is not None and "data" in found.metrics:
        say_json({**(found.metrics["data"] or {}), "intervals": intervals.get("data", {}),
                  "labels": list(found.labels), "confusion": found.confusion.tolist()})
        return
    shown = {key: metrics and _finite(metrics) for key, metrics in found.metrics.items()}
    say_json({"kind": found.kind, **shown, **({"intervals": intervals} if intervals else {})})


def tell(found: Evaluation) -> None:
    """Prints a line for each part, and the confusion table or a line for each label."""
    m = found.metrics.get("data")
    if found.confusion is not None and m is not None:
        say(f"{m['n']:,} sequences  accuracy {m['accuracy']:.4f}  AUC {_shown(m['auc'])}  MCC {m['mcc']:.4f}  loss "
            f"{m['loss']:.4f}  AUPRC {_shown(m['auprc'])}  ECE {m['ece']:.4f}")
        _tell_intervals(found, "data")
        for line in confusion_lines(found.confusion, found.labels):
            say(line)
        return
    for key, metrics in found.metrics.items():
        if metrics:
            outcome = found.columns.get(key)
            names = metrics if outcome is None else [n for n in metrics if n in SHOWN]
            told = (f"{name} {f'{metrics[name]:,.0f}' if name == 'n' else _shown(metrics[name])}" for name in names)
            say(f"{key:<5}  " + "  ".join(told))
            _tell_intervals(found, key)
            if outcome is not None:
                for line in label_lines(outcome.readout.labels, outcome.each()):
                    say(line)


def _tell_intervals(found: Evaluation, part: str) -> None:
    """Prints a line of the intervals of a part where there are any."""
    known = {name: edges for name, edges in found.intervals.get(part, {}).items() if edges[0] == edges[0]}
    if known:
        say("  95 % over sequences drawn again: "
            + ", ".join(f"{name} {_shown(low)} to {_shown(high)}" for name, (low, high) in known.items()))


def label_lines(labels: tuple[str, ...], each: list[dict[str, float]]) -> list[str]:
    """A line for each label or column, aligned."""
    wide = max(len("label"), *map(len, labels)) + 2
    names = list(each[0])
    lines = ["  " + "label".ljust(wide) + "".join(name.rjust(11) for name in names)]
    for label, one in zip(labels, each, strict=True):
        cells = (f"{one[n]:,}" if isinstance(one[n], int) else _shown(one[n]) for n in names)
        lines.append("  " + label.ljust(wide) + "".join(cell.rjust(11) for cell in cells))
    return lines


def confusion_lines(table: np.ndarray, labels: tuple[str, ...]) -> list[str]:
    """The confusion table as aligned text, true classes in rows."""
    wide = max(9, *(len(label) + 2 for label in labels))
    first = max(16, *(len(label) + 8 for label in labels))
    lines = ["true \\ predicted".ljust(first) + "".join(label.rjust(wide) for label in labels) + "   recall"]
    for label, row in zip(labels, table, strict=True):
        share = row[labels.index(label)] / max(row.sum(), 1)
        lines.append(f"  {label}".ljust(first) + "".join(f"{n:,}".rjust(wide) for n in row) + f"   {share:6.1%}")
    return lines


def _shown(value: float | None) -> str:
    """A number with four digits; nothing where it is not defined."""
    return "-" if value is None or value != value else f"{value:.4g}"


def _finite(metrics: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name: None if value != value else value for name, value in metrics.items()}
