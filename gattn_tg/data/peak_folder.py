"""The folder that a data set of peaks is kept in: one table for each part, and a summary."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gattn_tg.data.peaks import NEGATIVE, POSITIVE, Example, PeakSet
from gattn_tg.errors import ConfigError
from gattn_tg.escaping import cell
from gattn_tg.io.whole import write_folder
from gattn_tg.metrics.classes import auc
from gattn_tg.seq.codec import encode
from gattn_tg.seq.composition import gc_fraction
from gattn_tg.seq.strand import reverse_complement

COLUMNS = ("sequence", "label", "name")
SUMMARY, CONFIG, PAGE = "summary.json", "train.toml", "dataset.html"
PARTS = ("train", "valid", "test")
GC_BINS = 20  # of GC content, five percent each
MADE = (SUMMARY, CONFIG, PAGE, *(f"{part}.csv" for part in PARTS))


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder that must stay, before any work is done for it.

    Raises:
        ConfigError: something stands there, and it is no earlier data set or `overwrite` was not said.
    """
    if not folder.absolute().parent.is_dir():
        raise ConfigError(f"{folder}: expected a name in an existing folder, got {folder.parent}; make it first")
    if not folder.exists():
        return
    held = {path.name for path in folder.iterdir()} if folder.is_dir() else {""}
    if foreign := sorted(held - set(MADE)):
        what = f"one with {foreign[0]!r}" if folder.is_dir() else "a file"
        raise ConfigError(f"{folder}: expected a new folder or an earlier data set, got {what}; choose another")
    if held and not overwrite:
        raise ConfigError(f"{folder}: expected a new folder, got an earlier data set; overwrite it or choose another")


def write_peak_set(folder: Path, found: PeakSet, told: dict[str, Any], texts: Mapping[str, str]) -> None:
    """Write the parts as CSV files, and the summary.

    Args:
        folder: to make.
        found: the parts.
        told: the summary.
        texts: more files, by name: the configuration that learns from the parts, a page about them.
    """

    def fill(home: Path) -> None:
        for part, examples in found.parts.items():
            with (home / f"{part}.csv").open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(COLUMNS)
                writer.writerows((e.sequence, e.label, cell(e.name)) for e in examples)
        for name, text in texts.items():
            (home / name).write_text(text, encoding="utf-8")
        (home / SUMMARY).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")

    write_folder(folder, fill)


def summary(found: PeakSet) -> dict[str, Any]:
    """Numbers of each part: examples, mean GC and shares of GC bins by label, and how well GC alone tells the labels
    apart; what was left out and why; sequences that parts share; how the parts were chosen.
    """
    parts: dict[str, dict[str, Any]] = {}
    apart = {}
    for part in PARTS:
        rows = found.parts.get(part, [])
        gc = np.array([gc_fraction(encode(example.sequence)) for example in rows])
        is_positive = np.array([example.label == POSITIVE for example in rows], bool)
        parts[part] = {
            name: {"n": int(of.sum()), "gc": round(float(gc[of].mean()), 4), "gc_bins": _shares(gc[of])}
            for name, of in (("positive", is_positive), ("negative", ~is_positive)) if of.any()
        }  # fmt: skip
        if len(parts[part]) == 2:
            apart[part] = round(auc(is_positive, gc), 3)
    return {
        "notes": list(found.notes),
        "auc_of_gc": apart,
        "parts": {part: counts for part, counts in parts.items() if counts},
        "left_out": {"positive": dict(found.left_out[POSITIVE]), "negative": dict(found.left_out[NEGATIVE])},
        "in_several_parts": shared(found.parts),
    }


def _shares(gc: np.ndarray) -> list[float]:
    """The share of the examples in each bin of GC content."""
    counts = np.histogram(gc, GC_BINS, (0.0, 1.0))[0]
    return [round(float(n), 4) for n in counts / counts.sum()]


def shared(parts: Mapping[str, list[Example]]) -> int:
    """How many sequences stand in more than one part, as they are or reversed."""
    forms = [{min(e.sequence, reverse_complement(e.sequence)) for e in examples} for examples in parts.values()]
    return sum(map(len, forms)) - len(set().union(*forms))
