"""curves.html of a run: what its metrics.jsonl says, drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gattn_tg.explain.drawings.line_chart import Line, line_chart, smoothed
from gattn_tg.explain.drawings.page import Tile, page, pair, section
from gattn_tg.explain.drawings.svg import BLUE, MUTED, ORANGE, ROSE, TEAL
from gattn_tg.version import __version__

NAMES = {
    "auc": "AUC", "mcc": "Matthews correlation", "accuracy": "Accuracy", "perplexity": "Perplexity per base",
    "bits_per_base": "Bits per base", "pearson": "Pearson r", "average_precision": "Average precision",
    "auprc": "Average precision (AUPRC)", "spearman": "Spearman rho", "r2": "R²", "rmse": "Root mean squared error",
    "ece": "Expected calibration error",
}  # fmt: skip
COUNTS = ("n",)  # numbers in the metrics of a validation that measure nothing
MOST = 6  # charts of metrics beside the loss
SMOOTH = 40  # the bold line of the training loss is a mean over this share of the lines: a fortieth


@dataclass(frozen=True)
class Told:
    """What the page says beside the curves.

    Args:
        name: of the configuration.
        kind: of the model.
        n_parameters: learnable values.
        monitor: metric that chose the best weights.
        best_step: steps done at the best validation.
        seconds: duration.
        test: metrics of the test set with the best weights; empty without one.
    """

    name: str
    kind: str
    n_parameters: int
    monitor: str
    best_step: int
    seconds: float
    test: Mapping[str, float] = field(default_factory=dict)


def curves_page(lines: Sequence[dict[str, Any]], told: Told, more: Sequence[str] = ()) -> str | None:
    """The HTML of curves.html; None when there is nothing to draw.

    Args:
        lines: of metrics.jsonl.
        told: the rest.
        more: sections behind the curves: the motif table, the answers for the test set.
    """
    trains = [line for line in lines if line["kind"] == "train"]
    valids = [line for line in lines if line["kind"] == "valid"]
    if not trains and not valids:
        return None
    names = [n for n in dict.fromkeys(name for v in valids for name in v["metrics"]) if n not in (*COUNTS, "loss")]
    names = sorted(names, key=lambda n: n != told.monitor)[:MOST]
    charts = [chart] if (chart := _loss(trains, valids, told)) else []
    charts += [chart for name in names if (chart := _metric(valids, name, told))]
    charts += [
        chart
        for key, title, about, colour in (
            ("learning_rate", "Learning rate", "Of AdamW, at the last step before every line.", MUTED),
            ("gradient_norm", "Gradient", "Its norm before clipping.", ROSE),
            ("positions_per_s", "Speed", "Positions per second; validation and checkpoints left out.", BLUE),
        )
        if (chart := _train(trains, key, title, about, colour))
    ]
    if not charts:
        return None
    rows = [pair(*charts[i : i + 2]) if i + 1 < len(charts) else pair(charts[i], "") for i in range(0, len(charts), 2)]
    return page(
        "gattn train", told.name, f"{told.kind}, {told.n_parameters:,} parameters. A circle marks the best weights.",
        _tiles(trains, valids, told), [*rows, *more], f"gattn_tg {__version__}. Research use, not diagnosis.",
    )  # fmt: skip


def _tiles(trains: Sequence[dict[str, Any]], valids: Sequence[dict[str, Any]], told: Told) -> list[Tile]:
    best = next((v for v in valids if v["step"] == told.best_step), None)
    tiles = []
    if best and (value := best["metrics"].get(told.monitor)) is not None:
        tiles.append(Tile(f"{value:.4f}", f"{NAMES.get(told.monitor, told.monitor)} on validation", is_key=True))
    if best and told.monitor != "loss" and (loss := best["metrics"].get("loss")) is not None:
        tiles.append(Tile(f"{loss:.4f}", "validation loss there, nats"))
    if (tested := told.test.get(told.monitor)) is not None and tested == tested:
        tiles.append(Tile(f"{tested:.4f}", f"{NAMES.get(told.monitor, told.monitor)} on the test set"))
    last = max(line["step"] for line in [*trains, *valids])
    tiles.append(Tile(f"{told.best_step:,}", f"steps to the best weights, of {last:,}"))
    speeds = [s for line in trains if (s := line.get("examples_per_s"))]
    if speeds:
        tiles.append(Tile(f"{sorted(speeds)[len(speeds) // 2]:,.0f}", "examples per second"))
    minutes, seconds = divmod(round(told.seconds), 60)
    tiles.append(Tile(f"{minutes}:{seconds:02d}", "minutes in all"))
    return tiles


def _loss(trains: Sequence[dict[str, Any]], valids: Sequence[dict[str, Any]], told: Told) -> str:
    steps, losses = _points(trains, "loss")
    span = max(len(losses) // SMOOTH, 1)
    drawn = [Line("", TEAL, steps, losses, is_faint=True)] if span > 1 else []
    drawn.append(Line("training", TEAL, steps, smoothed(losses, span)))
    bold = "; the bold line is a running mean" if span > 1 else ""
    steps, losses = _points([{**v["metrics"], "step": v["step"]} for v in valids], "loss")
    drawn.append(Line("validation", ORANGE, steps, losses, mark=told.best_step))
    about = f"Mean over the items, in nats{bold}."
    drawn = [line for line in drawn if line.values]
    return section("Loss", about, line_chart(drawn, "loss over steps")) if drawn else ""


def _metric(valids: Sequence[dict[str, Any]], name: str, told: Told) -> str:
    steps, values = _points([{**v["metrics"], "step": v["step"]} for v in valids], name)
    if not values:
        return ""
    about = "Chooses the best weights." if name == told.monitor else "On the validation set."
    title = NAMES.get(name, name[:1].upper() + name[1:].replace("_", " "))
    return section(title, about, line_chart([Line("", ORANGE, steps, values, mark=told.best_step)], title))


def _train(trains: Sequence[dict[str, Any]], key: str, title: str, about: str, colour: str) -> str:
    steps, values = _points(trains, key)
    return section(title, about, line_chart([Line("", colour, steps, values)], f"{title} over steps")) if values else ""


def _points(lines: Sequence[dict[str, Any]], key: str) -> tuple[list[float], list[float]]:
    """Steps and values where there is one."""
    found = [(float(line["step"]), float(v)) for line in lines if (v := line.get(key)) is not None and math.isfinite(v)]
    return [s for s, _ in found], [v for _, v in found]
