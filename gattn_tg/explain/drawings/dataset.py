"""dataset.html of `gattn dataset`: what is in the parts, and whether GC content gives the labels away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gattn_tg.explain.drawings.line_chart import Line, line_chart
from gattn_tg.explain.drawings.page import Tile, page, pair, section, table
from gattn_tg.explain.drawings.svg import MUTED, TEAL
from gattn_tg.version import __version__

COLOURS = {"positive": TEAL, "negative": MUTED}


def peaks_page(name: str, width: int, negatives: str, told: Mapping[str, Any]) -> str:
    """The page of a data set.

    Args:
        name: of the file of peaks.
        width: bases of a window.
        negatives: how they were made.
        told: its summary, see `data.peak_folder.summary`.
    """
    parts = told["parts"]
    rows = [[part, label, f"{of['n']:,}", f"{of['gc']:.1%}"] for part, labels in parts.items()
            for label, of in labels.items()]  # fmt: skip
    tiles = [Tile(f"{sum(of['n'] for of in labels.values()):,}", f"sequences in {part}", part == "train")
             for part, labels in parts.items()]  # fmt: skip
    tiles.append(Tile(f"{told['in_several_parts']:,}", "sequences in more than one part"))
    cards = [section("Parts", " ".join(f"{note}." for note in told["notes"]) or "Parts as they were named.",
                     table(["part", "label", "sequences", "GC"], rows))]  # fmt: skip
    charts = []
    for part, labels in parts.items():
        known = told["auc_of_gc"].get(part)
        about = "The share of the sequences at each GC content, in steps of five percent." + (
            f" GC alone tells the labels apart with AUC {known:.3f}; 0.5 is chance." if known is not None else "")
        title = f"GC content in {part}"
        charts.append(section(title, about, line_chart(_lines(labels), title, "% GC")))
    cards += [pair(charts[i], "".join(charts[i + 1 : i + 2])) for i in range(0, len(charts), 2)]
    left = [[f"{label} windows that {reason}", f"{n:,}"] for label, reasons in told["left_out"].items()
            for reason, n in reasons.items()]  # fmt: skip
    if left:
        cards.append(section("Left out", "Windows that no part has.", table(["why", "windows"], left)))
    lead = f"Windows of {width:,} bases around the peaks, label 1, and negatives ({negatives}), label 0."
    return page("gattn dataset", name, lead, tiles, cards, f"gattn_tg {__version__}. Research use, not diagnosis.")


def _lines(labels: Mapping[str, Any]) -> list[Line]:
    found = []
    for label, of in labels.items():
        step = 100 / len(of["gc_bins"])
        found.append(Line(label, COLOURS[label], [step * (i + 0.5) for i in range(len(of["gc_bins"]))], of["gc_bins"]))
    return found
