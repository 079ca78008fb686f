"""The page of an evaluation: truth and answers of sequences as ROC, precision, calibration, confusion and scatter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from gattn_tg.explain.drawings import charts
from gattn_tg.explain.drawings.page import Tile, legend, page, pair, section, table
from gattn_tg.explain.drawings.scatter import scatter
from gattn_tg.explain.drawings.shares import COLOURS, Curve, share_chart
from gattn_tg.metrics.calibration import reliability
from gattn_tg.metrics.classes import auc, confusion, roc
from gattn_tg.metrics.outcome import CLASSES, VALUES, Outcome
from gattn_tg.metrics.precision import average_precision, precision_recall
from gattn_tg.version import __version__

NAMES = {
    "auc": "AUC", "auprc": "average precision (AUPRC)", "accuracy": "accuracy", "mcc": "Matthews correlation",
    "ece": "expected calibration error", "loss": "loss", "pearson": "Pearson r", "spearman": "Spearman rho",
    "r2": "R², share of the variance explained", "rmse": "root mean squared error",
}  # fmt: skip
TILES = {CLASSES: ("auc", "accuracy", "mcc", "auprc", "ece"), VALUES: ("pearson", "spearman", "r2", "rmse")}
OF_LABELS = ("auprc", "auc", "ece")
MOST_CLASSES = 12  # of a confusion table that is drawn


def answers_page(outcome: Outcome, title: str, lead: str, intervals: Mapping[str, tuple[float, float]]) -> str:
    """The HTML of an evaluation.

    Args:
        outcome: truth and answers.
        title: what was evaluated.
        lead: on what.
        intervals: of its metrics, see `Outcome.intervals`.
    """
    names = TILES.get(outcome.readout.task, OF_LABELS)
    metrics = outcome.metrics()
    several = len(outcome.readout.labels) > 1 and outcome.readout.task != CLASSES
    tiles = [Tile(_number(metrics[name]), f"{'mean ' if several else ''}{NAMES[name]}{_within(intervals.get(name))}",
                  is_key=k == 0) for k, name in enumerate(names)]  # fmt: skip
    return page("gattn evaluate", title, lead, [*tiles, Tile(f"{len(outcome):,}", "sequences")],
                outcome_sections(outcome), f"gattn_tg {__version__}. Research use, not diagnosis.")  # fmt: skip


def _within(interval: tuple[float, float] | None) -> str:
    """An interval in words, where there is one."""
    if interval is None or interval[0] != interval[0]:
        return ""
    low, high = (f"{edge:,.0f}" if abs(edge) >= 100 else f"{edge:.3g}" for edge in interval)
    return f", 95 %: {low} to {high}"


def outcome_sections(outcome: Outcome) -> list[str]:
    """The drawings of an outcome, as sections of a page."""
    if outcome.readout.task == VALUES:
        return _values(outcome)
    if outcome.readout.task == CLASSES:
        return _classes(outcome)
    rankings = [(name, truth[known] == 1, p[known]) for name, truth, p in zip(
        outcome.readout.labels, outcome.truth.T, outcome.answers.T, strict=True)
        if (known := ~np.isnan(truth)).any()]  # fmt: skip
    rows = [[name, f"{one['n']:,}", f"{one['positives']:,}", *(_number(one[k]) for k in OF_LABELS)]
            for name, one in zip(outcome.readout.labels, outcome.each(), strict=True)]  # fmt: skip
    drawn = [(name, p, positive) for name, positive, p in rankings]
    return [
        pair(*_ranked(rankings)),
        pair(_calibration(drawn, "For each label"), section(
            "Label by label", "Sequences of which it is known, those that have it, and how well they are told.",
            table(["label", "known", "yes", "AUPRC", "AUC", "ECE"], rows))),
    ]  # fmt: skip


def _classes(outcome: Outcome) -> list[str]:
    labels, truth, p = outcome.readout.labels, outcome.truth, outcome.answers
    shown = [1] if len(labels) == 2 else list(range(len(labels)))
    rankings = [(labels[k], truth == k, p[:, k]) for k in shown]
    predicted, cells = p.argmax(1), confusion(truth, p.argmax(1), len(labels))
    sure = [("most probable class", p.max(1), predicted == truth)]
    rows = [[labels[k], f"{(truth == k).sum():,}", _number(average_precision(truth == k, p[:, k])),
             _number(auc(truth == k, p[:, k])), _number(cells[k, k] / max(cells[k].sum(), 1)),
             _number(cells[k, k] / max(cells[:, k].sum(), 1))] for k in range(len(labels))]  # fmt: skip
    found = [
        pair(*_ranked(rankings)),
        pair(_calibration(sure, "For the most probable class"), section(
            "Class by class", "Sequences of it, how well it is told from the others, and shares that were called it.",
            table(["class", "sequences", "AUPRC", "AUC", "recall", "precision"], rows))),
    ]  # fmt: skip
    if len(labels) <= MOST_CLASSES:
        drawing = charts.confusion(cells, labels, "confusion table")
        found.append(section("Confusion", "Sequences of each true class (rows) by the class they were called.",
                             f'<div style="max-width:{110 * len(labels) + 110}px">{drawing}</div>'))  # fmt: skip
    return found


def _values(outcome: Outcome) -> list[str]:
    labels = outcome.readout.labels
    names = ("pearson", "spearman", "r2", "rmse")
    rows = [[name, f"{one['n']:,}", *(_number(one[k]) for k in names)]
            for name, one in zip(labels, outcome.each(), strict=True)]  # fmt: skip
    whole = [section("Column by column", "Sequences that were measured, and how well they are predicted.",
                     table(["column", "measured", "Pearson", "Spearman", "R²", "RMSE"], rows))]  # fmt: skip
    cards = []
    for name, truth, predicted in zip(labels, outcome.truth.T, outcome.answers.T, strict=True):
        if (known := ~np.isnan(truth)).any():
            cards.append(section(name, "Each point is a sequence; on the dashed line both are equal.",
                                 scatter(truth[known], predicted[known], f"predicted and measured {name}")))
    cards += [""] * (len(cards) % 2)
    return whole + [pair(*cards[i : i + 2]) for i in range(0, len(cards), 2)]


def _ranked(rankings: Sequence[tuple[str, np.ndarray, np.ndarray]]) -> tuple[str, str]:
    """ROC, and precision against recall, of (name, who is it, score)."""
    shown = rankings[: len(COLOURS)]
    left, right = [], []
    for colour, (name, positive, score) in zip(COLOURS, shown, strict=False):
        x, y = roc(positive, score)
        precision, recall = precision_recall(positive, score)
        left.append(Curve(name, colour, x.tolist(), y.tolist()))
        rises = np.diff(recall, prepend=0.0) > 0  # where it does not, precision falls and no more is found
        precision, recall = precision[rises], recall[rises]
        right.append(Curve(name, colour, recall.tolist(), precision.tolist(), steps=True))
    more = f" The first {len(shown)} of {len(rankings)} are drawn." if len(rankings) > len(shown) else ""
    words = [f"{name}: AUC {_number(auc(t, s))}" for name, t, s in shown]
    rates = [f"{name}: AUPRC {_number(average_precision(t, s))}, by chance {t.mean():.1%}" for name, t, s in shown]
    return (
        section("ROC", f"Share of those that are it, over the share of those that are not, found at each score.{more}",
                share_chart(left, "of the others", "of those that are it", "ROC", diagonal=True)
                + legend(list(zip(COLOURS, words, strict=False)))),
        section("Precision and recall", f"How pure a ranking stays while it finds more.{more}",
                share_chart(right, "recall: share that is found", "precision: share that is right", "precision, recall")
                + legend(list(zip(COLOURS, rates, strict=False)))),
    )  # fmt: skip


def _calibration(said: Sequence[tuple[str, np.ndarray, np.ndarray]], whose: str) -> str:
    """Whether what was said with a probability came true as often: (name, probability, came true)."""
    curves, words = [], []
    for colour, (name, p, true) in zip(COLOURS, said, strict=False):
        found = reliability(true, p)
        curves.append(Curve(name, colour, found.probability.tolist(), found.share.tolist(), found.count.tolist()))
        words.append((colour, f"{name}: ECE {_number(found.error)}"))
    return section(
        "Calibration", f"{whose}: how often what was said came true. On the dashed line it came true as often as said.",
        share_chart(curves, "said", "came true", "calibration", diagonal=True) + legend(words),
    )  # fmt: skip


def _number(value: float) -> str:
    return "not defined" if value != value else f"{value:.4f}" if abs(value) < 100 else f"{value:,.4g}"
